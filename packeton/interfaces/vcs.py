"""
The port to version control: git, Mercurial and Subversion.

A *checkout* is our copy of somebody's repository (for Subversion, which has no copies, the way to it). All work is
done in child processes, so that neither a large repository nor a hostile one touches the server. Failures are
`VcsFailed` with a reason, `Invalid` for an address that must not be used, and `NotFound` for a reference that is not
there; the text is for the maintainer of the package and names the address without its secrets.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from attrs import field, frozen
from zope.interface import Interface

from packeton.config.settings import Secret
from packeton.core.composer.credentials import basic_login

__all__ = [
    "ArchiveOrder",
    "BuiltArchive",
    "Crawl",
    "CrawlPlan",
    "FileContent",
    "ICheckouts",
    "OnBatch",
    "OnLog",
    "PlainManifest",
    "Reading",
    "Ref",
    "RefKind",
    "RefReading",
    "VcsAccess",
    "VcsKind",
]


class VcsKind(StrEnum):
    """What can be read."""

    GIT = "git"
    HG = "hg"
    SVN = "svn"


@frozen(kw_only=True)
class VcsAccess:
    """How a repository is reached. Of all this only the address is ever shown."""

    url: str
    """http, https, ssh, git, svn, svn+ssh, `user@host:path`; a path, file:// only below `packeton.vcs.local_paths`."""
    kind: VcsKind | None = None
    """None: found out from the address, else by asking the server."""
    ssh_key: Secret | None = None
    """A private key without passphrase (PEM or OpenSSH). Without one, the keys of the operating system's user."""
    username: str | None = None
    """For http(s) and svn; git over ssh takes the user from the address, or `git`."""
    password: Secret | None = None
    bearer: Secret | None = None
    """Sent as `Authorization: Bearer …` in place of user and password."""
    accept_new_host_key: bool = True
    """Pin the key of an ssh server that was never seen before; False: only servers that are pinned already."""

    @property
    def login_fields(self) -> tuple[tuple[str, str], ...]:
        """The header fields of an HTTP request that log in; none where there is no login."""
        if self.bearer is not None:
            return (("Authorization", f"Bearer {self.bearer.reveal()}"),)
        if self.password is not None:
            return (("Authorization", basic_login(self.username or "", self.password.reveal())),)
        return ()


class RefKind(StrEnum):
    """What a ref is."""

    TAG = "tag"
    BRANCH = "branch"


@frozen(kw_only=True)
class Ref:
    """A tag or a branch, as it stands upstream."""

    kind: RefKind
    name: str
    """Without `refs/tags/` or `refs/heads/`."""
    commit: str
    """The commit that it leads to in the end; for Subversion `/path/@revision`."""
    time: datetime
    """When the change was made (aware UTC). Source: Composer takes git's author date, `%at`."""
    default: bool = False
    """It is the default branch."""

    @property
    def key(self) -> str:
        """What tells it from all others of its repository: `tag:1.0`, `branch:main`."""
        return f"{self.kind}:{self.name}"


@frozen(kw_only=True)
class Reading:
    """What one directory holds at one ref."""

    directory: str
    """Without slashes at its ends; "" is the root."""
    tree: str | None = None
    """Changes exactly when something below the directory does; None where it is not known."""
    manifest: bytes | None = None
    """composer.json; None where there is none, or where versions were asked for."""
    version: Mapping[str, Any] | None = None
    """The version object, with `name`, `version`, `version_normalized` and `source` (Composer's words)."""
    warnings: tuple[str, ...] = ()
    skipped: str | None = None
    """Why the ref gives no version here, where that is nobody's fault; one line for the log."""
    invalid: str | None = None
    """Why the ref gives no version here though it should: composer.json is broken. One line for the maintainer."""


@frozen(kw_only=True)
class RefReading:
    """What one ref holds."""

    ref: Ref
    skipped: str | None = None
    """Why nothing was read: its name is no version, it leads to no commit. One line for the log."""
    unchanged: bool = False
    """The caller knew this commit for this ref: nothing was read again."""
    readings: tuple[Reading, ...] = ()
    """One for each directory where there is a composer.json, or something to say. Composer's order of refs and "the
    first one wins" hold among all refs of one directory, also unchanged ones."""


@frozen(kw_only=True)
class FileContent:
    """A file of the default branch."""

    path: str
    content: bytes


@frozen(kw_only=True)
class PlainManifest:
    """composer.json of the default branch."""

    kind: VcsKind
    branch: str
    commit: str
    content: bytes | None
    """None: there is none."""


@frozen(kw_only=True)
class CrawlPlan:
    """What to read of every ref."""

    directories: tuple[str, ...] = ("",)
    globs: tuple[str, ...] = ()
    """Patterns of composer.json files of the default branch, for mono-repos; their directories are read as well."""
    excluded: tuple[str, ...] = ()
    """Directories, or composer.json files, that the globs must not find."""
    known: Mapping[str, str] = field(factory=dict, repr=False)
    """By `Ref.key`, the commits that need not be read again."""
    known_default: str | None = None
    """The branch that was the default when `known` was learnt: if another one is it now, both are read again."""
    name: str | None = None
    """The package's name, which all versions get. Default: for each directory, as the default branch has it."""
    manifest: bytes | None = field(default=None, repr=False)
    """Stands in for the composer.json of every ref (packages of type asset)."""
    render: bool = True
    """Deliver versions; False: composer.json as it is."""
    with_source: bool = True
    """Versions have a `source`; children of a mono-repo have none (their `source` would be the whole of it)."""


@frozen(kw_only=True)
class Crawl:
    """What a crawl found out besides the refs that it delivered."""

    kind: VcsKind
    refs: Mapping[str, str] = field(repr=False)
    """By `Ref.key`, the commits of all refs that are there now; what is missing here has vanished."""
    default_branch: str | None
    default_commit: str | None
    directories: tuple[str, ...] = ()
    """What was read, the directories that the globs found among them."""
    names: Mapping[str, str] = field(factory=dict)
    """By directory, the `name` in its composer.json on the default branch; directories without one are missing."""
    readmes: Mapping[str, FileContent] = field(factory=dict, repr=False)
    """By directory, on the default branch: as composer.json's `readme` names it, else README.md, README …"""
    lock: bytes | None = None
    """composer.lock in the root of the default branch."""
    manifest: bytes | None = field(default=None, repr=False)
    """composer.json beside it."""


@frozen(kw_only=True)
class ArchiveOrder:
    """What to put into an archive, and how."""

    reference: str
    """A commit, as a version's source or dist names it; it need not belong to any ref."""
    sub_directory: str = ""
    exclude: tuple[str, ...] = ()
    """Patterns to leave out, besides the `archive.exclude` of its composer.json and `export-ignore` attributes."""
    format: str = "zip"
    """`zip` or `tar`."""


@frozen(kw_only=True)
class BuiltArchive:
    """An archive that was written. The same order gives the same bytes, as long as zlib stays the same."""

    size: int
    sha1: str
    sha256: str
    entries: int
    warnings: tuple[str, ...] = ()
    """What is not in it, or not as it should be: submodules, files of git LFS that could not be had."""


OnBatch = Callable[[Sequence[RefReading]], Awaitable[None]]
"""Takes some refs; the crawl waits for it before it reads on, so memory is bounded on both sides."""
OnLog = Callable[[str], None]


class ICheckouts(Interface):
    """
    Read repositories. Any number of calls may be made at once; they wait for a child process, for their host's turn,
    and for each other where they change the same checkout. Cancelling ends the work.
    """

    async def crawl(access: VcsAccess, plan: CrawlPlan, on_batch: OnBatch, on_log: OnLog) -> Crawl:
        """
        Bring the checkout up to date and deliver all its refs in bounded batches, tags first.

        One broken ref is reported with that ref; the others are delivered.

        Raises:
            VcsFailed: by `reason`, what is wrong with the repository or the way to it.
            Invalid: the address must not be used, or names no server.
        """

    async def default_manifest(access: VcsAccess, directory: str, on_log: OnLog) -> PlainManifest:
        """Read composer.json of the default branch, fetching as little as the server allows. Raises as `crawl`."""

    async def list_files(access: VcsAccess, on_log: OnLog) -> Sequence[str]:
        """Return the paths of all files of the default branch, sorted, without asking the server if there is a
        checkout. Raises as `crawl`."""

    async def changelog(access: VcsAccess, from_: str, to: str) -> Sequence[str]:
        """
        Return the subjects of the commits that are in *to* and not in *from_* (tags, branches or commits), newest
        first, without merges; at most 10,000. Only a checkout that exists is read.

        Raises:
            NotFound: There is no checkout, or it does not hold one of the two.
        """

    async def archive(access: VcsAccess, order: ArchiveOrder, destination: Path, on_log: OnLog) -> BuiltArchive:
        """
        Write an archive to *destination*, which then exists as a whole or not at all. The server is asked only for
        what the checkout does not hold.

        Raises:
            NotFound: The server does not give out this commit, or it lacks the sub-directory.
            VcsFailed: As in `crawl`, or the archive would be larger than the settings allow.
        """

    async def forget(access: VcsAccess) -> None:
        """Remove the checkout, if there is one."""

    async def tidy(unused_for: timedelta) -> int:
        """Remove the checkouts that nobody used for so long; return how many. One that is needed again is made anew."""

    async def host_keys() -> Sequence[str]:
        """Return the pinned keys of ssh servers, as `host type SHA256:…` lines."""

    async def forget_host(host: str) -> None:
        """Remove the pinned keys of *host* (`name`, or `[name]:port`), so that the next one it shows is pinned."""
