"""The port to what is known about cached responses and dists."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from attrs import frozen
from zope.interface import Interface

from packeton.core.caching.entries import CacheEntry, DistDigest, Publication

__all__ = ["CacheTotals", "ICacheRecords", "IDistRecords", "IPublicationRecords"]


@frozen(kw_only=True)
class CacheTotals:
    """Sums over a set of entries."""

    entries: int
    bytes: int
    pinned: int


class ICacheRecords(Interface):
    """Entries by (key, variant). Every method may raise StorageFailed."""

    async def variants(key: str) -> Sequence[CacheEntry]:
        """Return the entries of one key, most recently received first; empty when there is none."""

    async def save(entry: CacheEntry) -> CacheEntry | None:
        """Insert or replace by (key, variant); keeps `pinned` of a replaced entry, and returns that entry."""

    async def confirm(entry: CacheEntry) -> bool:
        """Replace the entry that has the same blob, keeping `pinned`; say if there was one still."""

    async def remove(key: str, variant: str | None = None) -> Sequence[CacheEntry]:
        """Forget one entry, or all variants of the key; return them (their blobs are the caller's to delete)."""

    async def used(keys: Iterable[tuple[str, str]], at: datetime) -> None:
        """Note that these (key, variant) were served."""

    async def pin(key: str, pinned: bool) -> int:
        """Pin or unpin all variants of a key; return how many there are."""

    async def matching(pattern: str, limit: int = 1000, after: tuple[str, str] = ("", "")) -> Sequence[CacheEntry]:
        """Return at most *limit* entries by a glob over keys (`*`, `?`), ordered by (key, variant), past *after*."""

    async def totals(pattern: str = "*") -> CacheTotals:
        """Count entries and their bytes."""

    async def least_used(limit: int) -> Sequence[CacheEntry]:
        """Return unpinned entries, least recently used first."""

    async def blobs() -> Collection[str]:
        """Return the blob keys of all entries, to find blobs that none owns."""

    async def revision() -> int:
        """Return a number that changes when another process changed the records."""


class IDistRecords(Interface):
    """First-seen digests of dists; they outlive the cache."""

    async def find(mirror: str, package: str, version: str, reference: str) -> DistDigest | None:
        """Return what was first seen, or None."""

    async def of_package(mirror: str, package: str) -> Sequence[DistDigest]:
        """Return what was first seen of all dists of a package."""

    async def first_seen(digest: DistDigest) -> DistDigest:
        """Record *digest* unless there is one already; return the one that holds."""

    async def changed(mirror: str, package: str, version: str, reference: str, sha256: str, at: datetime) -> None:
        """Record that upstream now serves other bytes."""

    async def accept(package: str, version: str | None = None) -> int:
        """Forget first-seen digests of changed dists, so that what comes next counts; return how many there were."""

    async def alarms(limit: int = 100) -> Sequence[DistDigest]:
        """Return the dists that changed, newest first."""


class IPublicationRecords(Interface):
    """What was last sent out, by document key."""

    async def find(key: str) -> Publication | None:
        """Return it, or None."""

    async def save(publication: Publication) -> None:
        """Insert or replace by key."""
