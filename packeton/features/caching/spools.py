"""
A growing body: upstream writes it at its pace, any number of followers read it at theirs.

Theory of operation: bytes come in by `received`, wait in a short tail in memory, and are hashed and appended to a
draft by a thread, a batch at a time. Followers read what is in the draft, or in the tail; so the first byte goes out
at once, a slow follower costs no memory, and a follower that leaves changes nothing. Upstream is paused while the tail
is longer than the window. `hold_back_bytes` at the end stay invisible until `finish` says that the body is good: a
body that turns out to be damaged is never seen whole by anybody.

When the draft fails (disk full), the spool *degrades*: what was written stays readable, the rest lives in the tail,
which is trimmed to the slowest follower. Nothing will be stored then, but everybody who follows gets the body.
"""

from collections import deque
from hashlib import sha256

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.errors import NotFound, StorageFailed, UpstreamChanged
from packeton.features.caching.signals import Pulse, Signal
from packeton.interfaces.blobs import IBlob, IBlobDraft
from packeton.interfaces.clocks import InThread
from packeton.interfaces.upstream import IBodyReceiver, IUpstreamResponse

__all__ = ["Follower", "Spool"]

log = Logger()

WINDOW_BYTES = 1 << 20
"""Bytes that may wait for the disk; upstream is paused above it."""


@implementer(IBodyReceiver)
class Spool:
    """
    One body while it grows.

    Writer: `pour_from` each upstream response in turn, `drained`, then `finish` or `fail`. Readers: `follow`.
    """

    def __init__(self, draft: IBlobDraft | None, in_thread: InThread, *, hold_back_bytes: int = 0) -> None:
        self.draft = draft
        self.degraded = draft is None
        self.size = 0
        """Bytes received."""
        self.total: int | None = None
        """Bytes expected, when known."""
        self._in_thread = in_thread
        self._hold_back_bytes = hold_back_bytes
        self._hash = sha256()
        self._reader: IBlob | None = None if draft is None else draft.reader()
        self._kept = 0  # bytes [0, _kept) are in the draft
        self._tail: deque[bytes] = deque()  # bytes [_tail_start, size)
        self._tail_start = 0
        self._hashed = 0
        self._flushing = False
        self._compared: int | None = None
        self._producer: IPushProducer | None = None
        self._paused = False
        self._poured: Deferred[None] | None = None
        self._grown = Pulse()
        self._drained = Pulse()
        self._ended: Signal[None] = Signal()
        self._failure: Failure | None = None
        self.finished = False
        """True once the body is complete and good."""
        self.followers: set[Follower] = set()

    # -- writing

    def pour_from(self, response: IUpstreamResponse) -> Deferred[None]:
        """Take the body of *response* until it ends; fails with what cut it off."""
        self._poured = Deferred()
        poured = self._poured
        self._paused = False
        self._producer = response.deliver(self)
        self._regulate()
        return poured

    def compare_from_start(self) -> None:
        """Expect the next body to begin again at byte 0: what we have must come again, and only then more."""
        self._compared = 0

    def received(self, chunk: bytes) -> None:
        """Take the next bytes of the current response."""
        if self._compared is not None:
            chunk = self._compare(chunk)
            if not chunk:
                return
        self._tail.append(chunk)
        self.size += len(chunk)
        self._grown.fire()
        self._flush()
        self._regulate()

    def ended(self, failure: Failure | None) -> None:
        """Take the end of the current response."""
        self._producer = None
        poured, self._poured = self._poured, None
        if failure is None and self._compared is not None:
            failure = Failure(UpstreamChanged("upstream's answer became shorter when asked for again"))
        if poured is not None:
            if failure is None:
                poured.callback(None)
            else:
                poured.errback(failure)

    async def drained(self) -> str:
        """Wait until all bytes are hashed and written; return the SHA-256 of the body, in hex."""
        while self._hashed < self.size:
            self.check()
            await self._drained.wait()
        return self._hash.hexdigest()

    def finish(self) -> None:
        """Declare the body complete and good: held-back bytes show, followers come to their end."""
        self.finished = True
        self._grown.fire()
        self._ended.fire(None)
        self._release()

    def fail(self, failure: Failure) -> None:
        """Declare the body lost: followers that wait for more get *failure*."""
        if self.finished:
            return
        self._failure = failure
        if self._producer is not None:
            self._producer.stopProducing()
        self._tail.clear()
        self._grown.fire()
        self._ended.fire(None)
        self._release()

    def body(self) -> IBlob:
        """
        Return what was written to the draft, to be checked; the caller must not close it.

        Raises:
            NotFound: the spool is degraded; not all of it was written.
        """
        if self._reader is None or self.degraded:
            raise NotFound("the body was not kept")
        return self._reader

    # -- reading

    @property
    def over(self) -> bool:
        """True once the body is finished or failed."""
        return self.finished or self._failure is not None

    @property
    def whole(self) -> bool:
        """True once every byte has come; they may still be written down and checked."""
        return self.finished or (self.total is not None and self.size >= self.total)

    def follow(self) -> "Follower | None":
        """Begin to read from byte 0; None when the beginning is gone (degraded). The caller closes it."""
        if self._kept < self._tail_start or (self._reader is None and self._kept):
            return None
        follower = Follower(self)
        self.followers.add(follower)
        return follower

    def readable(self) -> int:
        """Return how many bytes from 0 may be shown now."""
        if self.finished:
            return self.size
        if self.total is not None:
            return min(self.size, max(0, self.total - self._hold_back_bytes))
        return max(0, self.size - self._hold_back_bytes)

    def read_at(self, offset: int, max_bytes: int) -> bytes:
        """Return bytes from *offset*; the caller stays within `readable`."""
        if offset < self._kept and self._reader is not None:
            return self._reader.read_at(offset, min(max_bytes, self._kept - offset))
        at = self._tail_start
        for chunk in self._tail:
            if offset < at + len(chunk):
                return chunk[offset - at : offset - at + max_bytes]
            at += len(chunk)
        raise NotFound("these bytes are gone")

    def check(self) -> None:
        """Raise what the body failed with, if it did."""
        if self._failure is not None:
            self._failure.raiseException()

    async def grown(self) -> None:
        """Wait until more may be readable, or the body is over; raises what it failed with."""
        self.check()
        await self._grown.wait()
        self.check()

    def left(self, follower: "Follower") -> None:
        """Note that a follower closed."""
        self.followers.discard(follower)
        self._trim()
        self._regulate()
        self._release()

    def moved(self) -> None:
        """Note that a follower read."""
        if self.degraded:
            self._trim()
            self._regulate()

    # -- inside

    def _compare(self, chunk: bytes) -> bytes:
        assert self._compared is not None
        at, wanted = self._compared, min(len(chunk), self.size - self._compared)
        done = 0
        while done < wanted:
            try:
                mine = self.read_at(at + done, wanted - done)
            except NotFound:
                mine = b""
            if not mine or mine != chunk[done : done + len(mine)]:
                self._refuse("upstream's answer changed when asked for again")
                return b""
            done += len(mine)
        self._compared += wanted
        if self._compared == self.size:
            self._compared = None
        return chunk[wanted:]

    def _refuse(self, message: str) -> None:
        """End the current response for good."""
        poured, self._poured = self._poured, None
        if self._producer is not None:
            self._producer.stopProducing()
        if poured is not None:
            poured.errback(Failure(UpstreamChanged(message)))

    def _flush(self) -> None:
        if self._flushing or self._hashed >= self.size:
            return
        self._flushing = True
        ensureDeferred(self._write_behind()).addErrback(self._broken)

    async def _write_behind(self) -> None:
        try:
            while self._hashed < self.size and not self._lost():
                batch = self._unhashed()
                await self._append(batch)
                self._hashed += len(batch)
                self._trim()
                self._regulate()
        finally:
            self._flushing = False
            self._drained.fire()

    def _unhashed(self) -> bytes:
        skip = self._hashed - self._tail_start
        parts: list[bytes] = []
        for chunk in self._tail:
            if skip >= len(chunk):
                skip -= len(chunk)
                continue
            parts.append(chunk[skip:] if skip else chunk)
            skip = 0
        return b"".join(parts)

    async def _append(self, batch: bytes) -> None:
        try:
            await self._in_thread(self._hash_and_write, batch, None if self.degraded else self.draft)
        except StorageFailed as error:
            log.warn("Passing a body through without keeping it: {error}", error=str(error))
            self.degraded = True
            return
        if not self.degraded and not self._lost():
            self._kept += len(batch)
            self._drop_tail(self._kept)

    def _hash_and_write(self, batch: bytes, draft: IBlobDraft | None) -> None:
        self._hash.update(batch)
        if draft is not None:
            draft.write(batch)

    def _broken(self, failure: Failure) -> None:
        log.failure("A spool cannot go on", failure)
        self.fail(failure)

    def _lost(self) -> bool:
        return self._failure is not None

    def _drop_tail(self, until: int) -> None:
        while self._tail and self._tail_start + len(self._tail[0]) <= until:
            self._tail_start += len(self._tail.popleft())

    def _trim(self) -> None:
        """Degraded only: forget what every follower has read and the hash has seen."""
        if self.degraded and not self._lost():
            self._drop_tail(min([self._hashed, *(follower.position for follower in self.followers)]))

    def _regulate(self) -> None:
        if self._producer is None:
            return
        waiting = self.size - self._tail_start
        if self.degraded and not self.followers and self._kept < self._tail_start:
            self._producer.stopProducing()  # nobody can read it, nothing can keep it
        elif waiting > WINDOW_BYTES and not self._paused:
            self._paused = True
            self._producer.pauseProducing()
        elif waiting <= WINDOW_BYTES // 2 and self._paused:
            self._paused = False
            self._producer.resumeProducing()

    def _release(self) -> None:
        if self.over and not self.followers and self._reader is not None and not self._flushing:
            self._reader.close()
            self._reader = None


@define(eq=False)
class Follower:
    """One reader of a spool, at its own pace."""

    _spool: Spool
    position: int = field(default=0, init=False)

    @property
    def size(self) -> int | None:
        """Bytes of the whole body, when known."""
        return self._spool.size if self._spool.over else self._spool.total

    async def ready(self, at_least: int = 1) -> None:
        """Wait until there are *at_least* bytes to read, or the end. Raises what the body failed with."""
        while self._spool.readable() - self.position < at_least and not self._spool.finished:
            await self._spool.grown()

    async def read(self, max_bytes: int) -> bytes:
        """Return the next bytes, b"" at the end. Raises what the body failed with; never a short body."""
        self._spool.check()
        await self.ready()
        available = self._spool.readable() - self.position
        if available <= 0:
            return b""
        chunk = self._spool.read_at(self.position, min(max_bytes, available))
        self.position += len(chunk)
        self._spool.moved()
        return chunk

    def peek(self, max_bytes: int) -> bytes:
        """Return what is readable of the next bytes, without moving on."""
        end = min(self._spool.readable(), self.position + max_bytes)
        parts, at = [], self.position
        while at < end:
            parts.append(self._spool.read_at(at, end - at))
            at += len(parts[-1])
        return b"".join(parts)

    def close(self) -> None:
        """Leave; nobody else notices."""
        self._spool.left(self)
