"""SyncRecords: the state of synchronisations, their locks, and upstream's names."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import asdict, define
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, or_, select, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.mirrors import BATCH
from packeton.adapters.database.owners import is_gone
from packeton.adapters.database.tables.mirrors import mirror_listings as listings
from packeton.adapters.database.tables.mirrors import mirror_syncs as syncs
from packeton.core.caching.decisions import Listed, Phase, SyncState, Wish
from packeton.interfaces.mirrors import ISyncRecords

__all__ = ["SyncRecords"]

NEVER_RUN = -1
ONE = update(listings).where((listings.c.mirror == bindparam("of")) & (listings.c.name == bindparam("named")))


@implementer(ISyncRecords)
@define
class SyncRecords:
    """States and names by alias."""

    _database: Database

    async def state(self, alias: str) -> SyncState:
        """Return the state; the initial one where there is none."""

        def work(connection: Connection) -> SyncState:
            row = connection.execute(select(syncs).where(syncs.c.mirror == alias)).one_or_none()
            return SyncState() if row is None else _state(row._asdict())

        return await self._database.read(work)

    async def save(self, alias: str, state: SyncState) -> None:
        """Keep the state; lock and wishes stay as they are."""
        await self._database.run(lambda connection: _put(connection, alias, asdict(state)))

    async def claim(self, alias: str, owner: str, now: datetime, lease: timedelta) -> str | None:
        """Take the lock, or keep it; one whose process on this host is gone does not have it any more."""

        def work(connection: Connection) -> str | None:
            _put(connection, alias, {})
            here = syncs.c.mirror == alias
            holder = connection.execute(select(syncs.c.owner).where(here)).scalar_one()
            free = [syncs.c.owner.is_(None), syncs.c.owned_until < now, syncs.c.owner == owner]
            if holder is not None and is_gone(holder):
                free.append(syncs.c.owner == holder)
            taken = update(syncs).where(here & or_(*free)).values(owner=owner, owned_until=now + lease)
            return None if connection.execute(taken).rowcount else str(holder)

        return await self._database.run(work)

    async def holder(self, alias: str, now: datetime) -> str | None:
        """Return who has the lock; not a process on this host that is gone."""

        def work(connection: Connection) -> str | None:
            held = (syncs.c.mirror == alias) & (syncs.c.owned_until >= now)
            owner: str | None = connection.execute(select(syncs.c.owner).where(held)).scalar_one_or_none()
            return None if owner is None or is_gone(owner) else owner

        return await self._database.read(work)

    async def release(self, alias: str, owner: str) -> None:
        """Give the lock back, if *owner* has it."""

        def work(connection: Connection) -> None:
            held = (syncs.c.mirror == alias) & (syncs.c.owner == owner)
            connection.execute(update(syncs).where(held).values(owner=None, owned_until=None))

        await self._database.run(work)

    async def wish(self, alias: str, wish: Wish) -> None:
        """Ask for a run; a reset is not weakened."""

        def work(connection: Connection) -> None:
            _put(connection, alias, {})
            here = syncs.c.mirror == alias
            if wish is not Wish.RESET:
                here &= syncs.c.asked != Wish.RESET.value
            connection.execute(update(syncs).where(here).values(asked=wish.value))

        await self._database.run(work)

    async def wishes(self, *, take: bool) -> Mapping[str, Wish]:
        """Return what is asked for, by alias. Only taking writes: who looks every second must lock nobody out."""

        def work(connection: Connection) -> Mapping[str, Wish]:
            asked = syncs.c.asked != Wish.NONE.value
            chosen = select(syncs.c.mirror, syncs.c.asked).where(asked)
            rows = connection.execute(chosen.with_for_update() if take else chosen).all()
            if take and rows:
                taken = syncs.c.mirror.in_([row.mirror for row in rows])
                connection.execute(update(syncs).where(taken).values(asked=Wish.NONE.value))
            return {row.mirror: Wish(row.asked) for row in rows}

        return await (self._database.run(work) if take else self._database.read(work))

    async def listed(self, alias: str, run: int, names: Sequence[Listed]) -> None:
        """Note that upstream lists these."""

        def work(connection: Connection) -> None:
            wanted = {one.name: one.digest for one in names}
            for batch in batches(list(wanted), BATCH):
                here = _listed(alias, batch)
                held = {row.name: row.digest for row in connection.execute(select(listings).where(here))}
                connection.execute(update(listings).where(here).values(run=run))
                moved = [
                    {"of": alias, "named": name, "is_digest": wanted[name]}
                    for name, digest in held.items()
                    if digest != wanted[name]
                ]
                if moved:
                    connection.execute(ONE.values(digest=bindparam("is_digest")), moved)
                fresh = [_listing(alias, run, name, wanted[name]) for name in batch if name not in held]
                if fresh:
                    connection.execute(insert(listings), fresh)

        await self._database.run(work)

    async def drop_unlisted(self, alias: str, run: int) -> int:
        """Forget names that upstream did not list in this run."""

        def work(connection: Connection) -> int:
            gone = (listings.c.mirror == alias) & (listings.c.run != run)
            return connection.execute(delete(listings).where(gone)).rowcount

        return await self._database.run(work)

    async def due(self, alias: str, run: int, after: str = "", limit: int = 500) -> Sequence[Listed]:
        """Return names past *after* that are to be fetched in this run."""

        def work(connection: Connection) -> Sequence[Listed]:
            here = _due(alias, run) & (listings.c.name > after)
            statement = select(listings.c.name, listings.c.digest).where(here).order_by(listings.c.name).limit(limit)
            return [Listed(name=row.name, digest=row.digest) for row in connection.execute(statement)]

        return await self._database.read(work)

    async def fetched(self, alias: str, run: int, names: Sequence[Listed]) -> None:
        """Note that these were fetched."""

        def work(connection: Connection) -> None:
            done = [{"of": alias, "named": one.name, "is_fetched": one.digest, "is_run": run} for one in names]
            if done:
                connection.execute(ONE.values(fetched=bindparam("is_fetched"), fetched_run=bindparam("is_run")), done)

        await self._database.run(work)

    async def totals(self, alias: str, run: int) -> tuple[int, int]:
        """Return how many names upstream lists, and how many of them are due."""

        def work(connection: Connection) -> tuple[int, int]:
            count = select(func.count()).select_from(listings)
            total = connection.execute(count.where(listings.c.mirror == alias)).scalar_one()
            return total, connection.execute(count.where(_due(alias, run))).scalar_one()

        return await self._database.read(work)

    async def names(self, alias: str, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Return names that upstream lists, in order, past *after*."""

        def work(connection: Connection) -> Sequence[str]:
            here = (listings.c.mirror == alias) & (listings.c.name > after)
            statement = select(listings.c.name).where(here).order_by(listings.c.name).limit(limit)
            return list(connection.execute(statement).scalars())

        return await self._database.read(work)

    async def forget(self, alias: str) -> None:
        """Forget upstream's names."""
        all_of_it = delete(listings).where(listings.c.mirror == alias)
        await self._database.run(lambda connection: connection.execute(all_of_it).rowcount)


def _put(connection: Connection, alias: str, values: Mapping[str, Any]) -> None:
    """Change the columns named, of a row that is made where there is none."""
    here = syncs.c.mirror == alias
    if connection.execute(select(syncs.c.run).where(here)).one_or_none() is None:
        initial = {**asdict(SyncState()), "asked": Wish.NONE.value}
        connection.execute(insert(syncs).values({**initial, **values, "mirror": alias}))
    elif values:
        connection.execute(update(syncs).where(here).values(dict(values)))


def _state(fields: dict[str, Any]) -> SyncState:
    known = {name: value for name, value in fields.items() if name not in {"mirror", "asked", "owner", "owned_until"}}
    return SyncState(**{**known, "phase": Phase(known["phase"]), "wish": Wish(known["wish"])})


def _listed(alias: str, names: Sequence[str]) -> ColumnElement[bool]:
    return (listings.c.mirror == alias) & listings.c.name.in_(names)


def _due(alias: str, run: int) -> ColumnElement[bool]:
    unknown = (listings.c.digest == "") & (listings.c.fetched_run != run)
    return (listings.c.mirror == alias) & ((listings.c.digest != listings.c.fetched) | unknown)


def _listing(alias: str, run: int, name: str, digest: str) -> dict[str, object]:
    return {"mirror": alias, "name": name, "digest": digest, "fetched": "", "fetched_run": NEVER_RUN, "run": run}
