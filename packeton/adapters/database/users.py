"""UserRecords: our own users."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, define, evolve
from sqlalchemy import Connection, delete, func, insert, or_, select, update
from zope.interface import implementer

from packeton.adapters.database.accounts import read_account, read_users
from packeton.adapters.database.connection import Database
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.tables.accounts import group_members as members
from packeton.adapters.database.tables.accounts import user_groups, users
from packeton.core.access.accounts import Account, User
from packeton.errors import InvalidFields, NotFound, Taken
from packeton.interfaces.accounts import IUserRecords, UserChange
from packeton.interfaces.revisions import Subject

__all__ = ["UserRecords"]


@implementer(IUserRecords)
@define
class UserRecords:
    """Our own users."""

    _database: Database
    _revisions: Revisions

    async def find(self, name: str) -> Account | None:
        """Return the user of this address or name, or None."""
        key = name.lower()

        def work(connection: Connection) -> Account | None:
            found = read_account(connection, users.c.email_key == key) if "@" in key else None
            return found or read_account(connection, users.c.name_key == key)

        return await self._database.read(work)

    async def get(self, user_id: int) -> Account | None:
        """Return one, or None."""
        return await self._database.read(lambda connection: read_account(connection, users.c.id == user_id))

    async def by_reset(self, digest: bytes) -> Account | None:
        """Return the user whose reset token has this digest, or None."""
        return await self._database.read(
            lambda connection: read_account(connection, users.c.reset_digest == digest.hex())
        )

    async def listing(
        self, limit: int = 25, offset: int = 0, *, without_admins: bool = False, search: str | None = None
    ) -> Sequence[User]:
        """Return users by id."""
        page = select(users.c.id)
        if without_admins:
            page = page.where(~users.c.is_admin)
        if search:
            wanted = search.lower()
            page = page.where(
                or_(
                    users.c.name_key.contains(wanted, autoescape=True),
                    users.c.email_key.contains(wanted, autoescape=True),
                )
            )
        page = page.order_by(users.c.id).limit(limit).offset(offset)

        def work(connection: Connection) -> Sequence[User]:
            found = list(connection.execute(page).scalars())
            return read_users(connection, found)

        return await self._database.read(work)

    async def count(self, *, without_admins: bool = False) -> int:
        """Return how many there are."""
        counted = select(func.count()).select_from(users)
        if without_admins:
            counted = counted.where(~users.c.is_admin)
        return await self._database.read(lambda connection: int(connection.execute(counted).scalar_one()))

    async def create(self, user: User) -> User:
        """Insert."""

        def work(connection: Connection) -> User:
            _refuse_taken(connection, user)
            values = _values(user)
            del values["id"]
            new = connection.execute(insert(users).values(**values)).inserted_primary_key
            assert new is not None, "an insert of one row has a key"
            made = evolve(user, id=new[0])
            _join(connection, made)
            return made

        return await self._revisions.changing(Subject.ACCESS, work)

    async def change(self, user_id: int, changes: UserChange) -> User:
        """Set these fields."""

        def work(connection: Connection) -> User:
            here = users.c.id == user_id
            connection.execute(select(users.c.id).where(here).with_for_update())
            found = read_users(connection, [user_id])
            if not found:
                raise NotFound("no such user")
            fields = changes(found[0]) if callable(changes) else changes
            changed = evolve(found[0], **fields)
            _refuse_taken(connection, changed)
            connection.execute(update(users).where(here).values(**_values(changed)))
            if "groups" in fields:
                connection.execute(delete(members).where(members.c.user_id == user_id))
                _join(connection, changed)
            return changed

        return await self._revisions.changing(Subject.ACCESS, work)

    async def remove(self, user_id: int) -> bool:
        """Delete one."""

        def work(connection: Connection) -> bool:
            return connection.execute(delete(users).where(users.c.id == user_id)).rowcount > 0

        return await self._revisions.changing(Subject.ACCESS, work)

    async def noted_login(self, user_id: int, at: datetime) -> None:
        """Set the time of the last login."""

        def work(connection: Connection) -> None:
            connection.execute(update(users).where(users.c.id == user_id).values(last_login_at=at))

        await self._database.run(work)


def _values(user: User) -> dict[str, Any]:
    values = asdict(user, recurse=False)
    del values["groups"]
    digest = user.reset_digest
    return values | {
        "name_key": user.name.lower(),
        "email_key": user.email.lower(),
        "roles": sorted(user.roles),
        "is_admin": any("ADMIN" in role for role in user.roles),
        "subrepos": list(user.subrepos),
        "totp_recovery": list(user.totp_recovery),
        "reset_digest": None if digest is None else digest.hex(),
    }


def _refuse_taken(connection: Connection, user: User) -> None:
    others = users.c.id != user.id
    for column, text, field, told in (
        (users.c.name_key, user.name.lower(), "username", f"the name {user.name} is taken"),
        (users.c.email_key, user.email.lower(), "email", f"the address {user.email} is taken"),
    ):
        if connection.execute(select(users.c.id).where(column == text, others)).first() is not None:
            raise Taken(field, told)


def _join(connection: Connection, user: User) -> None:
    """Put a user into its groups."""
    wanted = sorted(set(user.groups))
    if not wanted:
        return
    there = set(connection.execute(select(user_groups.c.id).where(user_groups.c.id.in_(wanted))).scalars())
    missing = [group for group in wanted if group not in there]
    if missing:
        raise InvalidFields({"groups": f"there is no group {missing[0]}"})
    connection.execute(insert(members), [{"user_id": user.id, "group_id": group} for group in wanted])
