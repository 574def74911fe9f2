"""Keeping the store in bounds and in order: eviction, orphans, verification, purging."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.core.caching.entries import CacheEntry
from packeton.errors import NotFound, StorageFailed
from packeton.features.caching.storage import Storage
from packeton.interfaces.blobs import IBlobStore
from packeton.interfaces.caching import CacheTotals, ICacheRecords
from packeton.interfaces.clocks import InThread, Now

__all__ = ["Fault", "Housekeeping"]

log = Logger()

BATCH = 500
LOW_WATER = 0.95
"""Eviction goes on until the store is this part of its limit, so that it does not run all the time."""


@frozen(kw_only=True)
class Fault:
    """Something that `verify` found."""

    key: str
    problem: str
    repaired: bool


@define
class Housekeeping:
    """Looks after one store."""

    _blobs: IBlobStore
    _records: ICacheRecords
    _storage: Storage
    _in_thread: InThread
    _now: Now
    _max_bytes: int
    _max_age: timedelta
    _on_evicted: Callable[[int], None] = field(default=lambda _: None)
    _revision: int | None = field(default=None, init=False)

    async def evict(self) -> int:
        """Remove what nobody asked for in `max_age`, then the least used above `max_bytes`; return the bytes."""
        await self._storage.note_served()
        excess = (await self._records.totals()).bytes - self._max_bytes
        if excess > 0:
            excess += int(self._max_bytes * (1 - LOW_WATER))
        evicted = 0
        spared: set[str] = set()
        while True:
            least_used = await self._records.least_used(BATCH + len(spared))
            candidates = [entry for entry in least_used if entry.blob not in spared]
            if not candidates:
                return evicted
            for entry in candidates:
                if evicted >= excess and self._now() - entry.used_at < self._max_age:
                    return evicted
                if self._storage.is_open(entry.blob):
                    spared.add(entry.blob)
                    continue
                await self._storage.remove(entry.key, entry.variant)
                evicted += entry.size
                self._on_evicted(entry.size)
                log.info("Evicted {key}: {size} bytes", key=entry.key, size=entry.size)

    async def remove_orphans(self, before: datetime) -> int:
        """Delete blobs that no entry owns and that are older than *before*; return how many there were."""
        stored = await self._in_thread(lambda: [blob for blob in self._blobs.listing() if blob.modified_at < before])
        owned = await self._records.blobs()
        orphans = [blob.key for blob in stored if blob.key not in owned]
        for key in orphans:
            await self._in_thread(self._blobs.delete, key)
        if orphans:
            log.info("Deleted {count} bodies that no entry owned", count=len(orphans))
        return len(orphans)

    async def notice_changes(self) -> None:
        """Forget what is in memory when another process changed the records."""
        revision = await self._records.revision()
        if self._revision not in {None, revision}:
            self._storage.forget_all()
        self._revision = revision

    async def totals(self, pattern: str = "*") -> CacheTotals:
        """Return sums over matching entries."""
        return await self._records.totals(pattern)

    async def entries(self, pattern: str = "*") -> AsyncIterator[CacheEntry]:
        """Yield matching entries in order of their keys."""
        after = ("", "")
        while batch := await self._records.matching(pattern, BATCH, after):
            for entry in batch:
                yield entry
            after = (batch[-1].key, batch[-1].variant)

    async def verify(self, pattern: str = "*", *, repair: bool = False) -> AsyncIterator[Fault | None]:
        """Read every matching body through; yield a Fault or None for each. With *repair* remove what is damaged."""
        async for entry in self.entries(pattern):
            problem = await self._in_thread(self._problem, entry)
            if problem is None:
                yield None
                continue
            if repair:
                await self._storage.remove(entry.key, entry.variant)
            yield Fault(key=entry.key, problem=problem, repaired=repair)

    async def purge(self, pattern: str) -> Sequence[CacheEntry]:
        """Remove all matching entries that are not pinned; return them."""
        chosen = [entry async for entry in self.entries(pattern) if not entry.pinned]
        for entry in chosen:
            await self._storage.remove(entry.key, entry.variant)
        return chosen

    async def pin(self, pattern: str, *, pinned: bool) -> int:
        """Pin or unpin all matching entries; return how many there are."""
        keys = {entry.key async for entry in self.entries(pattern)}
        return sum([await self._records.pin(key, pinned) for key in sorted(keys)])

    def _problem(self, entry: CacheEntry) -> str | None:
        if not entry.blob:  # an absence that upstream told us of
            return None
        try:
            blob = self._blobs.open(entry.blob)
        except NotFound:
            return "its body is missing"
        except StorageFailed as error:
            return str(error)
        try:
            digest, at = sha256(), 0
            while chunk := blob.read_at(at, 1 << 20):
                digest.update(chunk)
                at += len(chunk)
        except OSError as error:
            return f"its body cannot be read: {error.strerror}"
        finally:
            blob.close()
        if at != entry.size:
            return f"its body has {at} bytes instead of {entry.size}"
        return None if digest.hexdigest() == entry.sha256 else "its body has another SHA-256 than recorded"
