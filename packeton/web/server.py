"""The HTTP server of our own: a site with bounds on what a client may send."""

import re
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from packeton.web.uploads import UploadSink

__all__ = ["PacketonSite"]

MAX_BODY_BYTES = 64 << 20
"""More than any route takes; what a route takes is bounded by itself."""
LINGER_SECONDS = 1.0
"""How long a client that was refused may take to notice."""
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ABSOLUTE = re.compile(rb"https?://([^/?]*)(?=[/?]|$)", re.IGNORECASE)
"""How a target begins that names its host; Source: RFC 9112 section 3.2.2."""
IDLE_SECONDS = 60
"""How long a connection may wait for a request."""


class _Discard:
    """Takes a refused body without keeping it."""

    def write(self, data: bytes) -> int:
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002  # a file's signature
        return 0

    def tell(self) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002  # a file's signature
        return b""

    def close(self) -> None:
        pass


class PacketonRequest(Request):
    """
    A request whose body is bounded, and which a route may answer before its body came.

    Theory of operation: what is too large is refused by its Content-Length, before anything is stored. Bodies of
    uploads wait in the client until the route wants them: the channel stops reading (and sends no `100 Continue`), the
    route runs, and either asks for the body or answers. Who gets an answer early may be sending still: the connection
    ends with that answer.
    """

    body_refused = False
    body_came = False
    """Whether all of the body is here."""
    _began = False
    _expects_continue = False

    def __init__(self, channel: HTTPChannel, *args: Any, **keywords: Any) -> None:
        keywords["parsePOSTFormSubmission"] = False  # routes read what they need, within bounds
        super().__init__(channel, *args, **keywords)

    def gotLength(self, length: int | None) -> None:
        """Choose where the body goes, once the head is complete."""
        sink = self._upload_sink(length)
        if sink is not None:
            self.content = sink
            self._begin_early()
        elif length is not None and length > MAX_BODY_BYTES:
            self._refuse_body()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; drop what goes over the bound, or comes after the answer."""
        if self.finished or self.channel is None:
            return
        super().handleContentChunk(data)
        if isinstance(self.content, UploadSink) or self.body_refused or self.content is None:
            return
        if self.content.tell() > MAX_BODY_BYTES:
            self.content.close()
            self._refuse_body()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Begin, unless that was done before; the whole body is here now."""
        self.body_came = True
        self._resume()
        if isinstance(self.content, UploadSink):
            self.content.complete()
        if not self._began:
            self._began = True
            super().requestReceived(command, path, version)

    def write(self, data: bytes) -> None:
        """Write; an answer that comes before the body is the connection's last."""
        if not self.startedWriting and not self.body_came and self.channel is not None:
            self.setHeader(b"connection", b"close")
            self.channel.persistent = False
        super().write(data)

    def _refuse_body(self) -> None:
        self.body_refused = True
        self.content = _Discard()
        self._begin_early()

    def _begin_early(self) -> None:
        """Let the resource see this request soon; until it asks for the body, nothing more is read."""
        channel: Any = self.channel
        expected = self.requestHeaders.getRawHeaders(b"expect") or [b""]
        self._expects_continue = expected[0].lower() == b"100-continue" and channel._version == b"HTTP/1.1"  # noqa: SLF001
        self.requestHeaders.removeHeader(b"expect")  # or the channel says "100 Continue" for us
        channel.hold()
        channel.callLater(0, self._begin, channel._command, channel._path, channel._version)  # noqa: SLF001

    def _begin(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._began and self.channel is not None:
            self._began = True
            super().requestReceived(command, path, version)

    def _resume(self) -> None:
        """Let the body come."""
        channel: Any = self.channel
        if channel is None:
            return
        if self._expects_continue and not self.body_came:
            self._expects_continue = False
            channel._send100Continue()  # noqa: SLF001  # as Twisted's own does
        channel.release()

    def _upload_sink(self, length: int | None) -> UploadSink | None:
        """Return where an upload goes; the resource says which requests are some."""
        channel: Any = self.channel
        places = getattr(getattr(channel.site, "resource", None), "uploads", None)
        if places is None:
            return None
        sink: UploadSink | None = places.sink(channel._command, channel._path, length, self._resume)  # noqa: SLF001
        return sink


class PacketonChannel(HTTPChannel):
    """
    One client connection, HTTP/1.1.

    A request that cannot be read is answered with 400, and what else comes is read away for a moment: closing at once
    would let the kernel throw the answer away with the unread rest. So it is after an answer that came before the body.
    """

    _held = False
    _leaving: Any = None

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002  # Twisted's signature
        """Refuse a head with a line longer than 16 KiB."""
        self._respondToBadRequestAndDisconnect()

    def allHeadersReceived(self) -> None:
        """
        Take host and path out of an absolute target, whose host counts; refuse a request with two hosts.

        Source: RFC 9112 sections 3.2 and 3.2.2.
        """
        headers = self.requests[-1].requestHeaders
        if len(headers.getRawHeaders(b"host", ())) > 1:
            self._respondToBadRequestAndDisconnect()
            return
        absolute = ABSOLUTE.match(self._path)
        if absolute is not None:
            rest = self._path[absolute.end() :]
            self._path = rest if rest.startswith(b"/") else b"/" + rest
            headers.setRawHeaders(b"host", [absolute[1]])
        super().allHeadersReceived()

    def hold(self) -> None:
        """Read nothing more of a body for now."""
        self._held = True
        self._networkProducer.pauseProducing()

    def release(self) -> None:
        """Read on."""
        if self._held:
            self._held = False
            self._networkProducer.resumeProducing()

    def allContentReceived(self) -> None:
        """Hand the request over, if it was not answered already."""
        if self.requests:
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        """Go on with the next request, or leave: after an answer before the body there is no next one."""
        if request.body_came:
            super().requestDone(request)
            return
        self.requests.remove(request)
        self.release()
        self._leave()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Forget the connection."""
        if self._leaving is not None and self._leaving.active():
            self._leaving.cancel()
        super().connectionLost(reason)

    def _respondToBadRequestAndDisconnect(self) -> None:
        requests, self.requests = self.requests, []
        for request in requests:  # a route may have begun: nothing more comes for it, and this is the only answer
            request.connectionLost(Failure(ConnectionDone()))
        if self.transport is not None:
            self.transport.write(BAD_REQUEST)
        self._leave()

    def _leave(self) -> None:
        """Read away what comes, for a moment, and close."""
        self.setTimeout(None)
        self.dataReceived = _ignore  # type: ignore[method-assign]  # for the rest of the connection's life,
        self.lineReceived = self.rawDataReceived = _ignore  # type: ignore[method-assign]  # and of what came already
        self._leaving = self.callLater(LINGER_SECONDS, self.loseConnection)


def _ignore(data: bytes) -> None:
    """Take bytes that nobody wants."""


class PacketonSite(Site):
    """Serves one resource; access is logged by the resource itself, also where others embed it."""

    protocol = PacketonChannel  # type: ignore[assignment]  # Twisted's own adds HTTP/2, which is a proxy's work
    requestFactory = PacketonRequest
    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource, timeout=IDLE_SECONDS)
        self.displayTracebacks = False

    def log(self, request: Any) -> None:
        """Log nothing here."""
