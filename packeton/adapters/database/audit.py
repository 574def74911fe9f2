"""AuditRecords: who used what from where."""

from collections.abc import Sequence
from typing import Any

from attrs import define, evolve
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.accounts import audit_entries as entries
from packeton.adapters.database.tables.accounts import users
from packeton.core.access.audit import KEPT_PER_USER, AuditEntry, AuditEvent, merge
from packeton.interfaces.audit import IAuditRecords

__all__ = ["AuditRecords"]

NEWEST_FIRST = (entries.c.last_at.desc(), entries.c.id.desc())
SEPARATOR = "\n"


@implementer(IAuditRecords)
@define
class AuditRecords:
    """See IAuditRecords."""

    _database: Database

    async def add(self, given: Sequence[AuditEvent]) -> None:
        """Keep events, merged into the entries there are."""

        def work(connection: Connection) -> None:
            events = _resolved(connection, given)
            seen = {event.user_id for event in events if event.user_id is not None}
            there = {None, *connection.scalars(select(users.c.id).where(users.c.id.in_(seen)))}
            owners = {}
            for event in events:
                if event.user_id in there:
                    _add(connection, event)
                    owners[event.user_id, event.name if event.user_id is None else ""] = event
            for event in owners.values():
                _trim(connection, event)

        await self._database.run(work)

    async def of_user(self, user_id: int | None, name: str) -> Sequence[AuditEntry]:
        """Return a user's entries, newest first."""
        query = select(entries).where(_of(user_id, name)).order_by(*NEWEST_FIRST).limit(KEPT_PER_USER)
        return await self._database.read(lambda one: [_entry(row) for row in one.execute(query)])

    async def newest(self, limit: int) -> Sequence[AuditEntry]:
        """Return entries of all users, newest first."""
        query = select(entries).order_by(*NEWEST_FIRST).limit(limit)
        return await self._database.read(lambda one: [_entry(row) for row in one.execute(query)])


def _of(user_id: int | None, name: str) -> ColumnElement[bool]:
    if user_id is not None:
        return entries.c.user_id == user_id
    return entries.c.user_id.is_(None) & (entries.c.name == name)


def _resolved(connection: Connection, events: Sequence[AuditEvent]) -> list[AuditEvent]:
    """Put ids to names that were only claimed, and leave out those that nobody has."""
    names = {event.name.lower()[:191] for event in events if event.claimed}
    query = select(users.c.name_key, users.c.id, users.c.name).where(users.c.name_key.in_(names))
    known = {row.name_key: row for row in connection.execute(query)} if names else {}
    found = []
    for event in events:
        row = known.get(event.name.lower())
        if not event.claimed:
            found.append(event)
        elif row is not None:
            found.append(evolve(event, user_id=row.id, name=row.name, claimed=False))
    return found


def _add(connection: Connection, event: AuditEvent) -> None:
    last = select(entries).where(_of(event.user_id, event.name)).order_by(*NEWEST_FIRST).limit(4)
    entry = merge([_entry(row) for row in connection.execute(last)], event)
    if entry is None:
        return
    if entry.id:
        connection.execute(update(entries).where(entries.c.id == entry.id).values(**_values(entry)))
    else:
        connection.execute(insert(entries).values(**_values(entry)))


def _trim(connection: Connection, event: AuditEvent) -> None:
    here = _of(event.user_id, event.name)
    kept = select(entries.c.id).where(here).order_by(*NEWEST_FIRST).limit(KEPT_PER_USER)
    ids = list(connection.scalars(kept))
    if len(ids) == KEPT_PER_USER:
        connection.execute(delete(entries).where(here & entries.c.id.not_in(ids)))


def _values(entry: AuditEntry) -> dict[str, Any]:
    event = entry.event
    return {
        "user_id": event.user_id,
        "name": event.name[:191],
        "source": event.source,
        "count": entry.count,
        "success": event.success,
        "first_at": entry.first_at,
        "last_at": event.at,
        "address": event.address[:64],
        "agent": event.agent,
        "token": event.token,
        "error": event.error,
        "downloads": SEPARATOR.join(event.downloads) or None,
    }


def _entry(row: Row[Any]) -> AuditEntry:
    values = row._asdict()
    event = AuditEvent(
        user_id=values["user_id"],
        name=values["name"],
        source=values["source"],
        success=values["success"],
        at=values["last_at"],
        address=values["address"] or "",
        agent=values["agent"] or "",
        token=values["token"],
        error=values["error"],
        downloads=tuple((values["downloads"] or "").split(SEPARATOR)) if values["downloads"] else (),
    )
    return AuditEntry(id=values["id"], event=event, count=values["count"], first_at=values["first_at"])
