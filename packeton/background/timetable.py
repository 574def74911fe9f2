"""Timetable: what is done at set times, by cron expressions, once among all processes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define, field, frozen
from cronsim import CronSim, CronSimError
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from packeton.errors import ConfigurationInvalid, PacketonError
from packeton.interfaces.clocks import now_of
from packeton.interfaces.queues import ILocks

__all__ = ["LEASE", "Entry", "Timetable", "next_time"]

log = Logger()

LEASE: Final = timedelta(minutes=5)
"""How long nobody else begins the same entry: longer than clocks of nodes differ, shorter than a day."""


@frozen(kw_only=True)
class Entry:
    """One line of the timetable."""

    name: str
    expression: str
    """Cron's five fields, in UTC: `*/15 * * * *`."""
    work: Callable[[], Awaitable[object]]

    def lock(self, due: datetime) -> str:
        """Return the name of the lock under which it is done at that time, once among all processes."""
        return f"cron:{self.name}:{due:%Y%m%d%H%M}"


def next_time(expression: str, after: datetime) -> datetime:
    """Return the first moment after *after* (aware UTC) that fits. Raises ConfigurationInvalid: it is none."""
    try:
        found = next(CronSim(expression, after.astimezone(UTC).replace(tzinfo=None)), None)
    except CronSimError as error:
        raise ConfigurationInvalid(f"{expression!r} is no cron expression: {error}") from error
    if found is None:
        raise ConfigurationInvalid(f"{expression!r} never comes")
    return found.replace(tzinfo=UTC)


@define(eq=False)
class Timetable(Service):
    """Runs its entries when they are due; one that still runs is not begun again."""

    _entries: tuple[Entry, ...]
    _clock: IReactorTime
    _locks: ILocks
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False)
    _running: dict[str, Deferred[None]] = field(factory=dict, init=False)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        for entry in self._entries:
            self._plan(entry)

    def stopService(self) -> Deferred[None]:
        """End; fires once nothing runs any more."""
        super().stopService()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        return DeferredList(list(self._running.values())).addCallback(lambda _: None)

    def _plan(self, entry: Entry) -> None:
        now = now_of(self._clock)()
        due = next_time(entry.expression, now)
        self._timers[entry.name] = self._clock.callLater((due - now).total_seconds(), self._due, entry, due)

    def _due(self, entry: Entry, due: datetime) -> None:
        self._plan(entry)
        if entry.name in self._running:
            return
        running = self._running[entry.name] = Deferred.fromCoroutine(self._run(entry, due))
        running.addCallback(lambda _: self._over(entry))

    def _over(self, entry: Entry) -> None:
        del self._running[entry.name]

    async def _run(self, entry: Entry, due: datetime) -> None:
        try:
            if await self._locks.take(entry.lock(due), LEASE):
                await entry.work()
        except PacketonError as error:
            log.warn("{name} could not be done: {why}", name=entry.name, why=str(error))
        except Exception:  # the timetable must live; the log must know
            log.failure("{name} failed", name=entry.name)
