"""MirrorRecords: what is chosen, enabled, approved and patched."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, define
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, true, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.mirrors import mirror_choices as choices_table
from packeton.adapters.database.tables.mirrors import mirror_packages as packages_table
from packeton.adapters.database.tables.mirrors import mirror_patches as patches_table
from packeton.core.caching.decisions import Choices, MirrorCounts, MirrorPackage, MirrorPatch
from packeton.interfaces.mirrors import IMirrorRecords, Which

__all__ = ["MirrorRecords"]

BATCH = 500
"""Names of one statement: databases bound the parameters of one."""


def _sorted(names: Iterable[str]) -> Iterable[Sequence[str]]:
    """Yield different *names*, sorted, at most BATCH at once."""
    return batches(sorted(set(names)), BATCH)


@implementer(IMirrorRecords)
@define
class MirrorRecords:
    """Choices, packages and patches by alias. A call takes one transaction a batch of names."""

    _database: Database

    async def revisions(self) -> Mapping[str, int]:
        """Return the revision of every mirror that has one."""

        def work(connection: Connection) -> Mapping[str, int]:
            rows = connection.execute(select(choices_table.c.mirror, choices_table.c.revision))
            return {row.mirror: row.revision for row in rows}

        return await self._database.read(work)

    async def choices(self, alias: str) -> Choices:
        """Return what was chosen, or the defaults."""

        def work(connection: Connection) -> Choices:
            row = connection.execute(select(choices_table).where(choices_table.c.mirror == alias)).one_or_none()
            return Choices() if row is None else Choices(strict=row.strict, sync=row.sync, disable_v2=row.disable_v2)

        return await self._database.read(work)

    async def choose(self, alias: str, choices: Choices) -> None:
        """Keep choices."""
        await self._database.run(lambda connection: _move(connection, alias, **asdict(choices)))

    async def find(self, alias: str, name: str) -> MirrorPackage | None:
        """Return one package, or None."""

        def work(connection: Connection) -> MirrorPackage | None:
            row = connection.execute(select(packages_table).where(_these(alias, [name]))).one_or_none()
            return None if row is None else _package(row)

        return await self._database.read(work)

    async def packages(self, alias: str, which: Which, after: str = "", limit: int = 1000) -> Sequence[MirrorPackage]:
        """Return packages of a kind, by name, past *after*."""

        def work(connection: Connection) -> Sequence[MirrorPackage]:
            here = (packages_table.c.mirror == alias) & (packages_table.c.name > after) & KINDS[which]
            statement = select(packages_table).where(here).order_by(packages_table.c.name).limit(limit)
            return [_package(row) for row in connection.execute(statement)]

        return await self._database.read(work)

    async def counts(self, alias: str) -> MirrorCounts:
        """Count packages."""

        def work(connection: Connection) -> MirrorCounts:
            table = packages_table.c
            approved, asked = func.count(table.approved_at), func.count(table.last_requested)
            all_of_it = select(func.count(table.enabled_at), approved, asked).where(table.mirror == alias)
            enabled, approvals, requests = connection.execute(all_of_it).one()
            both = table.last_requested.is_not(None) & table.approved_at.is_not(None) & (table.mirror == alias)
            answered = connection.execute(select(func.count()).select_from(packages_table).where(both)).scalar_one()
            return MirrorCounts(enabled=enabled, approved=approvals, waiting=requests - answered)

        return await self._database.read(work)

    async def enable(self, alias: str, names: Iterable[str], at: datetime) -> int:
        """Note that these are used."""
        return await self._set(alias, names, {"enabled_at": at}, move=False)

    async def approve(self, alias: str, names: Iterable[str], at: datetime) -> int:
        """Approve and enable these."""
        chosen = list(names)
        await self._set(alias, chosen, {"enabled_at": at}, move=False)
        return await self._set(alias, chosen, {"approved_at": at}, move=True)

    async def disapprove(self, alias: str, names: Iterable[str]) -> int:
        """Take approvals back."""

        def work(connection: Connection, here: ColumnElement[bool]) -> int:
            approved = here & packages_table.c.approved_at.is_not(None)
            return connection.execute(update(packages_table).where(approved).values(approved_at=None)).rowcount

        return await self._each(alias, names, work)

    async def remove(self, alias: str, names: Iterable[str]) -> int:
        """Forget these packages."""

        def work(connection: Connection, here: ColumnElement[bool]) -> int:
            return connection.execute(delete(packages_table).where(here)).rowcount

        return await self._each(alias, names, work)

    async def requested(self, alias: str, requests: Mapping[str, int], at: datetime) -> None:
        """Note how often names were asked for in vain."""

        def work(connection: Connection) -> None:
            for batch in _sorted(requests):
                rows = connection.execute(select(packages_table).where(_these(alias, batch))).all()
                known = {row.name for row in rows}
                for row in rows:
                    again = {"last_requested": at, "requests": row.requests + requests[row.name]}
                    values = again if row.first_requested else {**again, "first_requested": at}
                    connection.execute(update(packages_table).where(_these(alias, [row.name])).values(values))
                first = {"first_requested": at, "last_requested": at}
                fresh = [_row(alias, name, **first, requests=requests[name]) for name in batch if name not in known]
                if fresh:
                    connection.execute(insert(packages_table), fresh)

        await self._database.run(work)

    async def patches(self, alias: str) -> Sequence[MirrorPatch]:
        """Return all patches, by name and version."""

        def work(connection: Connection) -> Sequence[MirrorPatch]:
            table = patches_table.c
            statement = select(patches_table).where(table.mirror == alias).order_by(table.name, table.version)
            return [_patch(row) for row in connection.execute(statement)]

        return await self._database.read(work)

    async def patch(self, alias: str, patch: MirrorPatch) -> None:
        """Insert or replace by name and version."""

        def work(connection: Connection) -> None:
            connection.execute(delete(patches_table).where(_patches_of(alias, patch.name, patch.version)))
            values = {**asdict(patch), "patch": dict(patch.patch), "mirror": alias}
            connection.execute(insert(patches_table).values(values))
            _move(connection, alias)

        await self._database.run(work)

    async def unpatch(self, alias: str, name: str, version: str | None = None) -> int:
        """Remove the patch of a version, or all of a package."""

        def work(connection: Connection) -> int:
            removed = connection.execute(delete(patches_table).where(_patches_of(alias, name, version))).rowcount
            if removed:
                _move(connection, alias)
            return removed

        return await self._database.run(work)

    async def _set(self, alias: str, names: Iterable[str], values: Mapping[str, Any], *, move: bool) -> int:
        """Set what is not set yet; return for how many names."""
        column = packages_table.c[next(iter(values))]
        count = 0
        for batch in _sorted(names):

            def work(connection: Connection, batch: Sequence[str] = batch) -> int:
                rows = connection.execute(select(packages_table.c.name, column).where(_these(alias, batch)))
                held = {row[0]: row[1] for row in rows}
                unset = [name for name in batch if name in held and held[name] is None]
                fresh = [_row(alias, name, **values) for name in batch if name not in held]
                if unset:
                    connection.execute(update(packages_table).where(_these(alias, unset)).values(values))
                if fresh:
                    connection.execute(insert(packages_table), fresh)
                if move and (unset or fresh):
                    _move(connection, alias)
                return len(unset) + len(fresh)

            count += await self._database.run(work)
        return count

    async def _each(
        self, alias: str, names: Iterable[str], change: Callable[[Connection, ColumnElement[bool]], int]
    ) -> int:
        count = 0
        for batch in _sorted(names):

            def work(connection: Connection, batch: Sequence[str] = batch) -> int:
                changed = change(connection, _these(alias, batch))
                if changed:
                    _move(connection, alias)
                return changed

            count += await self._database.run(work)
        return count


KINDS: Mapping[Which, ColumnElement[bool]] = {
    Which.ALL: true(),
    Which.ENABLED: packages_table.c.enabled_at.is_not(None),
    Which.APPROVED: packages_table.c.approved_at.is_not(None),
    Which.WAITING: packages_table.c.last_requested.is_not(None) & packages_table.c.approved_at.is_(None),
}


def _move(connection: Connection, alias: str, **values: object) -> None:
    """Move the revision of a mirror, and keep choices with it."""
    moved = update(choices_table).where(choices_table.c.mirror == alias)
    values = {**values, "revision": choices_table.c.revision + 1}
    if connection.execute(moved.values(values)).rowcount == 0:
        initial = {**asdict(Choices()), **values, "mirror": alias, "revision": 1}
        connection.execute(insert(choices_table).values(initial))


def _these(alias: str, names: Sequence[str]) -> ColumnElement[bool]:
    return (packages_table.c.mirror == alias) & packages_table.c.name.in_(names)


def _patches_of(alias: str, name: str, version: str | None) -> ColumnElement[bool]:
    here = (patches_table.c.mirror == alias) & (patches_table.c.name == name)
    return here if version is None else here & (patches_table.c.version == version)


def _row(alias: str, name: str, **values: object) -> dict[str, object]:
    return {**asdict(MirrorPackage(name=name)), "mirror": alias, **values}


def _package(row: Row[Any]) -> MirrorPackage:
    fields = row._asdict()
    del fields["mirror"]
    return MirrorPackage(**fields)


def _patch(row: Row[Any]) -> MirrorPatch:
    fields = row._asdict()
    del fields["mirror"]
    return MirrorPatch(**fields)
