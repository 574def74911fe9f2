"""CacheRecords: the entries of the cache."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from attrs import asdict, define, evolve, field
from sqlalchemy import Connection, Row, case, delete, func, insert, select, tuple_, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.revisions import bump_in
from packeton.adapters.database.tables.accounts import revisions
from packeton.adapters.database.tables.caching import cache_entries as entries
from packeton.core.caching.entries import CacheEntry
from packeton.interfaces.caching import CacheTotals, ICacheRecords
from packeton.interfaces.revisions import Subject

__all__ = ["CacheRecords"]

T = TypeVar("T")


@implementer(ICacheRecords)
@define
class CacheRecords:
    """Entries by (key, variant)."""

    _database: Database
    _own: int = field(default=0, init=False)
    """Changes made through this object."""

    async def variants(self, key: str) -> Sequence[CacheEntry]:
        """Return the entries of one key, most recently received first."""

        def work(connection: Connection) -> Sequence[CacheEntry]:
            statement = select(entries).where(entries.c.key == key).order_by(entries.c.received_at.desc())
            return [_entry(row) for row in connection.execute(statement)]

        return await self._database.read(work)

    async def save(self, entry: CacheEntry) -> CacheEntry | None:
        """Insert or replace by (key, variant); return the replaced one."""

        def work(connection: Connection) -> CacheEntry | None:
            here = (entries.c.key == entry.key) & (entries.c.variant == entry.variant)
            row = connection.execute(select(entries).where(here)).one_or_none()
            if row is None:
                connection.execute(insert(entries).values(**asdict(entry)))
                return None
            pinned = evolve(entry, pinned=row.pinned)
            connection.execute(update(entries).where(here).values(**asdict(pinned)))
            return _entry(row)

        return await self._change(work)

    async def confirm(self, entry: CacheEntry) -> bool:
        """Replace the entry that has the same blob."""
        here = (entries.c.key == entry.key) & (entries.c.variant == entry.variant) & (entries.c.blob == entry.blob)
        values = {name: value for name, value in asdict(entry).items() if name != "pinned"}

        def work(connection: Connection) -> bool:
            return connection.execute(update(entries).where(here).values(**values)).rowcount == 1

        return await self._change(work)

    async def remove(self, key: str, variant: str | None = None) -> Sequence[CacheEntry]:
        """Forget one entry, or all of the key."""

        def work(connection: Connection) -> Sequence[CacheEntry]:
            here = entries.c.key == key
            if variant is not None:
                here &= entries.c.variant == variant
            removed = [_entry(row) for row in connection.execute(select(entries).where(here))]
            connection.execute(delete(entries).where(here))
            return removed

        return await self._change(work)

    async def used(self, keys: Iterable[tuple[str, str]], at: datetime) -> None:
        """Set `used_at` of these entries."""
        chosen = list(keys)

        def work(connection: Connection) -> None:
            for some in batches(chosen, 200):
                here = tuple_(entries.c.key, entries.c.variant).in_(some)
                connection.execute(update(entries).where(here).values(used_at=at))

        await self._database.run(work)

    async def pin(self, key: str, pinned: bool) -> int:
        """Set `pinned` of all variants of *key*; return how many there are."""

        def work(connection: Connection) -> int:
            return connection.execute(update(entries).where(entries.c.key == key).values(pinned=pinned)).rowcount

        return await self._change(work)

    async def matching(
        self, pattern: str, limit: int = 1000, after: tuple[str, str] = ("", "")
    ) -> Sequence[CacheEntry]:
        """Return entries by a glob over keys, in order, past *after*."""

        def work(connection: Connection) -> Sequence[CacheEntry]:
            place = tuple_(entries.c.key, entries.c.variant)
            statement = select(entries).where(entries.c.key.like(_like(pattern), escape="\\"), place > after)
            ordered = statement.order_by(entries.c.key, entries.c.variant).limit(limit)
            return [_entry(row) for row in connection.execute(ordered)]

        return await self._database.read(work)

    async def totals(self, pattern: str = "*") -> CacheTotals:
        """Count entries, their bytes, and the pinned ones."""

        def work(connection: Connection) -> CacheTotals:
            pinned = func.sum(case((entries.c.pinned, 1), else_=0))
            counted = select(func.count(), func.sum(entries.c.size), pinned)
            row = connection.execute(counted.where(entries.c.key.like(_like(pattern), escape="\\"))).one()
            return CacheTotals(entries=row[0], bytes=int(row[1] or 0), pinned=int(row[2] or 0))

        return await self._database.read(work)

    async def least_used(self, limit: int) -> Sequence[CacheEntry]:
        """Return unpinned entries, least recently used first."""

        def work(connection: Connection) -> Sequence[CacheEntry]:
            statement = select(entries).where(~entries.c.pinned).order_by(entries.c.used_at).limit(limit)
            return [_entry(row) for row in connection.execute(statement)]

        return await self._database.read(work)

    async def blobs(self) -> Collection[str]:
        """Return the blob keys of all entries."""

        def work(connection: Connection) -> Collection[str]:
            return set(connection.execute(select(entries.c.blob)).scalars())

        return await self._database.read(work)

    async def revision(self) -> int:
        """Return a number that moves when another process saved, removed or pinned something."""

        def work(connection: Connection) -> int:
            number = select(revisions.c.number).where(revisions.c.subject == Subject.CACHE)
            return int(connection.execute(number).scalar_one_or_none() or 0)

        return await self._database.read(work) - self._own

    async def _change(self, work: Callable[[Connection], T]) -> T:
        """Run *work*, and have other processes notice."""

        def both(connection: Connection) -> T:
            result = work(connection)
            bump_in(connection, Subject.CACHE)
            return result

        result = await self._database.run(both)
        self._own += 1
        return result


def _like(glob: str) -> str:
    """Turn a glob of `*` and `?` into a LIKE pattern with backslash as its escape."""
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _entry(row: Row[tuple[object, ...]]) -> CacheEntry:
    fields = row._asdict()
    for name in ("headers", "selecting"):
        fields[name] = tuple((key, value) for key, value in fields[name])
    return CacheEntry(**fields)
