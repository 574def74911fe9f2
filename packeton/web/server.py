"""The HTTP server of our own: a site with bounds on what a client may send."""

from typing import Any

from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from packeton.web.uploads import UploadSink

__all__ = ["PacketonSite"]

MAX_BODY_BYTES = 64 << 20
"""More than any route takes; what a route takes is bounded by itself."""
LINGER_SECONDS = 0.5
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
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
    """Refuses a body that is too large before it is stored anywhere."""

    body_refused = False

    def __init__(self, channel: HTTPChannel, *args: Any, **keywords: Any) -> None:
        keywords["parsePOSTFormSubmission"] = False  # routes read what they need, within bounds
        super().__init__(channel, *args, **keywords)

    def gotLength(self, length: int | None) -> None:
        """Choose where the body goes, once the head is complete."""
        sink = self._upload_sink(length)
        if sink is not None:
            self.content = sink
        elif length is not None and length > MAX_BODY_BYTES:
            self.body_refused = True
            self.content = _Discard()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; drop what goes over the bound."""
        super().handleContentChunk(data)
        if isinstance(self.content, UploadSink):
            return
        if not self.body_refused and self.content is not None and self.content.tell() > MAX_BODY_BYTES:
            self.body_refused = True
            self.content.close()
            self.content = _Discard()


    def _upload_sink(self, length: int | None) -> UploadSink | None:
        """Return where an upload goes; the resource says which requests are some."""
        channel: Any = self.channel
        places = getattr(getattr(channel.site, "resource", None), "uploads", None)
        if places is None:
            return None
        sink: UploadSink | None = places.sink(channel._command, channel._path, length)  # noqa: SLF001
        return sink


class PacketonChannel(HTTPChannel):
    """
    One client connection, HTTP/1.1.

    A request that cannot be read is answered with 400, and what else comes is read away for a moment: closing at once
    would let the kernel throw the answer away with the unread rest.
    """

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002  # Twisted's signature
        """Refuse a head with a line longer than 16 KiB."""
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self.transport is not None:
            self.transport.write(BAD_REQUEST)
        self.setTimeout(None)
        self.dataReceived = _ignore  # type: ignore[method-assign]  # the rest of the connection's life
        self.callLater(LINGER_SECONDS, self.loseConnection)


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
