"""A blob or a spool to a client: with back-pressure, ranges, and an abort instead of a short body."""

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.web.iweb import IRequest
from twisted.web.server import Request
from zope.interface import implementer

from packeton.errors import PacketonError
from packeton.features.caching.signals import Pulse
from packeton.interfaces.blobs import IBlob

__all__ = ["BlobSource", "BytesSource", "ChainedSource", "Source", "abort", "stream"]

CHUNK_BYTES = 1 << 17
STALL_SECONDS = 300
"""A client that takes nothing for this long is cut off."""


class Source(Protocol):
    """Something to read from front to back."""

    async def read(self, max_bytes: int) -> bytes:
        """Return the next bytes, b"" at the end; raise when the rest is lost."""

    def close(self) -> None:
        """Let go."""


class BytesSource:
    """Gives some bytes that are at hand."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, max_bytes: int) -> bytes:
        """Return the next bytes."""
        chunk, self._content = self._content[:max_bytes], self._content[max_bytes:]
        return chunk

    def close(self) -> None:
        """Drop the rest."""
        self._content = b""


class ChainedSource:
    """Several sources, one after the other."""

    def __init__(self, parts: Sequence[Source]) -> None:
        self._parts = list(parts)

    async def read(self, max_bytes: int) -> bytes:
        """Return the next bytes of the first part that has any."""
        while self._parts:
            chunk = await self._parts[0].read(max_bytes)
            if chunk:
                return chunk
            self._parts.pop(0).close()
        return b""

    def close(self) -> None:
        """Close what is left."""
        while self._parts:
            self._parts.pop(0).close()


class BlobSource:
    """Reads a slice of a blob; closing it closes the blob, unless it is not its *owner*."""

    def __init__(self, blob: IBlob, first: int = 0, end: int | None = None, *, owner: bool = True) -> None:
        self._blob = blob
        self._owner = owner
        self._at = first
        self._end = blob.size if end is None else end

    async def read(self, max_bytes: int) -> bytes:
        """Return the next bytes of the slice; raises PacketonError when the file is shorter than it was."""
        wanted = min(max_bytes, self._end - self._at)
        if wanted <= 0:
            return b""
        chunk = self._blob.read_at(self._at, wanted)
        if not chunk:
            raise PacketonError("a stored body is shorter than it was")
        self._at += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the blob."""
        if self._owner:
            self._blob.close()


@implementer(IPushProducer)
class _Gate:
    """Tells the sending loop when the client's connection wants more."""

    def __init__(self) -> None:
        self._open = True
        self.gone = False
        self._changed = Pulse()

    def pauseProducing(self) -> None:
        self._open = False

    def resumeProducing(self) -> None:
        self._open = True
        self._changed.fire()

    def write(self, request: Request, chunk: bytes) -> None:
        """Write, unless the client has gone."""
        if not self.gone:
            request.write(chunk)

    def stopProducing(self) -> None:
        self.gone = True
        self._changed.fire()

    async def passed(self, clock: IReactorTime) -> bool:
        """Wait until more may be written; False when the client has gone, or took nothing for STALL_SECONDS."""
        while not self._open and not self.gone:
            try:
                await self._changed.wait().addTimeout(STALL_SECONDS, clock)
            except DeferredTimedOut:
                return False
        return not self.gone


async def stream(request: IRequest, source: Source, clock: IReactorTime) -> bool:
    """
    Send all of *source* as the body of *request*, whose head must be set; then close *source*.

    Returns:
        False when the client hung up, or when the source failed and the connection was therefore aborted, so that a
        short body cannot be taken for a whole one. The request must not be touched then.
    """
    assert isinstance(request, Request)
    gate = _Gate()
    request.registerProducer(gate, streaming=True)
    try:
        while await gate.passed(clock):
            chunk = await source.read(CHUNK_BYTES)
            if not chunk:
                request.unregisterProducer()
                return True
            gate.write(request, chunk)
        abort(request)
        return False
    except (PacketonError, CancelledError):
        abort(request)
        return False
    finally:
        source.close()


def abort(request: Request) -> None:
    """Cut the client's connection off, so that it knows that the body is not complete."""
    channel = getattr(request, "channel", None)
    if channel is not None:
        request.unregisterProducer()
        getattr(channel, "transport", channel).abortConnection()
