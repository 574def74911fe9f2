"""The port to what is known about our own packages and their versions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen
from zope.interface import Interface

from packeton.core.access.rules import PackageFacts
from packeton.core.composer.changes import FeedChange

__all__ = [
    "Change",
    "ChangeKind",
    "IPackageRecords",
    "IVersionRecords",
    "KnownReference",
    "Package",
    "PackageSummary",
    "RefOutcome",
    "RefProblem",
    "RepoType",
    "StoredVersion",
    "Summaries",
    "VersionDocument",
    "VersionDraft",
    "VersionIndex",
]


class RepoType(StrEnum):
    """Where the versions of a package come from. Source: the reference's `repoType`."""

    VCS = "vcs"
    MONO_REPO = "mono-repo"
    INTEGRATION = "integration"
    ARTIFACT = "artifact"
    CUSTOM = "custom"
    VIRTUAL = "virtual"
    PROXY = "proxy"
    ASSET = "asset"

    @property
    def has_own_dist(self) -> bool:
        """Say if the archives of the package exist nowhere but with us."""
        return self in {RepoType.ARTIFACT, RepoType.CUSTOM, RepoType.VIRTUAL}

    @property
    def is_vcs(self) -> bool:
        """Say if the versions are tags and branches of a repository."""
        return self in {RepoType.VCS, RepoType.MONO_REPO, RepoType.INTEGRATION, RepoType.ASSET}


@frozen(kw_only=True)
class Package:
    """A package of ours. Names are exact and lower-case."""

    id: int = 0
    """0: not stored yet."""
    name: str
    repo_type: RepoType = RepoType.VCS
    url: str | None = None
    """The repository, without credentials; for `proxy` the foreign repository, or `mirror:<alias>` for one of ours."""
    host: str | None = None
    path: str | None = None
    """With `host`, the address in the form in which hooks are matched."""
    credential_id: int | None = None
    parent_id: int | None = None
    """The mono-repo that it was found in: it is then read-only."""
    directory: str = ""
    """Where in the repository its composer.json lies, without slashes at the ends."""
    description: str = ""
    type: str = ""
    language: str | None = None
    readme: str | None = field(default=None, repr=False)
    """HTML that is safe to show."""
    abandoned: bool = False
    replacement: str | None = None
    visible_for_all: bool = False
    archived: bool = False
    auto_updated: bool = False
    """A hook keeps it up to date."""
    settings: Mapping[str, Any] = field(factory=dict, repr=False)
    """What only some types have, by the reference's names: `glob`, `excludedGlob`, `skipNotModifyTag`, `archives`,
    `repositoryPath`, `archiveOverrides`, `customVersions`, `customComposerJson`, `requirePatches`,
    `disabledUpdate`, `integration`, `externalRef` …"""
    maintainers: frozenset[int] = frozenset()
    created_at: datetime
    updated_at: datetime | None = None
    crawled_at: datetime | None = None
    """When its source was last read to the end."""
    problem: str | None = None
    """Why the last crawl failed, for a maintainer; None after a good one."""
    notified: bool = False
    """The maintainers were told of `problem`."""
    stable_modified_at: datetime
    dev_modified_at: datetime
    """When what `p2/name.json` and `p2/name~dev.json` hold was last changed."""
    revision: int = 0
    """Moves with every change."""


@frozen(kw_only=True)
class PackageSummary:
    """What serving needs to know of every package."""

    id: int
    name: str
    repo_type: RepoType
    visible_for_all: bool
    archived: bool
    abandoned: bool
    replacement: str | None
    maintainers: frozenset[int]
    is_child: bool
    stable_modified_at: datetime
    dev_modified_at: datetime
    revision: int
    facts: PackageFacts = field(init=False, repr=False, eq=False)
    """What decides who sees it."""

    @facts.default
    def _facts(self) -> PackageFacts:
        return PackageFacts(
            name=self.name,
            visible_for_all=self.visible_for_all,
            archived=self.archived,
            maintainers=self.maintainers,
        )


@frozen(kw_only=True)
class Summaries:
    """Some packages, and how many there are in all, by which it is noticed that one is gone."""

    packages: Sequence[PackageSummary]
    count: int


@frozen
class VersionIndex:
    """What decides who sees a version, and its place in lists."""

    id: int
    version: str
    normalized: str
    is_dev: bool
    released_at: datetime | None


@frozen(kw_only=True)
class StoredVersion:
    """One version of a package, rendered."""

    id: int
    package_id: int
    version: str
    """Pretty."""
    normalized: str
    is_dev: bool
    reference: str | None
    """The source's reference: the commit."""
    dist_reference: str | None
    """The reference in the addresses of its zip."""
    ref: str
    """What it was read from: `tag:v1.0`, `branch:main`, `upload:…`."""
    directory: str
    is_default: bool
    released_at: datetime | None
    document: bytes = field(repr=False)
    """The version object of Composer 2 metadata, as JSON. Its `dist` is the origin's or absent; ours is put in on
    serving."""


@frozen
class VersionDocument:
    """What documents of many versions are put together from. See StoredVersion."""

    id: int
    version: str
    normalized: str
    is_dev: bool
    is_default: bool
    dist_reference: str | None
    document: bytes = field(repr=False)


@frozen(kw_only=True)
class VersionDraft:
    """A version as a source delivers it. See StoredVersion."""

    package_id: int
    version: str
    normalized: str
    is_dev: bool
    reference: str | None
    dist_reference: str | None
    directory: str = ""
    tree: str | None = None
    is_default: bool = False
    released_at: datetime | None
    document: bytes = field(repr=False)


@frozen(kw_only=True)
class RefOutcome:
    """What was found at one ref (a tag, a branch, an upload …) of a package's source."""

    ref: str
    commit: str
    """Changes when the ref must be read again."""
    versions: tuple[VersionDraft, ...] = ()
    problem: str | None = None
    """Why there is no version, or not all, though there should be; for a maintainer."""
    skipped: bool = False
    """There is no version, and that is nobody's fault."""


@frozen(kw_only=True)
class RefProblem:
    """A ref that gives no version though it should."""

    ref: str
    problem: str


class ChangeKind(StrEnum):
    """What happened to a version."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@frozen(kw_only=True)
class Change:
    """What a step of an update did to one version."""

    kind: ChangeKind
    package_id: int
    version: str
    normalized: str
    is_dev: bool
    old_reference: str | None = None
    document: bytes | None = field(default=None, repr=False)
    """Of a release that was removed, the version object as it was; of the first some hundreds at once."""


@frozen(kw_only=True)
class KnownReference:
    """A reference that a version has or had; it outlives the version, so that what locks name can still be had."""

    reference: str
    version: str
    normalized: str
    is_dev: bool
    released_at: datetime | None
    source: str | None
    """What the version control system calls it."""
    directory: str
    version_id: int | None
    """The version that has it now."""


class IPackageRecords(Interface):
    """Packages. Every method may raise StorageFailed."""

    async def find(name: str) -> Package | None:
        """Return the package of exactly this name."""

    async def get(package_id: int) -> Package | None:
        """Return a package by its id."""

    async def names() -> Sequence[str]:
        """Return all names, sorted."""

    async def summaries(since: int | None = None) -> Summaries:
        """
        Return what serving needs of all packages, by id.

        Args:
            since: Leave out packages that did not change after this revision; some of them may come nevertheless.
        """

    async def listed(*, after: str = "", limit: int = 100, vendor: str | None = None, type_: str | None = None
                     ) -> Sequence[Package]:  # fmt: skip
        """Return packages in the order of their names, past the name *after*."""

    async def at_address(host: str, path: str) -> Sequence[Package]:
        """Return the packages, without children, whose repository is at this canonical host and path."""

    async def children(parent_id: int) -> Sequence[Package]:
        """Return what was found in a mono-repo, in the order of names."""

    async def stale(*, now: datetime, interval_seconds: int, limit: int) -> Sequence[Package]:
        """
        Return the packages that should be crawled, longest waiting first.

        Source: the reference's `getStalePackages` (contract 04 §4): not abandoned, no child, of a type that can be
        crawled, not switched off, and never crawled, or not kept up to date by a hook and crawled more than
        *interval_seconds* ago, or crawled more than 7 days ago.
        """

    async def create(package: Package) -> Package:
        """Store a new package with its maintainers; return it with its id. Raises Conflict: the name is taken."""

    async def change(package_id: int, change: Callable[[Package], Package]) -> Package:
        """
        Save what *change* makes of the package as it is stored now; nobody else changes it in between.

        Id, name, modification dates and revision stay out of its reach: the revision moves, and so do the dates when
        something changed that metadata shows. *change* is brief, and not called on the reactor's thread; what it
        raises leaves all as it was. Returns what is stored now.

        Raises:
            NotFound: It was removed meanwhile.
        """

    async def crawled(package_ids: Sequence[int], at: datetime) -> None:
        """Note that the sources of these were read to the end; moves no revision."""

    async def touch(package_id: int, *, stable: bool, dev: bool, at: datetime) -> None:
        """Note that the metadata of these classes changed: dates (which only go forward), revision and changes feed."""

    async def remove(package_id: int, at: datetime) -> Sequence[str]:
        """Remove a package, its children, and all that belongs to them; return the names that are gone."""

    async def changes(since: datetime, limit: int) -> Sequence[FeedChange]:
        """Return the newest change of each package and class from *since* on; of many, the newest *limit* are read."""

    async def forget_changes(before: datetime) -> int:
        """Remove old entries of the changes feed; return how many."""


class IVersionRecords(Interface):
    """Versions. Every method may raise StorageFailed."""

    async def index(package_id: int) -> Sequence[VersionIndex]:
        """Return the versions of a package, without documents, in the order of ids."""

    async def indexes(package_ids: Sequence[int]) -> Mapping[int, Sequence[VersionIndex]]:
        """Return the same of several packages; one that has no version is missing."""

    async def of_package(package_id: int) -> Sequence[StoredVersion]:
        """Return the versions of a package, in the order of ids."""

    async def chosen(version_ids: Sequence[int]) -> Mapping[int, StoredVersion]:
        """Return these versions by id; one that is gone, or hidden by now, is missing."""

    async def documents(package_ids: Sequence[int], version_ids: Sequence[int]) -> Sequence[VersionDocument]:
        """Return all versions of these packages, and these versions; what is gone, or hidden, is missing."""

    async def get(version_id: int) -> StoredVersion | None:
        """Return one version."""

    async def default(package_id: int) -> StoredVersion | None:
        """Return the version of the default branch, if there is one that is not hidden."""

    async def find(package_id: int, normalized: str) -> StoredVersion | None:
        """Return a version by its normalised number."""

    async def with_reference(package_id: int, reference: str) -> Sequence[KnownReference]:
        """Return the versions that have this dist reference, and those that had it once; the former first."""

    async def known(package_id: int) -> Mapping[str, str]:
        """Return, by ref, the commits that were read already."""

    async def problems(package_id: int) -> Sequence[RefProblem]:
        """Return the refs that give no version though they should, sorted."""

    async def apply(owner_id: int, outcomes: Sequence[RefOutcome], at: datetime) -> Sequence[Change]:
        """
        Store what was found at some refs of the source of *owner_id*: as a whole or not at all.

        A version that one of these refs gave before and does not give now is removed; where there is a problem, it
        stays as it was last read. *owner_id* is the package whose
        source was read; the versions may belong to its children.
        """

    async def retain(owner_id: int, refs: Collection[str], at: datetime) -> Sequence[Change]:
        """Remove what came from refs of the source of *owner_id* that are no longer there."""

    async def hide(package_id: int, normalized: Collection[str]) -> Sequence[Change]:
        """Hide exactly these versions of a package, and show all others."""

    async def trees(package_id: int) -> Sequence[tuple[str, str, str | None]]:
        """Return (normalized, ref, tree) of all versions of a package, hidden ones too."""

    async def remove(package_id: int, normalized: str, at: datetime) -> Change | None:
        """Remove one version; its ref will be read again at the next crawl. None: there was none."""

    async def forget_references(before: datetime) -> int:
        """Remove references that no version has any more and that were last seen before *before*; return how many."""

    async def published_at(document: str, fingerprint: str, natural: datetime) -> datetime:
        """
        Return the date under which this content of a document is published.

        Each content of a document has a date of its own, whole seconds: *natural* for the first; a content that was
        not seen before gets a later one than all others.
        """

    async def digests(listing: str) -> bytes:
        """Return the digests that were kept under this name; nothing where there are none."""

    async def keep_digests(listing: str, content: bytes, revision: int) -> None:
        """
        Keep digests of packages of up to this revision, in place of those under the same name.

        They can be made again: of many listings only some are kept, and none are in dumps.
        """
