"""PeriodicService: a coroutine on a clock."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from packeton.errors import PacketonError

__all__ = ["PeriodicService"]

log = Logger()


class PeriodicService(Service):
    """Runs *work* every *every*, never twice at once; stopping waits for a run under way."""

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        every: timedelta,
        work: Callable[[], Awaitable[object]],
        *,
        now: bool = False,
    ) -> None:
        self.setName(name)
        self._every = every
        self._work = work
        self._now = now
        self._loop = LoopingCall(self._once)
        self._loop.clock = clock
        self._stopped: Deferred[LoopingCall] | None = None
        self._trouble: str | None = None

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._stopped = self._loop.start(self._every.total_seconds(), now=self._now)

    def stopService(self) -> Deferred[None]:
        """End; fires once the run in progress has ended."""
        stopped = maybeDeferred(super().stopService)
        if self._loop.running:
            self._loop.stop()
        waiting = self._stopped
        if waiting is not None:
            stopped.addCallback(lambda _: waiting)
        return stopped.addCallback(lambda _: None)

    def _once(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._guarded())

    async def _guarded(self) -> None:
        try:
            await self._work()
            self._trouble = None
        except PacketonError as error:
            if str(error) != self._trouble:  # once, not every second
                self._trouble = str(error)
                log.warn("Periodic work {name} could not be done: {why}", name=self.name, why=self._trouble)
        except Exception:  # the loop must live; the log must know
            log.failure("Periodic work {name} failed", name=self.name)
