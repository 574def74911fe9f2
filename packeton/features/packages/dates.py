"""Under which date a content of a document is published, also while the database takes nothing."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from attrs import define, field, frozen
from twisted.internet.defer import TimeoutError as Waited
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from packeton.errors import StorageFailed
from packeton.features.caching.flights import Flights

__all__ = ["PATIENCE_SECONDS", "Dated", "Dates"]

log = Logger()

PATIENCE_SECONDS: Final = 3.0
"""How long a client waits for a date; it can do without."""


@frozen(kw_only=True)
class Dated:
    """The validators of one content."""

    fingerprint: str
    last_modified: datetime | None
    """None: it could not be written down; the next request may have one."""

    @property
    def etag(self) -> str:
        """A weak validator: the same content in two codings, or under two addresses, has one."""
        return f'W/"{self.fingerprint[:32]}"'


@define
class Dates:
    """
    Dates contents (see `IVersionRecords.published_at`).

    A new content's date is written down before anybody sees it, and there may be nobody who writes: another process
    holds SQLite's lock, the disk is full. Then the content goes out with an ETag alone, and what was begun goes on.
    """

    _published_at: Callable[[str, str, datetime], Awaitable[datetime]]
    _clock: IReactorTime | None = None
    """None: who waits, waits for the database."""
    _flights: Flights[datetime] = field(factory=Flights, init=False)

    async def of(self, document: str, fingerprint: str, natural: datetime) -> Dated:
        """Return the validators of a content; *natural* is its date if it is the first of the document."""

        async def start() -> datetime:
            return await self._published_at(document, fingerprint, natural)

        waiter = self._flights.join(f"{document}\n{fingerprint}", start)
        if self._clock is not None:
            waiter.addTimeout(PATIENCE_SECONDS, self._clock)
        try:
            return Dated(fingerprint=fingerprint, last_modified=await waiter)
        except (StorageFailed, Waited) as error:
            why = str(error) if isinstance(error, StorageFailed) else "the database takes long"
            log.warn("{document} is sent without a date: {why}", document=document, why=why)
            return Dated(fingerprint=fingerprint, last_modified=None)
