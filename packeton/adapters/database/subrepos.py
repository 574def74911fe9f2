"""SubrepoRecords: named subsets of the packages."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from attrs import define, evolve
from sqlalchemy import ColumnElement, Connection, delete, insert, select, true, update
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.tables.accounts import subrepo_hosts as hosts
from packeton.adapters.database.tables.accounts import subrepo_packages as packages
from packeton.adapters.database.tables.accounts import subrepos
from packeton.core.access.accounts import Subrepo
from packeton.errors import NotFound, Taken
from packeton.interfaces.accounts import ISubrepoRecords
from packeton.interfaces.revisions import Subject

__all__ = ["SubrepoRecords"]


@implementer(ISubrepoRecords)
@define
class SubrepoRecords:
    """Sub-repositories."""

    _database: Database
    _revisions: Revisions

    async def get(self, subrepo_id: int) -> Subrepo | None:
        """Return one, or None."""
        return await self._database.read(lambda connection: _one(connection, subrepos.c.id == subrepo_id))

    async def find(self, slug: str) -> Subrepo | None:
        """Return one by its slug, or None."""
        return await self._database.read(lambda connection: _one(connection, subrepos.c.slug == slug))

    async def listing(self) -> Sequence[Subrepo]:
        """Return all, by id."""
        return await self._database.read(lambda connection: _read(connection, true()))

    async def create(self, subrepo: Subrepo) -> Subrepo:
        """Insert."""

        def work(connection: Connection) -> Subrepo:
            _refuse_taken(connection, subrepo, None)
            new = connection.execute(insert(subrepos).values(**_values(subrepo))).inserted_primary_key
            assert new is not None, "an insert of one row has a key"
            made = evolve(subrepo, id=new[0])
            _write(connection, made)
            return made

        return await self._revisions.changing(Subject.ACCESS, work)

    async def replace(self, before: Subrepo, after: Subrepo) -> bool:
        """Put *after* in the place of *before*, if that is still what is stored."""
        here = subrepos.c.id == before.id

        def work(connection: Connection) -> bool:
            connection.execute(select(subrepos.c.id).where(here).with_for_update())
            if _one(connection, here) != before:
                return False
            _refuse_taken(connection, after, before.id)
            connection.execute(update(subrepos).where(here).values(**_values(after)))
            _write(connection, after)
            return True

        return await self._revisions.changing(Subject.ACCESS, work)

    async def remove(self, subrepo_id: int) -> bool:
        """Delete one."""

        def work(connection: Connection) -> bool:
            return connection.execute(delete(subrepos).where(subrepos.c.id == subrepo_id)).rowcount > 0

        return await self._revisions.changing(Subject.ACCESS, work)

    async def add_package(self, subrepo_id: int, package: str) -> None:
        """Put a package in."""

        def work(connection: Connection) -> None:
            found = _one(connection, subrepos.c.id == subrepo_id)
            if found is None:
                raise NotFound("no such sub-repository")
            if package not in found.packages:
                connection.execute(insert(packages).values(subrepo_id=subrepo_id, package=package))

        await self._revisions.changing(Subject.ACCESS, work)

    async def rename_package(self, old: str, new: str | None) -> int:
        """Rename or drop a package."""

        def work(connection: Connection) -> int:
            here = packages.c.package == old
            if new is None:
                return connection.execute(delete(packages).where(here)).rowcount
            doubled = select(packages.c.subrepo_id).where(packages.c.package == new)
            both = list(connection.execute(doubled).scalars())
            dropped = connection.execute(delete(packages).where(here, packages.c.subrepo_id.in_(both))).rowcount
            return dropped + connection.execute(update(packages).where(here).values(package=new)).rowcount

        return await self._revisions.changing(Subject.ACCESS, work)


def _read(connection: Connection, where: ColumnElement[bool]) -> list[Subrepo]:
    rows = connection.execute(select(subrepos).where(where).order_by(subrepos.c.id)).all()
    found = [row.id for row in rows]
    names: dict[int, list[str]] = defaultdict(list)
    addresses: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(packages).where(packages.c.subrepo_id.in_(found))):
        names[row.subrepo_id].append(row.package)
    for row in connection.execute(select(hosts).where(hosts.c.subrepo_id.in_(found)).order_by(hosts.c.position)):
        addresses[row.subrepo_id].append(row.host)
    return [
        Subrepo(**row._asdict(), packages=frozenset(names[row.id]), hosts=tuple(addresses[row.id])) for row in rows
    ]


def _one(connection: Connection, where: ColumnElement[bool]) -> Subrepo | None:
    return next(iter(_read(connection, where)), None)


def _values(subrepo: Subrepo) -> dict[str, Any]:
    return {"name": subrepo.name, "slug": subrepo.slug, "public": subrepo.public, "markup": subrepo.markup}


def _refuse_taken(connection: Connection, subrepo: Subrepo, but: int | None) -> None:
    holder = connection.execute(select(subrepos.c.id).where(subrepos.c.slug == subrepo.slug)).scalar()
    if holder is not None and holder != but:
        raise Taken("slug", f"the slug {subrepo.slug} is taken")
    for row in connection.execute(select(hosts).where(hosts.c.host.in_(subrepo.hosts))):
        if row.subrepo_id != but:
            raise Taken("hosts", f"the host {row.host} belongs to another sub-repository")


def _write(connection: Connection, subrepo: Subrepo) -> None:
    """Write hosts and packages anew."""
    connection.execute(delete(hosts).where(hosts.c.subrepo_id == subrepo.id))
    connection.execute(delete(packages).where(packages.c.subrepo_id == subrepo.id))
    unique = dict.fromkeys(subrepo.hosts)
    if unique:
        rows = [{"host": host, "subrepo_id": subrepo.id, "position": index} for index, host in enumerate(unique)]
        connection.execute(insert(hosts), rows)
    if subrepo.packages:
        names = sorted(subrepo.packages)
        connection.execute(insert(packages), [{"subrepo_id": subrepo.id, "package": name} for name in names])
