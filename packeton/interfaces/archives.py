"""The ports to archives that were built, to the library of uploads, and to the files of both."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from attrs import frozen
from zope.interface import Interface

from packeton.interfaces.blobs import IBlob

__all__ = ["BuiltFile", "IArchiveRecords", "IFileStore", "IUploadRecords", "Upload"]


@frozen(kw_only=True)
class BuiltFile:
    """One archive in the store."""

    key: str
    package_id: int
    reference: str
    size: int
    sha1: str
    sha256: str
    built_at: datetime
    used_at: datetime


@frozen(kw_only=True)
class Upload:
    """One file of the upload library."""

    id: int = 0
    reference: str
    """40 random hexadecimal digits."""
    filename: str
    """Under which it is stored: `<reference>.<extension>`."""
    original_name: str
    extension: str
    mime_type: str
    size: int
    sha1: str
    sha256: str
    used: bool = False
    """A package needs it."""
    created_at: datetime


class IArchiveRecords(Interface):
    """Archives by key. Every method may raise StorageFailed."""

    async def find(key: str) -> BuiltFile | None:
        """Return what is known of an archive."""

    async def save(built: BuiltFile) -> None:
        """Insert or replace by key."""

    async def used(keys: Iterable[str], at: datetime) -> None:
        """Note that these were served."""

    async def of_package(package_id: int) -> Sequence[BuiltFile]:
        """Return all archives of a package."""

    async def checksums(package_id: int) -> Mapping[str, str]:
        """Return the SHA-1 of the archives of a package, by reference and kind: `<reference>.zip`."""

    async def unused(before: datetime, limit: int) -> Sequence[BuiltFile]:
        """Return archives that nobody asked for since *before*, longest unused first."""

    async def remove(key: str) -> None:
        """Forget an archive."""


class IUploadRecords(Interface):
    """The upload library. Every method may raise StorageFailed."""

    async def create(upload: Upload) -> Upload:
        """Store what is known of a new file; return it with its id."""

    async def get(upload_id: int) -> Upload | None:
        """Return one."""

    async def by_reference(reference: str) -> Upload | None:
        """Return one by its reference."""

    async def listed(with_ids: Iterable[int] = ()) -> Sequence[Upload]:
        """Return what no package uses, and these, newest first; at most 1,000."""

    async def take(upload_ids: Iterable[int]) -> None:
        """Note that a package needs these."""

    async def release(upload_ids: Iterable[int]) -> None:
        """Note that a package does not need these any more; those that another one needs stay in use."""

    async def remove_unused(upload_id: int) -> bool:
        """Forget one unless it is in use; say if that happened."""


class IFileStore(Interface):
    """
    Files under keys with slashes. All methods block: off the reactor thread.

    Raises (all): StorageFailed: the disk is full, read-only or broken.
    """

    def draft() -> Path:
        """Return the path of a file to write; it does not exist yet. After a crash the next start removes it."""

    def keep(draft: Path, key: str) -> None:
        """Make a draft durable, and visible under *key*, in place of what was there."""

    def open(key: str) -> IBlob:
        """Open a file; the caller closes it. Raises NotFound."""

    def path(key: str) -> Path:
        """Return where the file of *key* is, or would be. Raises NotFound: for a key that is none."""

    def delete(key: str) -> None:
        """Remove a file; nothing happens when there is none."""

    def old(before: datetime, limit: int) -> Sequence[str]:
        """Return keys of files that were last written before *before*, at most *limit* of them."""

    def sweep(before: datetime) -> int:
        """Remove the drafts that nobody wrote to since *before*, which a crash left; return how many."""
