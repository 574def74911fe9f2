"""Manners towards each upstream host: so many requests at once, and silence when it asks for it."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from attrs import define, field
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

from packeton.errors import UpstreamBusy
from packeton.interfaces.clocks import now_of

__all__ = ["Hosts", "retry_after"]

LONGEST_SILENCE = timedelta(minutes=5)
MAX_WAITING = 2_000
MAX_HOSTS = 1_000


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After field: seconds or a date; None when there is none. Source: RFC 9110 section 10.2.3."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(LONGEST_SILENCE, timedelta(seconds=int(value.strip()[:9])))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(timedelta(0), min(LONGEST_SILENCE, moment - now))


@define
class Hosts:
    """All upstream hosts of the process, by origin."""

    _clock: IReactorTime
    _connections_per_host: int
    _permits: OrderedDict[str, DeferredSemaphore] = field(factory=OrderedDict, init=False)
    _silent_until: dict[str, datetime] = field(factory=dict, init=False)

    async def enter(self, origin: str) -> DeferredSemaphore:
        """
        Wait for a turn at *origin*; the caller releases what it got, once.

        Raises:
            UpstreamBusy: the host asked to be left alone, or too many wait for it already.
        """
        now = now_of(self._clock)()
        until = self._silent_until.get(origin)
        if until is not None and now < until:
            raise UpstreamBusy(f"{origin} asked to be left alone for a while", retry_after=until - now)
        self._silent_until.pop(origin, None)
        permits = self._permits.get(origin)
        if permits is None:
            permits = self._permits[origin] = DeferredSemaphore(self._connections_per_host)
            self._drop_idle()
        if len(permits.waiting) >= MAX_WAITING:
            raise UpstreamBusy(f"too many requests wait for {origin}", retry_after=timedelta(seconds=5))
        await permits.acquire()
        return permits

    def silence(self, origin: str, duration: timedelta) -> None:
        """Ask *origin* nothing for *duration*, at most 5 minutes."""
        if duration > timedelta(0):
            self._silent_until[origin] = now_of(self._clock)() + min(duration, LONGEST_SILENCE)

    def _drop_idle(self) -> None:
        if len(self._permits) > MAX_HOSTS:
            idle = [name for name, permits in self._permits.items() if permits.tokens == permits.limit]
            for name in idle[: len(self._permits) - MAX_HOSTS]:
                del self._permits[name]
