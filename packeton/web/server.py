"""The HTTP server of our own: a site with bounds on what a client may send."""

from typing import Any

from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

__all__ = ["PacketonSite"]

MAX_BODY_BYTES = 64 << 20
"""More than any route takes; what a route takes is bounded by itself."""
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
        if length is not None and length > MAX_BODY_BYTES:
            self.body_refused = True
            self.content = _Discard()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; drop what goes over the bound."""
        super().handleContentChunk(data)
        if not self.body_refused and self.content is not None and self.content.tell() > MAX_BODY_BYTES:
            self.body_refused = True
            self.content.close()
            self.content = _Discard()


class PacketonSite(Site):
    """Serves one resource; access is logged by the resource itself, also where others embed it."""

    requestFactory = PacketonRequest
    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource, timeout=IDLE_SECONDS)
        self.displayTracebacks = False

    def log(self, request: Any) -> None:
        """Log nothing here."""
