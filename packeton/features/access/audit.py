"""AuditTrail: events are taken at once and written together, off the hot path."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field
from twisted.logger import Logger
from zope.interface import implementer

from packeton.core.access.audit import AuditEvent
from packeton.errors import StorageFailed
from packeton.interfaces.audit import IAuditRecords, IAuditTrail

__all__ = ["AuditTrail"]

log = Logger()

MAX_WAITING: Final = 2000
MAX_REMEMBERED: Final = 5000
QUIET: Final = timedelta(seconds=10)


@implementer(IAuditTrail)
@define
class AuditTrail:
    """Holds at most 2000 events until the next `flush`; a full trail drops what comes, and says so once a flush."""

    _records: IAuditRecords
    _waiting: list[AuditEvent] = field(factory=list, init=False)
    _recent: OrderedDict[tuple[object, ...], datetime] = field(factory=OrderedDict, init=False)
    _dropped: int = field(default=0, init=False)

    def note(self, event: AuditEvent) -> None:
        """Keep *event* soon."""
        key = (*event.key, event.success, event.downloads)
        last = self._recent.get(key)
        if last is not None and timedelta(0) <= event.at - last < QUIET:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            return
        self._recent[key] = event.at
        self._recent.move_to_end(key)
        if len(self._recent) > MAX_REMEMBERED:
            self._recent.popitem(last=False)
        self._waiting.append(event)

    async def flush(self) -> None:
        """Write what waits. What cannot be written is logged and dropped: the trail must not fill the memory."""
        events, self._waiting = self._waiting, []
        dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warn("Dropped {count} events of the audit trail: too many at once", count=dropped)
        if not events:
            return
        try:
            await self._records.add(events)
        except StorageFailed as error:
            log.warn("Lost {count} events of the audit trail: {why}", count=len(events), why=str(error))
