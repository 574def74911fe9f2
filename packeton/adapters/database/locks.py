"""Locks in the database, for all processes that use it."""

from datetime import timedelta
from typing import Final

from attrs import define
from sqlalchemy import Connection, delete, insert, or_, update
from sqlalchemy.exc import IntegrityError
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.jobs import locks
from packeton.interfaces.clocks import Now
from packeton.interfaces.queues import ILocks

__all__ = ["DatabaseLocks"]

FORGOTTEN: Final = timedelta(days=1)
"""After its end a lock that nobody gave back is removed by whoever takes the next one."""


FORGOTTEN_AFTER: Final = timedelta(days=1)
"""Locks that ran out so long ago are removed: those of the timetable have a new name each time."""


@implementer(ILocks)
@define
class DatabaseLocks:
    """Leases by name; *owner* is a text that no other process has."""

    _database: Database
    _owner: str
    _now: Now

    async def take(self, name: str, lease: timedelta) -> bool:
        """Take or prolong a lock."""
        now = self._now()

        def work(connection: Connection) -> bool:
            connection.execute(delete(locks).where(locks.c.until < now - FORGOTTEN))
            ours = (locks.c.name == name) & or_(locks.c.owner == self._owner, locks.c.until < now)
            if connection.execute(update(locks).where(ours).values(owner=self._owner, until=now + lease)).rowcount:
                return True
            connection.execute(delete(locks).where(locks.c.until < now - FORGOTTEN_AFTER))
            try:
                with connection.begin_nested():
                    connection.execute(insert(locks).values(name=name, owner=self._owner, until=now + lease))
            except IntegrityError:
                return False
            return True

        return await self._database.run(work)

    async def release(self, name: str) -> None:
        """Give a lock back."""
        ours = (locks.c.name == name) & (locks.c.owner == self._owner)
        await self._database.run(lambda connection: connection.execute(delete(locks).where(ours)))
