"""Revisions: numbers in the database that move in the transaction of the change itself."""

from collections.abc import Callable
from typing import TypeVar

from attrs import define, field
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.accounts import revisions
from packeton.interfaces.revisions import IRevisions

__all__ = ["Revisions", "bump_in"]

T = TypeVar("T")


@implementer(IRevisions)
@define
class Revisions:
    """Remembers the numbers; `refresh` is called again and again, every half second."""

    _database: Database
    _numbers: dict[str, int] = field(factory=dict, init=False)

    def current(self, subject: str) -> int:
        """Return the number as last seen."""
        return self._numbers.get(str(subject), 0)

    async def bump(self, subject: str) -> int:
        """Move the number on."""
        number = await self._database.run(lambda connection: bump_in(connection, subject))
        return self._note(subject, number)

    async def changing(self, subject: str, work: Callable[[Connection], T]) -> T:
        """Run *work* and move *subject* on, in one transaction; for other records. Raises as `Database.run`."""

        def both(connection: Connection) -> tuple[T, int]:
            return work(connection), bump_in(connection, subject)

        result, number = await self._database.run(both)
        self._note(subject, number)
        return result

    async def refresh(self) -> None:
        """Look at what other processes changed."""

        def work(connection: Connection) -> dict[str, int]:
            rows = connection.execute(select(revisions.c.subject, revisions.c.number))
            return {str(subject): int(number) for subject, number in rows}

        for subject, number in (await self._database.read(work)).items():
            self._note(subject, number)

    def _note(self, subject: str, number: int) -> int:
        subject = str(subject)
        self._numbers[subject] = max(number, self._numbers.get(subject, 0))
        return self._numbers[subject]


def bump_in(connection: Connection, subject: str) -> int:
    """Move a number on in the transaction of *connection*; return it."""
    here = revisions.c.subject == str(subject)
    moved = update(revisions).where(here).values(number=revisions.c.number + 1)
    if connection.execute(moved).rowcount == 0:
        try:
            with connection.begin_nested():
                connection.execute(insert(revisions).values(subject=str(subject), number=1))
        except IntegrityError:  # somebody else was first
            connection.execute(moved)
    return int(connection.execute(select(revisions.c.number).where(here)).scalar_one())
