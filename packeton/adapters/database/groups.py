"""GroupRecords: customer groups, their lines, mirrors and members."""

from collections.abc import Sequence

from attrs import define, evolve
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.accounts import read_groups, read_users
from packeton.adapters.database.connection import Database
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.tables.accounts import group_lines as lines
from packeton.adapters.database.tables.accounts import group_members as members
from packeton.adapters.database.tables.accounts import group_mirrors as mirrors
from packeton.adapters.database.tables.accounts import user_groups as groups
from packeton.core.access.accounts import Group, User
from packeton.errors import Taken
from packeton.interfaces.accounts import IGroupRecords
from packeton.interfaces.revisions import Subject

__all__ = ["GroupRecords"]


@implementer(IGroupRecords)
@define
class GroupRecords:
    """Customer groups."""

    _database: Database
    _revisions: Revisions

    async def get(self, group_id: int) -> Group | None:
        """Return one, or None."""
        return await self._database.read(lambda connection: _one(connection, groups.c.id == group_id))

    async def find(self, name: str) -> Group | None:
        """Return one by name, or None."""
        return await self._database.read(lambda connection: _one(connection, groups.c.name == name))

    async def listing(self, limit: int = 25, offset: int = 0) -> Sequence[Group]:
        """Return groups by id."""

        def work(connection: Connection) -> Sequence[Group]:
            page = select(groups.c.id).order_by(groups.c.id).limit(limit).offset(offset)
            found = list(connection.execute(page).scalars())
            return read_groups(connection, groups.c.id.in_(found))

        return await self._database.read(work)

    async def of_package(self, package: str) -> Sequence[Group]:
        """Return the groups with a line of exactly this package."""
        holding = select(lines.c.group_id).where(lines.c.package == package)
        return await self._database.read(lambda connection: read_groups(connection, groups.c.id.in_(holding)))

    async def members(self, group_id: int) -> Sequence[User]:
        """Return the users in it."""
        return await self._database.read(
            lambda connection: read_users(
                connection, select(members.c.user_id).where(members.c.group_id == group_id)
            )
        )

    async def create(self, group: Group) -> Group:
        """Insert."""

        def work(connection: Connection) -> Group:
            _refuse_name(connection, group.name, None)
            new = connection.execute(insert(groups).values(**_values(group))).inserted_primary_key
            assert new is not None, "an insert of one row has a key"
            made = evolve(group, id=new[0])
            _write(connection, made)
            return made

        return await self._revisions.changing(Subject.ACCESS, work)

    async def replace(self, before: Group, after: Group) -> bool:
        """Put *after* in the place of *before*, if that is still what is stored."""
        here = groups.c.id == before.id

        def work(connection: Connection) -> bool:
            connection.execute(select(groups.c.id).where(here).with_for_update())
            if _one(connection, here) != before:
                return False
            _refuse_name(connection, after.name, before.id)
            connection.execute(update(groups).where(here).values(**_values(after)))
            _write(connection, after)
            return True

        return await self._revisions.changing(Subject.ACCESS, work)

    async def remove(self, group_id: int) -> bool:
        """Delete one."""

        def work(connection: Connection) -> bool:
            return connection.execute(delete(groups).where(groups.c.id == group_id)).rowcount > 0

        return await self._revisions.changing(Subject.ACCESS, work)

    async def rename_package(self, old: str, new: str | None) -> int:
        """Rename or drop the lines of a package."""

        def work(connection: Connection) -> int:
            here = lines.c.package == old
            statement = delete(lines).where(here) if new is None else update(lines).where(here).values(package=new)
            return connection.execute(statement).rowcount

        return await self._revisions.changing(Subject.ACCESS, work)


def _one(connection: Connection, where: ColumnElement[bool]) -> Group | None:
    return next(iter(read_groups(connection, where)), None)


def _values(group: Group) -> dict[str, object]:
    return {"name": group.name, "updates_until": group.updates_until, "min_stability": group.min_stability}


def _refuse_name(connection: Connection, name: str, but: int | None) -> None:
    holder = connection.execute(select(groups.c.id).where(groups.c.name == name)).scalar()
    if holder is not None and holder != but:
        raise Taken("name", f"there is a group {name} already")


def _write(connection: Connection, group: Group) -> None:
    """Write lines and mirrors anew."""
    connection.execute(delete(lines).where(lines.c.group_id == group.id))
    connection.execute(delete(mirrors).where(mirrors.c.group_id == group.id))
    if group.lines:
        rows = [
            {
                "group_id": group.id,
                "package": line.package,
                "version_constraint": line.constraint,
                "min_stability": line.min_stability,
            }
            for line in group.lines
        ]
        connection.execute(insert(lines), rows)
    if group.mirrors:
        aliases = sorted(set(group.mirrors))
        connection.execute(insert(mirrors), [{"group_id": group.id, "alias": alias} for alias in aliases])
