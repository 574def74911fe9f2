"""One body from upstream: within its bounds, at the receiver's pace, and with one clear end."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from packeton.adapters.upstream.connections import broke, cut
from packeton.adapters.upstream.decoding import Damaged, Gunzip
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
@define(eq=False)
class BodyReader(Protocol):
    """
    Takes the body of *answer* off the wire and gives it to a receiver.

    A body that only the end of the connection delimits is whole when that end was orderly; after a reset, or where TLS
    was cut without its closing alert, it is not. Source: RFC 9112 section 8.

    Args:
        release: Told once, when the transfer is over: the outcome (`complete`, or the kind of failure) and its bytes.
        decoder: Undoes the content coding; `max_bytes` then bounds the decoded bytes.
    """

    _answer: Any
    _receiver: IBodyReceiver
    _reactor: Any
    _limits: BodyLimits
    _release: Callable[[str, int], None]
    _decoder: Gunzip | None = None
    _size: int = field(default=0, init=False)
    _why: UpstreamFailed | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _pieces: list[Iterator[bytes]] = field(factory=list, init=False)
    """Decoded bytes that wait for the receiver; those of one read at most."""
    _draining: bool = field(default=False, init=False)
    _lost: Failure | None = field(default=None, init=False)
    """The end of the wire, while pieces still wait."""
    _idle: IDelayedCall | None = field(default=None, init=False)
    _total: IDelayedCall | None = field(default=None, init=False)

    def connectionMade(self) -> None:
        """Begin to watch the time."""
        self._total = self._reactor.callLater(self._limits.total_seconds, self._late, "took too long")
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._why is not None or self._ended:
            return
        self._watch()
        if self._decoder is None:
            self._give(data)
        else:
            self._pieces.append(self._decoder.feed(data))
            self._drain()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008  # Twisted's signature
        """Take the end, once the receiver has had what came before it."""
        if self._pieces and self._why is None:
            self._lost = reason
        else:
            self._end(reason)

    def pauseProducing(self) -> None:
        """Read no more for now; the wire's own flow control holds the other side back."""
        if self._ended or self._paused:
            return
        self._paused = True
        _cancel(self._idle)
        if self.transport is not None:
            self.transport.pauseProducing()  # type: ignore[attr-defined]  # Twisted's transport of a body is a producer

    def resumeProducing(self) -> None:
        """Read on."""
        if self._ended or not self._paused:
            return
        self._paused = False
        self._watch()
        self._drain()
        if not self._paused and self.transport is not None:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def stopProducing(self) -> None:
        """Give the body up."""
        self._give_up(UpstreamFailed(f"{self._limits.where}: the transfer was given up"))

    def _drain(self) -> None:
        """Hand decoded pieces out until none is left or the receiver has enough."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._pieces and not self._paused and self._why is None:
                piece = next(self._pieces[0], None)
                if piece is None:
                    del self._pieces[0]
                else:
                    self._give(piece)
        except Damaged as error:
            self._give_up(BadContent(f"{self._limits.where}: {error}"))
        finally:
            self._draining = False
        if self._lost is not None and not self._pieces:
            self._end(self._lost)

    def _give(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limits.max_bytes:
            self._give_up(BadContent(f"{self._limits.where}: more than {self._limits.max_bytes} bytes"))
        else:
            self._receiver.received(data)

    def _end(self, reason: Failure) -> None:
        if self._ended:
            return
        self._ended = True
        _cancel(self._idle)
        _cancel(self._total)
        self._pieces.clear()
        error = self._why or self._flaw(reason)
        self._release("complete" if error is None else type(error).__name__, self._size)
        self._receiver.ended(None if error is None else Failure(error))

    def _flaw(self, reason: Failure) -> UpstreamFailed | None:
        """Return why the body is not whole; None when it is."""
        orderly = reason.check(PotentialDataLoss) and not broke(self._answer)
        if not orderly and not reason.check(ResponseDone):
            return UpstreamFailed(f"{self._limits.where}: the body broke off after {self._size} bytes")
        if self._decoder is not None and not self._decoder.complete:
            return BadContent(f"{self._limits.where}: gzip that ends too early")
        return None

    def _watch(self) -> None:
        """Begin to wait for the next bytes; the receiver's pauses do not count."""
        if self._paused:
            return
        if self._idle is not None and self._idle.active():
            self._idle.reset(self._limits.idle_seconds)
        else:
            self._idle = self._reactor.callLater(self._limits.idle_seconds, self._late, "fell silent")

    def _late(self, what: str) -> None:
        self._give_up(UpstreamTimedOut(f"{self._limits.where}: the body {what} after {self._size} bytes"))

    def _give_up(self, why: UpstreamFailed) -> None:
        if self._ended or self._why is not None:
            return
        self._why = why
        cut(self._answer)
        self._end(Failure(why))  # the connection tells us later; the receiver need not wait for it


def _cancel(timer: IDelayedCall | None) -> None:
    if timer is not None and timer.active():
        timer.cancel()


SMALL_BYTES = 1 << 16
SMALL_SECONDS = 1.0


@define(eq=False)
class _Discard(Protocol):
    _answer: Any
    _reactor: Any
    _size: int = field(default=0, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def connectionMade(self) -> None:
        self._timer = self._reactor.callLater(SMALL_SECONDS, cut, self._answer)

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > SMALL_BYTES:
            cut(self._answer)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: ARG002, B008
        _cancel(self._timer)


def discard(answer: Any, reactor: Any) -> None:
    """
    Drop a body that nobody wants.

    A small one is read, so that its connection can be used again; one above 64 KiB, or that is not over in a second,
    is cut.
    """
    if isinstance(answer.length, int) and answer.length > SMALL_BYTES:
        cut(answer)
    answer.deliverBody(_Discard(answer, reactor))


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
