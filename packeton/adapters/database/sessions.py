"""SessionRecords: sessions, remembered browsers and used one-time codes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, define
from sqlalchemy import ColumnElement, Connection, Row, Table, delete, exc, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.accounts import sessions
from packeton.adapters.database.tables.sessions import remembered, used_codes
from packeton.core.access.sessions import Remembered, Session
from packeton.errors import NotFound
from packeton.interfaces.sessions import ISessionRecords

__all__ = ["SessionRecords"]

MAX_OF_USER = 50


@implementer(ISessionRecords)
@define
class SessionRecords:
    """See ISessionRecords."""

    _database: Database

    async def find(self, digest: str) -> Session | None:
        """Return a session, or None."""

        def work(connection: Connection) -> Session | None:
            row = connection.execute(select(sessions).where(sessions.c.digest == digest)).one_or_none()
            return None if row is None else _session(row)

        return await self._database.read(work)

    async def add(self, session: Session) -> None:
        """Insert one."""

        def work(connection: Connection) -> None:
            try:
                connection.execute(insert(sessions).values(digest=session.digest, **_values(session)))
            except exc.IntegrityError as error:
                raise NotFound("this user is gone") from error

        await self._database.run(work)

    async def change(self, digest: str, change: Callable[[Session], Session]) -> Session | None:
        """Replace one by what *change* makes of it, in one transaction."""
        here = sessions.c.digest == digest

        def work(connection: Connection) -> Session | None:
            row = connection.execute(select(sessions).where(here).with_for_update()).one_or_none()
            if row is None:
                return None
            changed = change(_session(row))
            connection.execute(update(sessions).where(here).values(**_values(changed)))
            return changed

        return await self._database.run(work)

    async def remove(self, digest: str) -> None:
        """End one, if there is one."""
        await self._database.run(lambda one: _ignore(one.execute(delete(sessions).where(sessions.c.digest == digest))))

    async def remove_all(self, user_id: int | None, name: str, *, but: str | None = None) -> int:
        """End all of a user but one, and forget its browsers."""

        def work(connection: Connection) -> int:
            connection.execute(delete(remembered).where(_of(remembered, "name", user_id, name)))
            where = _of(sessions, "user_identifier", user_id, name)
            if but is not None:
                where &= sessions.c.digest != but
            return connection.execute(delete(sessions).where(where)).rowcount

        return await self._database.run(work)

    async def of_user(self, user_id: int | None, name: str) -> Sequence[Session]:
        """Return a user's complete sessions, last seen first."""
        where = _of(sessions, "user_identifier", user_id, name)
        return await self._complete(where, MAX_OF_USER, 0)

    async def listing(self, limit: int, offset: int = 0) -> Sequence[Session]:
        """Return complete sessions of all users, last seen first."""
        return await self._complete(sessions.c.digest.is_not(None), limit, offset)

    async def expire(self, seen_before: datetime, now: datetime) -> int:
        """Delete what ended."""

        def work(connection: Connection) -> int:
            browsers = connection.execute(delete(remembered).where(remembered.c.expires_at <= now)).rowcount
            ended = (sessions.c.expires_at <= now) | (sessions.c.seen_at < seen_before)
            return browsers + connection.execute(delete(sessions).where(ended)).rowcount

        return await self._database.run(work)

    async def remembered(self, series: str) -> Remembered | None:
        """Return a remembered browser, or None."""

        def work(connection: Connection) -> Remembered | None:
            row = connection.execute(select(remembered).where(remembered.c.series == series)).one_or_none()
            return None if row is None else Remembered(**row._asdict())

        return await self._database.read(work)

    async def remember(self, browser: Remembered, *, was: str | None = None) -> bool:
        """Insert, or with *was* replace the one with this digest."""

        def work(connection: Connection) -> bool:
            values = asdict(browser)
            if was is None:
                try:
                    connection.execute(insert(remembered).values(**values))
                except exc.IntegrityError as error:
                    raise NotFound("this user is gone") from error
                return True
            here = (remembered.c.series == browser.series) & (remembered.c.digest == was)
            return connection.execute(update(remembered).where(here).values(**values)).rowcount == 1

        return await self._database.run(work)

    async def forget(self, series: str) -> None:
        """Forget a browser, if it is remembered."""
        where = remembered.c.series == series
        await self._database.run(lambda one: _ignore(one.execute(delete(remembered).where(where))))

    async def use_code(self, user_id: int, counter: int) -> bool:
        """Mark a one-time code as used."""

        def work(connection: Connection) -> bool:
            newer = (used_codes.c.user_id == user_id) & (used_codes.c.counter < counter)
            if connection.execute(update(used_codes).where(newer).values(counter=counter)).rowcount:
                return True
            if connection.execute(select(used_codes).where(used_codes.c.user_id == user_id)).first() is not None:
                return False
            connection.execute(insert(used_codes).values(user_id=user_id, counter=counter))
            return True

        return await self._database.run(work)

    async def _complete(self, where: ColumnElement[bool], limit: int, offset: int) -> Sequence[Session]:
        query = select(sessions).where(where).order_by(sessions.c.seen_at.desc(), sessions.c.digest)

        def work(connection: Connection) -> list[Session]:
            found = [_session(row) for row in connection.execute(query.limit(limit).offset(offset))]
            return [session for session in found if not session.pending]

        return await self._database.read(work)


def _of(table: Table, column: str, user_id: int | None, name: str) -> ColumnElement[bool]:
    if user_id is not None:
        return table.c.user_id == user_id
    return table.c.user_id.is_(None) & (table.c[column] == name)


def _values(session: Session) -> dict[str, Any]:
    facts: dict[str, Any] = {"method": session.method, "mark": session.mark}
    if session.pending:
        facts |= {"pending": True, "remember": session.remember}
    if session.roles or session.heard_at is not None:
        heard = session.heard_at
        facts |= {"roles": list(session.roles), "heard_at": None if heard is None else heard.isoformat()}
    if session.repository is not None:
        facts["repository"] = session.repository
    return {
        "user_id": session.user_id,
        "user_identifier": session.name,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
        "address": session.address,
        "agent": session.agent,
        "facts": facts,
    }


def _session(row: Row[Any]) -> Session:
    facts = row.facts
    heard = facts.get("heard_at")
    return Session(
        digest=row.digest,
        user_id=row.user_id,
        name=row.user_identifier,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        address=row.address or "",
        agent=row.agent or "",
        method=facts.get("method", "password"),
        pending=bool(facts.get("pending")),
        remember=bool(facts.get("remember")),
        roles=tuple(facts.get("roles") or ()),
        heard_at=None if heard is None else datetime.fromisoformat(heard),
        mark=facts.get("mark", ""),
        repository=facts.get("repository"),
    )


def _ignore(_result: object) -> None:
    """Let a result go: it must not leave its transaction."""
