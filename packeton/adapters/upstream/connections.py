"""
Client connections that can be cut, counted and closed, and that tell what Twisted keeps to itself.

Theory of operation: Twisted's pool knows only its idle connections. Ours also knows the busy ones, so that a stop
leaves no socket. Each response carries a `_Wire`: its `Connection` fields, a way to cut the connection while it is
still this response's, and what ended the connection, which Twisted drops where a body is delimited by its end.
"""

from collections.abc import Hashable
from typing import Any

from attrs import define
from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web._newclient import HTTP11ClientProtocol, Request  # only here can it be had
from twisted.web.client import HTTPConnectionPool
from twisted.web.iweb import IResponse

__all__ = ["ConnectionPool", "HeadTooLarge", "broke", "connection_values", "cut", "original"]

MAX_HEAD_BYTES = 1 << 18
"""Of a response head, with the informational (1xx) ones before it."""


class HeadTooLarge(Exception):
    """The response head does not end."""

    def __init__(self) -> None:
        super().__init__(f"the response head is larger than {MAX_HEAD_BYTES} bytes")


@define(eq=False)
class _Wire:
    """What one response says of its connection."""

    protocol: "_Protocol"
    parser: Any
    connection_values: list[str]
    broke: bool = False


class _Protocol(HTTP11ClientProtocol):
    """One connection; marks each response with its `_Wire`."""

    def __init__(self, pool: "ConnectionPool", quiescent: Any) -> None:
        super().__init__(quiescent)
        self._pool = pool
        self._wire: _Wire | None = None
        self._head_bytes = 0
        self.lost: Deferred[None] = Deferred()
        self.doomed = False

    def connectionMade(self) -> None:
        """Be counted."""
        super().connectionMade()
        self._pool.live.add(self)

    def request(self, request: Request) -> Deferred[IResponse]:
        """Send *request*."""
        self._wire, self._head_bytes = None, 0
        answered = super().request(request)
        parser = self._parser

        def mark(response: Any) -> Any:
            fields = getattr(parser, "connHeaders", None)
            values = [] if fields is None else fields.getRawHeaders(b"connection", [])
            wire = _Wire(self, parser, [value.decode("latin-1") for value in values])
            response.wire = wire
            if self._parser is parser:
                self._wire = wire
            return response

        return answered.addCallback(mark)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; a head without end is given up."""
        if self._parser is None:
            self.abort_now()  # nothing was asked: whatever this is, it must not answer the next request
            return
        if self._parser.state != "BODY":
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._giveUp(Failure(HeadTooLarge()))
                return
        super().dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # it is always given here
        """Note how it ended before anybody is told that it did."""
        if self._wire is not None and not reason.check(ConnectionDone):
            self._wire.broke = True
        error: Any = reason.value
        if isinstance(error, SSL.Error):
            error.verify_result = _verify_result(self.transport)  # type: ignore[attr-defined]  # for `failures.py`
        self._wire = None
        self._pool.live.discard(self)
        super().connectionLost(reason)
        self.lost.callback(None)

    def cut(self, parser: Any) -> None:
        """Close at once, if the connection still serves the response of *parser*."""
        if self._parser is parser:
            self.abort_now()

    def abort_now(self) -> None:
        """Close without waiting for anything; the connection is not kept, even if its response ends meanwhile."""
        self.doomed = True
        _abort(self.transport)


@define
class _Factory:
    """Builds connections of a pool; the endpoint calls it."""

    _pool: "ConnectionPool"
    _quiescent: Any
    noisy = False

    def doStart(self) -> None:
        """Nothing to start."""

    def doStop(self) -> None:
        """Nothing to stop."""

    def buildProtocol(self, addr: IAddress | None) -> HTTP11ClientProtocol:  # noqa: ARG002  # Twisted's signature
        """Build one."""
        return _Protocol(self._pool, self._quiescent)


class ConnectionPool(HTTPConnectionPool):
    """Persistent connections; `close` ends the busy ones too. Its table holds no more keys than connections."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, persistent=True)
        self.live: set[_Protocol] = set()
        seam: Any = self  # the pool's, if a private one
        seam._factory = lambda quiescent, _: _Factory(self, quiescent)  # noqa: SLF001

    def getConnection(self, key: Hashable, endpoint: IStreamClientEndpoint) -> Deferred[HTTP11ClientProtocol]:
        """Take a kept connection or make one."""
        connection = super().getConnection(key, endpoint)
        if not self._connections.get(key, True):
            del self._connections[key]
        return connection

    def _putConnection(self, key: Hashable, connection: HTTP11ClientProtocol) -> None:
        if not getattr(connection, "doomed", False):
            super()._putConnection(key, connection)

    def _removeConnection(self, key: Hashable, connection: HTTP11ClientProtocol) -> None:
        super()._removeConnection(key, connection)
        if not self._connections[key]:
            del self._connections[key]

    async def close(self) -> None:
        """Cut all connections, idle and busy; returns once their sockets are closed. Bodies under way fail."""
        for timer in self._timeouts.values():
            timer.cancel()
        self._timeouts, self._connections = {}, {}
        live = list(self.live)
        for protocol in live:
            protocol.abort_now()
        await gatherResults([protocol.lost for protocol in live])


def _abort(transport: Any) -> None:
    if transport is not None:
        transport.abortConnection()


def _verify_result(transport: Any) -> int:
    """Return OpenSSL's X509_V_… code of the handshake, 0 where it is not to be had: pyOpenSSL has no way to it."""
    try:
        library: Any = SSL
        return int(library._lib.SSL_get_verify_result(transport.getHandle()._ssl))  # noqa: SLF001
    except AttributeError:
        return 0


def original(answer: Any) -> Any:
    """Return the response inside all of treq's wrappers."""
    while hasattr(answer, "original"):
        answer = answer.original
    return answer


def _wire(answer: Any) -> _Wire | None:
    wire: _Wire | None = getattr(original(answer), "wire", None)
    return wire


def connection_values(answer: Any) -> list[str]:
    """Return the values of the Connection fields of an answer. Source: RFC 9110 section 7.6.1."""
    wire = _wire(answer)
    return [] if wire is None else wire.connection_values


def cut(answer: Any) -> None:
    """Close the connection of an answer at once; nothing happens when the answer has ended already."""
    wire = _wire(answer)
    if wire is not None:
        wire.protocol.cut(wire.parser)


def broke(answer: Any) -> bool:
    """Say if the connection ended in another way than by an orderly close (reset, TLS without close_notify)."""
    wire = _wire(answer)
    return wire is not None and wire.broke
