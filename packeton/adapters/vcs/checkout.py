"""What an open checkout of any kind offers, inside a child process, to a crawl and to an archive."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from packeton.interfaces.vcs import RefKind, VcsKind

__all__ = ["LINK", "LINKED", "PLAIN", "PROGRAM", "Checkout", "Entry", "Found", "Tip"]

PLAIN, PROGRAM, LINK = 0o100644, 0o100755, 0o120777
"""The modes of what an archive may hold."""


@frozen
class Tip:
    """A ref before it is followed. Names that are no text have their odd bytes replaced, and `is_text` false."""

    kind: RefKind
    name: str
    identity: str
    is_text: bool = True

    @property
    def key(self) -> str:
        """As `Ref.key`."""
        return f"{self.kind}:{self.name}"


@frozen
class Found:
    """composer.json of a directory at a commit: the same `manifest` means the same bytes."""

    tree: str | None
    manifest: str
    is_link: bool = False
    """It is a symbolic link, whose text `manifest` stands for."""


@frozen
class Entry:
    """One file of a commit, as an archive needs it."""

    path: bytes
    """Relative to the root of the checkout."""
    mode: int
    """PLAIN, PROGRAM, LINK, or 0 for what is no file: a submodule."""
    identity: str


LINKED: Final = "composer.json is a symbolic link, which Composer does not follow either: commit the file itself"


class Checkout(ABC):
    """One repository at one moment. Not for two threads."""

    kind: VcsKind
    default: str | None
    """The default branch."""

    @abstractmethod
    def tips(self) -> Sequence[Tip]:
        """Return all refs: tags, then branches, each in order of their names."""

    @abstractmethod
    def follow(self, tip: Tip) -> tuple[str, datetime] | None:
        """Return the commit that a ref leads to, and when it was made; None where it leads to no commit."""

    @abstractmethod
    def find(self, commit: str, directory: str) -> Found | None:
        """Return the composer.json of *directory*; None where there is none."""

    @abstractmethod
    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file; None where there is none."""

    @abstractmethod
    def content(self, identity: str) -> bytes:
        """Return what `Found.manifest` or `Entry.identity` stands for."""

    @abstractmethod
    def listing(self, commit: str, directory: str) -> Sequence[str]:
        """Return the names of the files in a directory."""

    @abstractmethod
    def entries(self, commit: str, directory: str) -> Iterator[Entry]:
        """
        Yield all files below a directory, sorted by path.

        Raises:
            NotFound: There is no such commit, or no such directory.
        """
