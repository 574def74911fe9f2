"""One body from upstream: within its bounds, at the receiver's pace, and with one clear end."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from packeton.errors import BadContent, UpstreamFailed, UpstreamTimedOut
from packeton.interfaces.upstream import IBodyReceiver, UpstreamLimits

__all__ = ["BodyLimits", "BodyReader", "FixedBody", "discard"]


@frozen(kw_only=True)
class BodyLimits:
    """The bounds of one body."""

    idle_seconds: float
    total_seconds: float
    max_bytes: int
    where: str
    """The URL, for messages."""

    @classmethod
    def of(cls, limits: UpstreamLimits, where: str) -> "BodyLimits":
        """Take what concerns the body."""
        return cls(
            idle_seconds=limits.idle_timeout.total_seconds(),
            total_seconds=limits.total_timeout.total_seconds(),
            max_bytes=limits.max_body_bytes,
            where=where,
        )


@implementer(IPushProducer)
class BodyReader(Protocol):
    """Takes a body off the wire and gives it to a receiver."""

    def __init__(
        self, receiver: IBodyReceiver, reactor: Any, limits: BodyLimits, release: Callable[[str, int], None]
    ) -> None:
        self._receiver = receiver
        self._reactor = reactor
        self._limits = limits
        self._release = release
        self._size = 0
        self._why: UpstreamFailed | None = None
        self._ended = False
        self._idle: IDelayedCall | None = None
        self._total: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Begin to watch the time."""
        self._total = self._reactor.callLater(self._limits.total_seconds, self._late, "took too long")
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._why is not None:
            return
        self._size += len(data)
        if self._size > self._limits.max_bytes:
            self._give_up(BadContent(f"{self._limits.where}: more than {self._limits.max_bytes} bytes"))
            return
        if self._idle is not None:
            self._idle.reset(self._limits.idle_seconds)
        self._receiver.received(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008  # Twisted's signature
        """Take the end."""
        if self._ended:
            return
        self._ended = True
        for timer in (self._idle, self._total):
            if timer is not None and timer.active():
                timer.cancel()
        # A body that the connection's end delimits says not itself that it is whole; its content must (JSON, zip).
        complete = self._why is None and reason.check(ResponseDone, PotentialDataLoss)
        error = self._why or UpstreamFailed(f"{self._limits.where}: the body broke off after {self._size} bytes")
        self._release("complete" if complete else type(error).__name__, self._size)
        self._receiver.ended(None if complete else Failure(error))

    def pauseProducing(self) -> None:
        """Read no more for now; the wire's own flow control holds the other side back."""
        if not self._ended and self.transport is not None:
            if self._idle is not None and self._idle.active():
                self._idle.cancel()
            self.transport.pauseProducing()  # type: ignore[attr-defined]  # Twisted's transport of a body is a producer

    def resumeProducing(self) -> None:
        """Read on."""
        if not self._ended and self.transport is not None:
            self._watch()
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def stopProducing(self) -> None:
        """Give the body up."""
        self._give_up(UpstreamFailed(f"{self._limits.where}: the transfer was given up"))

    def _watch(self) -> None:
        if self._idle is None or not self._idle.active():
            self._idle = self._reactor.callLater(self._limits.idle_seconds, self._late, "fell silent")

    def _late(self, what: str) -> None:
        self._give_up(UpstreamTimedOut(f"{self._limits.where}: the body {what} after {self._size} bytes"))

    def _give_up(self, why: UpstreamFailed) -> None:
        if self._ended or self._why is not None:
            return
        self._why = why
        if self.transport is not None:
            self.transport.loseConnection()
        if not self._ended:  # the connection may tell us late, or never: the receiver must not wait for it
            self.connectionLost()


SMALL_BYTES = 1 << 16


class _Discard(Protocol):
    _size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > SMALL_BYTES and self.transport is not None:
            self.transport.loseConnection()


def discard(answer: Any) -> None:
    """Drop a body that nobody wants: a small one is read, so that its connection can be used again, a large one cut."""
    answer.deliverBody(_Discard())


@implementer(IBodyProducer)
class FixedBody:
    """A request's body that is at hand."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write it all."""
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It is written already."""

    def resumeProducing(self) -> None:
        """It is written already."""

    def stopProducing(self) -> None:
        """It is written already."""
