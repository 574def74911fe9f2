"""Manners towards each upstream host: so many requests at once, and silence when it asks for it."""

from collections import OrderedDict, deque
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from packeton.errors import UpstreamBusy
from packeton.interfaces.clocks import now_of

__all__ = ["Hosts", "Turns", "retry_after"]

LONGEST_SILENCE = timedelta(minutes=5)
MAX_WAITING = 2_000
MAX_HOSTS = 1_000


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """
    Read a Retry-After field: seconds or a date, at most 5 minutes; None when there is none, or nothing to read.

    Source: RFC 9110 section 10.2.3.
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(LONGEST_SILENCE, timedelta(seconds=int(value.strip()[:9])))
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return max(timedelta(0), min(LONGEST_SILENCE, moment - now))
    except (ValueError, TypeError, OverflowError):
        return None


@define(eq=False)
class Turns:
    """
    So many turns at once, the others in order of arrival.

    Not a DeferredSemaphore: where each of 2000 that wait gives its turn up at once, that one recurses 2000 times.
    """

    _limit: int
    _free: int = field(init=False)
    _waiting: deque[Deferred[None]] = field(factory=deque, init=False)
    _passing: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._free = self._limit

    @property
    def idle(self) -> bool:
        """Whether nobody has a turn or waits for one."""
        return self._free == self._limit

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def take(self) -> Deferred[None]:
        """Return what fires when it is our turn; cancelling gives the place up."""
        turn: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        self._pass_on()
        return turn

    def release(self) -> None:
        """Give a turn back."""
        self._free += 1
        self._pass_on()

    def _pass_on(self) -> None:
        if self._passing:
            return
        self._passing = True
        try:
            while self._free and self._waiting:
                self._free -= 1
                self._waiting.popleft().callback(None)
        finally:
            self._passing = False


@define
class Hosts:
    """
    All upstream hosts of the process, by origin: turns in order of arrival, at most 2000 wait for one host.

    Silence is kept by origin and realm (the name of a credential): a host that limits one account is still asked for
    another.
    """

    _clock: IReactorTime
    _connections_per_host: int
    _turns: OrderedDict[str, Turns] = field(factory=OrderedDict, init=False)
    _silent_until: OrderedDict[tuple[str, str], datetime] = field(factory=OrderedDict, init=False)

    async def enter(self, origin: str, realm: str = "") -> Turns:
        """
        Wait for a turn at *origin*; the caller releases what it got, once. Cancelling gives the place up.

        Raises:
            UpstreamBusy: the host asked to be left alone, perhaps while we waited, or too many wait for it already.
        """
        self._respect(origin, realm)
        turns = self._turns.get(origin)
        if turns is None:
            self._drop_idle()
            turns = self._turns[origin] = Turns(self._connections_per_host)
        self._turns.move_to_end(origin)
        if len(turns) >= MAX_WAITING:
            raise UpstreamBusy(f"too many requests wait for {origin}", retry_after=timedelta(seconds=5))
        await turns.take()
        try:
            self._respect(origin, realm)
        except UpstreamBusy:
            turns.release()
            raise
        return turns

    def silence(self, origin: str, duration: timedelta, realm: str = "") -> None:
        """Ask *origin* nothing with the credential *realm* for *duration*, at most 5 minutes."""
        if duration > timedelta(0):
            self._silent_until[origin, realm] = now_of(self._clock)() + min(duration, LONGEST_SILENCE)
            self._silent_until.move_to_end((origin, realm))
            if len(self._silent_until) > MAX_HOSTS:
                self._silent_until.popitem(last=False)

    def _respect(self, origin: str, realm: str) -> None:
        now, until = now_of(self._clock)(), self._silent_until.get((origin, realm))
        if until is not None and now < until:
            raise UpstreamBusy(f"{origin} asked to be left alone for a while", retry_after=until - now)
        self._silent_until.pop((origin, realm), None)

    def _drop_idle(self) -> None:
        """Make room for one more; hosts that are being asked stay, and each of them has a request of somebody's."""
        if len(self._turns) >= MAX_HOSTS:
            idle = [name for name, turns in self._turns.items() if turns.idle]
            for name in idle[: len(self._turns) - MAX_HOSTS + 1]:
                del self._turns[name]
