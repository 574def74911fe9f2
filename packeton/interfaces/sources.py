"""The port to where the versions of a package come from, and what is told about an update of one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from attrs import field, frozen
from zope.interface import Interface

from packeton.core.composer.advisories import Advisory
from packeton.interfaces.packages import Change, Package, StoredVersion

__all__ = [
    "AskForge",
    "Audit",
    "Deliver",
    "EventKind",
    "Finding",
    "ForgeFacts",
    "FoundVersion",
    "ISource",
    "Listener",
    "OnLog",
    "PackageEvent",
    "SourceFile",
    "SourceReport",
]

OnLog = Callable[[str], None]
"""Takes one line for the maintainer who looks at the job."""


@frozen(kw_only=True)
class FoundVersion:
    """A version that a source has."""

    version: Mapping[str, Any] = field(repr=False)
    """The version object, with the `dist` of the origin if there is one."""
    directory: str = ""
    tree: str | None = None
    """Changes exactly when something below the directory does."""
    source_reference: str | None = None
    dist_reference: str | None = None
    """40 hexadecimal digits; None where no archive of it can be had from us."""
    warnings: tuple[str, ...] = ()


@frozen(kw_only=True)
class Finding:
    """What a source has at one ref."""

    ref: str
    commit: str
    """Changes when there is something new at the ref."""
    versions: tuple[FoundVersion, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with it, for the maintainer."""
    skipped: tuple[str, ...] = ()
    """Why there is no version, where nobody can be blamed; for the log."""


@frozen(kw_only=True)
class SourceFile:
    """A file that describes a package."""

    path: str
    content: bytes = field(repr=False)


@frozen(kw_only=True)
class SourceReport:
    """What a source has besides versions."""

    refs: frozenset[str]
    """All that are there now, also those that were not read again."""
    default_branch: str | None = None
    names: Mapping[str, str] = field(factory=dict)
    """By directory, the name in its composer.json, where that is known."""
    readmes: Mapping[str, SourceFile] = field(factory=dict, repr=False)
    """By directory."""
    directories: tuple[str, ...] = ("",)
    lock: bytes | None = field(default=None, repr=False)
    """composer.lock of the default branch."""
    manifest: bytes | None = field(default=None, repr=False)
    """composer.json beside it."""
    advisories: tuple[Advisory, ...] | None = field(default=None, repr=False)
    """What the source knows of security holes in the package; None: it cannot tell."""


@frozen(kw_only=True)
class ForgeFacts:
    """What the API of the forge where a repository lies says of it."""

    noted: Mapping[str, Any]
    """Kept in the package's settings, and given back the next time."""
    has_readme: bool = False
    """`readme` counts; otherwise the file in the repository."""
    readme: str | None = field(default=None, repr=False)
    """HTML that is safe to show."""
    language: str | None = None


Deliver = Callable[[Sequence[Finding]], Awaitable[None]]
"""Takes some findings; the source goes on when they are stored."""


class ISource(Interface):
    """Reads the versions of packages of one type."""

    async def read(package: Package, known: Mapping[str, str], deliver: Deliver, log: OnLog) -> SourceReport:
        """
        Deliver all versions, in batches of bounded size.

        Args:
            known: By ref, the commits that need not be delivered again.

        Raises:
            PacketonError: The source cannot be read; the text is for the maintainer. What was delivered stays.
        """


class EventKind(StrEnum):
    """What happened to a package. Source: the reference's events."""

    PERSISTED = "packagePersist"
    """Its first update went well."""
    REFRESHED = "packageRefresh"
    FAILED = "packageError"
    REMOVED = "packageRemove"
    """Somebody deleted it, or the mono-repo that it was found in."""
    SECURITY_AUDIT = "security_audit"
    """Its composer.lock has versions that advisories are about which were not there before."""


@frozen(kw_only=True)
class PackageEvent:
    """Something that others may want to tell further."""

    kind: EventKind
    package: Package
    changes: tuple[Change, ...] = ()
    versions: tuple[StoredVersion, ...] = ()
    """Of a package that was removed, what it had."""
    message: str | None = None
    is_news: bool = True
    """False for a failure that the maintainers were told of already."""


Listener = Callable[[PackageEvent], Awaitable[None]]
"""Takes an event after it happened; a listener that fails disturbs nobody."""
Audit = Callable[[Package, SourceReport, OnLog], Awaitable[PackageEvent | None]]
"""Looks at what an update that went well has found, and returns what to tell of it; its failure is only logged."""
AskForge = Callable[[Package, SourceReport, OnLog], Awaitable[ForgeFacts | None]]
"""Asks the forge about a package that was read; None where it is not to be asked. Never raises PacketonError."""
