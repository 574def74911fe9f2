"""Rows of users and groups into values; for the records of both."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from packeton.adapters.database.tables.accounts import group_lines as lines
from packeton.adapters.database.tables.accounts import group_members as members
from packeton.adapters.database.tables.accounts import group_mirrors as mirrors
from packeton.adapters.database.tables.accounts import user_groups as groups
from packeton.adapters.database.tables.accounts import users
from packeton.core.access.accounts import Account, AclLine, Group, User

__all__ = ["read_account", "read_groups", "read_users"]

COLUMNS = tuple(column for column in users.c if column.name not in {"name_key", "email_key", "is_admin"})


def read_users(connection: Connection, chosen: Sequence[int] | Select[Any]) -> list[User]:
    """Return users by their ids, in order of ids."""
    rows = connection.execute(select(*COLUMNS).where(users.c.id.in_(chosen)).order_by(users.c.id)).all()
    found = [row.id for row in rows]
    joined_to: dict[int, list[int]] = defaultdict(list)
    joined = select(members).where(members.c.user_id.in_(found)).order_by(members.c.group_id)
    for row in connection.execute(joined):
        joined_to[row.user_id].append(row.group_id)
    return [_user(row._asdict(), joined_to[row.id]) for row in rows]


def read_account(connection: Connection, where: ColumnElement[bool]) -> Account | None:
    """Return one user with its groups, or None."""
    found = read_users(connection, list(connection.execute(select(users.c.id).where(where)).scalars()))
    if not found:
        return None
    return Account.of(found[0], read_groups(connection, groups.c.id.in_(found[0].groups)))


def read_groups(connection: Connection, where: ColumnElement[bool]) -> list[Group]:
    """Return groups with what belongs to them, by id."""
    rows = connection.execute(select(groups).where(where).order_by(groups.c.id)).all()
    found = [row.id for row in rows]
    granted: dict[int, list[AclLine]] = defaultdict(list)
    allowed: dict[int, list[str]] = defaultdict(list)
    for line in connection.execute(select(lines).where(lines.c.group_id.in_(found)).order_by(lines.c.id)):
        granted[line.group_id].append(
            AclLine(package=line.package, constraint=line.version_constraint, min_stability=line.min_stability)
        )
    for mirror in connection.execute(select(mirrors).where(mirrors.c.group_id.in_(found)).order_by(mirrors.c.alias)):
        allowed[mirror.group_id].append(mirror.alias)
    return [
        Group(**row._asdict(), lines=tuple(granted[row.id]), mirrors=tuple(allowed[row.id])) for row in rows
    ]


def _user(fields: dict[str, Any], groups: Sequence[int]) -> User:
    for name in ("subrepos", "totp_recovery"):
        fields[name] = tuple(fields[name])
    digest = fields["reset_digest"]
    fields["reset_digest"] = None if digest is None else bytes.fromhex(digest)
    return User(**{**fields, "roles": frozenset(fields["roles"])}, groups=tuple(groups))
