"""
Fetching into the cache: upstream → spool → checked → stored, owned by no client.

Theory of operation: a `Fill` asks upstream by a `Plan`, retries what may pass, announces the head, pours the body into
a spool, and mends a body that breaks half-way: by Range and If-Range from the byte reached when upstream gave a strong
validator, otherwise from the beginning, comparing what comes again with what was had. The complete body is checked,
released to those who follow, and kept. Only when a body cannot be completed do followers see a failure, and then their
connections are aborted: nobody takes a short body for a whole one.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum

from attrs import evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from packeton.core.caching.entries import CacheEntry
from packeton.errors import (
    BadContent,
    NotFound,
    PacketonError,
    StorageFailed,
    UpstreamBusy,
    UpstreamChanged,
    UpstreamFailed,
    UpstreamRefused,
    UpstreamTimedOut,
)
from packeton.features.caching.signals import Signal
from packeton.features.caching.spools import Follower, Spool
from packeton.features.caching.storage import Storage
from packeton.interfaces.blobs import IBlob
from packeton.interfaces.clocks import InThread, now_of
from packeton.interfaces.upstream import Headers, IHttpClient, IUpstreamResponse, UpstreamRequest

__all__ = ["Body", "Fill", "FillEvent", "Fills", "Head", "Plan"]

log = Logger()

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same question may get another answer soon."""

MEANINGS = {
    401: ", it needs a login that we have not",
    403: ", we may not have it",
    407: ", the proxy needs a login that we have not",
}
"""What a person should know besides the number."""

FINAL = (BadContent, UpstreamBusy, UpstreamRefused, UpstreamTimedOut)
"""Failures after which the same question is not asked again at once."""


@frozen(kw_only=True)
class Head:
    """What upstream said before the body."""

    status: int
    headers: Headers
    length: int | None
    """Bytes of the body, when upstream said."""
    url: str
    requested_at: datetime
    received_at: datetime

    def entry(
        self,
        key: str,
        headers: Headers,
        *,
        status: int = 200,
        variant: str = "",
        selecting: tuple[tuple[str, str], ...] = (),
    ) -> CacheEntry:
        """Return the entry to keep the answer under; its body is still to come."""
        return CacheEntry(
            key=key,
            variant=variant,
            status=status,
            headers=tuple(headers),
            selecting=selecting,
            requested_at=self.requested_at,
            received_at=self.received_at,
            stored_at=self.received_at,
            blob="",
            size=0,
            sha256="",
            used_at=self.received_at,
        )

    def header(self, name: str) -> str | None:
        """Return the last value of a field, None when it is absent."""
        return next((value for field, value in reversed(self.headers) if field.lower() == name.lower()), None)


@frozen(kw_only=True)
class Body:
    """A complete body, for a last check before anybody sees its end."""

    content: IBlob | None
    """None when the disk did not take it: only size and digest are known then."""
    size: int
    sha256: str


@frozen(kw_only=True)
class Plan:
    """How to fetch one thing."""

    key: str
    client: IHttpClient
    requests: Sequence[UpstreamRequest]
    """Tried in order until one is welcome."""
    welcome: Callable[[Head], bool] = field(default=lambda head: head.status == 200)
    """Says which answers are what was asked for; others are discarded and become an error."""
    keep: Callable[[Head], CacheEntry | None] = field(default=lambda _: None)
    """Gives the entry to store the body under (blob, size and sha256 are filled in), or None to pass it through."""
    check: Callable[[Body], Awaitable[None]] | None = None
    """Raises BadContent for a body that must not be kept nor shown whole."""
    hold_back_bytes: int = 0
    """How much of the end stays invisible until `check` passed."""
    retries: int = 2
    """How often a question is asked again, and how often a broken body is mended."""


class FillEvent(Enum):
    """What an observer is told of."""

    STARTED = "started"
    RESUMED = "resumed"
    STORED = "stored"
    PASSED = "passed"
    FAILED = "failed"
    REJECTED = "rejected"


Observer = Callable[[FillEvent, str, int], None]
"""Takes the event, the fill's key, and its bytes so far."""


class Fill:
    """One transfer. `head` and `follow` are for callers; leaving does not stop it."""

    def __init__(self, plan: Plan, fills: "Fills") -> None:
        self.plan = plan
        self._fills = fills
        self._now = now_of(fills.clock)
        self._head: Signal[Head] = Signal()
        self._done: Signal[CacheEntry | None] = Signal()
        self._spool: Spool | None = None
        self._kept = True

    def head(self) -> Deferred[Head]:
        """Wait for the head of a welcome answer; fails with a kind of UpstreamFailed."""
        return self._head.wait()

    def done(self) -> Deferred[CacheEntry | None]:
        """Wait for the end: the stored entry, None when the body was passed through, or what it failed with."""
        return self._done.wait()

    async def settled(self) -> None:
        """Wait for the end, however it is."""
        with suppress(PacketonError):
            await self.done()

    @property
    def arrived(self) -> bool:
        """True once the whole body is here; it is being checked and stored, which is soon over."""
        return self._spool is not None and self._spool.whole

    def forget(self) -> None:
        """Do not store what this fill brings: it was asked for before something changed it."""
        self._kept = False

    def follow(self) -> Follower | None:
        """Read the body from its beginning, once `head` came; None when that is not possible any more."""
        return None if self._spool is None or self._spool.over else self._spool.follow()

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return 0 if self._spool is None else self._spool.size

    def abort(self) -> None:
        """Give up: the spool fails, its followers are cut off."""
        self._fail(Failure(UpstreamFailed("the server is stopping")))

    async def run(self) -> None:
        """Do it all. Never raises; the outcome is in `head`, `done` and the spool."""
        try:
            self._done.fire(await self._fetch())
        except (PacketonError, CancelledError):
            self._fail(Failure())
        except Exception:
            log.failure("The fill of {key} broke", key=self.plan.key)
            self._fail(Failure(UpstreamFailed("an internal error stopped the transfer")))

    async def _fetch(self) -> CacheEntry | None:
        head, response = await self._ask()
        entry = self.plan.keep(head)
        draft = None if entry is None else self._fills.storage.draft()
        spool = Spool(draft, self._fills.in_thread, hold_back_bytes=self.plan.hold_back_bytes)
        try:
            spool.total = head.length
            self._spool = spool
            self._head.fire(head)
            await self._transfer(spool, head, response)
            digest = await spool.drained()
            await self._check(spool, digest)
            spool.finish()
            return await self._store(spool, entry, digest)
        except BaseException:
            spool.fail(Failure())
            raise
        finally:
            if draft is not None:
                draft.discard()

    async def _ask(self) -> tuple[Head, IUpstreamResponse]:
        error: PacketonError = UpstreamFailed("there is nowhere to ask")
        for attempt in range(self.plan.retries + 1):
            if attempt:
                await self._fills.pause(attempt)
            for request in self.plan.requests:
                try:
                    head, response = await self._send(request)
                except UpstreamFailed as failure:
                    error = failure
                    continue
                if self.plan.welcome(head):
                    return head, response
                response.abort()
                error = refusal(head)
            if isinstance(error, FINAL) or not isinstance(error, UpstreamFailed):
                break
        raise error

    async def _send(self, request: UpstreamRequest) -> tuple[Head, IUpstreamResponse]:
        asked = self._now()
        response = await self.plan.client.request(request)
        return _head(response, asked, self._now()), response

    async def _transfer(self, spool: Spool, head: Head, response: IUpstreamResponse) -> None:
        mended = 0
        while True:
            try:
                await spool.pour_from(response)
                if spool.total in {None, spool.size}:
                    return
                raise UpstreamFailed(f"{head.url}: {spool.size} bytes came instead of {spool.total}")
            except (BadContent, UpstreamChanged):
                raise
            except UpstreamFailed as cut:
                if mended >= self.plan.retries or spool.over or head.status != 200:
                    raise
                log.info("Mending {key} at byte {at}: {why}", key=self.plan.key, at=spool.size, why=str(cut))
            await spool.drained()
            mended += 1
            self._fills.observe(FillEvent.RESUMED, self.plan.key, spool.size)
            response = await self._again(spool, head, mended)

    async def _again(self, spool: Spool, head: Head, attempt: int) -> IUpstreamResponse:
        """Ask for the rest of the body, or for all of it again."""
        error: PacketonError = UpstreamFailed(f"{head.url}: the body broke off")
        for further in range(attempt, self.plan.retries + 2):
            await self._fills.pause(further)
            for request in self.plan.requests:
                try:
                    answer, response = await self._send(_rest_of(request, head, spool.size))
                except UpstreamFailed as failure:
                    error = failure
                    continue
                if answer.status == 206 and _continues(answer, head, spool.size):
                    return response
                if answer.status == 200 and self.plan.welcome(answer) and head.length in {None, answer.length}:
                    spool.total = answer.length
                    spool.compare_from_start()
                    return response
                response.abort()
                error = refusal(answer)
        raise error

    async def _check(self, spool: Spool, digest: str) -> None:
        if self.plan.check is not None:
            content = None if spool.degraded else spool.body()
            await self.plan.check(Body(content=content, size=spool.size, sha256=digest))

    async def _store(self, spool: Spool, entry: CacheEntry | None, digest: str) -> CacheEntry | None:
        if entry is None or not self._kept or spool.degraded or spool.draft is None:
            self._fills.observe(FillEvent.PASSED, self.plan.key, spool.size)
            return None
        try:
            entry = evolve(entry, size=spool.size, sha256=digest)
            kept = await self._fills.storage.keep(spool.draft, entry)
        except StorageFailed as error:
            log.warn("{key} could not be kept: {error}", key=self.plan.key, error=str(error))
            self._fills.observe(FillEvent.PASSED, self.plan.key, spool.size)
            return None
        self._fills.observe(FillEvent.STORED, self.plan.key, spool.size)
        return kept

    def _fail(self, failure: Failure) -> None:
        if self._done.fired:
            return
        event = FillEvent.REJECTED if failure.check(BadContent) else FillEvent.FAILED
        self._fills.observe(event, self.plan.key, self.size)
        if self._spool is not None:
            self._spool.fail(failure)
        self._head.fire(failure)
        self._done.fire(failure)


class Fills:
    """All fills under way, one per key."""

    def __init__(
        self,
        *,
        storage: Storage,
        clock: IReactorTime,
        in_thread: InThread,
        random: Callable[[], float],
        observe: Observer = lambda *_: None,
    ) -> None:
        self.storage = storage
        self.clock = clock
        self.in_thread = in_thread
        self.observe = observe
        self._random = random
        self._running: dict[str, Fill] = {}
        self._runs: dict[Fill, Deferred[None]] = {}
        self._stopping = False

    def running(self, key: str) -> Fill | None:
        """Return the fill under way for *key*, if any."""
        return self._running.get(key)

    def start(self, plan: Plan) -> Fill:
        """Begin a fill; one that runs under the same key goes on, but is not found any more."""
        if self._stopping:
            raise UpstreamFailed("the server is stopping")
        fill = Fill(plan, self)
        self._running[plan.key] = fill
        self.observe(FillEvent.STARTED, plan.key, 0)
        self._runs[fill] = ensureDeferred(fill.run())
        self._runs[fill].addBoth(lambda _: self._land(fill))
        return fill

    def __len__(self) -> int:
        return len(self._runs)

    async def pause(self, attempt: int) -> None:
        """Wait before the *attempt*-th repetition: 0.2 s doubled each time, with full jitter above a half."""
        await deferLater(self.clock, 0.2 * 2 ** (attempt - 1) * (0.5 + self._random() / 2))

    async def stop(self, patience: timedelta) -> None:
        """Let fills end for at most *patience*, then abort the rest; no new ones begin."""
        self._stopping = True
        deadline = self.clock.seconds() + patience.total_seconds()
        while self._runs and self.clock.seconds() < deadline:
            await deferLater(self.clock, 0.05)
        for fill in list(self._runs):
            fill.abort()
        for run in list(self._runs.values()):
            run.cancel()

    def _land(self, fill: Fill) -> None:
        self._runs.pop(fill, None)
        if self._running.get(fill.plan.key) is fill:
            del self._running[fill.plan.key]


def refusal(head: Head) -> PacketonError:
    """Return the error that an unwelcome answer means."""
    message = f"{head.url}: upstream answered {head.status}{MEANINGS.get(head.status, '')}"
    limited = head.header("x-ratelimit-remaining") == "0" or head.header("retry-after") is not None
    if head.status in {404, 410}:
        return NotFound(message)
    if head.status in {403, 429, 503} and limited:
        return UpstreamBusy(message)
    if 400 <= head.status < 500 and head.status not in TRANSIENT:
        return UpstreamRefused(message, status=head.status)
    if head.status < 300:
        return BadContent(f"{message} with {head.header('content-type') or 'something'} that was not asked for")
    return UpstreamFailed(message)


def _head(response: IUpstreamResponse, asked: datetime, now: datetime) -> Head:
    return Head(
        status=response.status,
        headers=tuple(response.headers),
        length=response.length,
        url=response.url,
        requested_at=asked,
        received_at=now,
    )


def _strong_validator(head: Head) -> str | None:
    """Return what If-Range may hold. Source: RFC 9110 section 13.1.5; a date must be strong by section 8.8.2.2."""
    etag = head.header("etag")
    if etag is not None and not etag.startswith("W/"):
        return etag
    modified = head.header("last-modified")
    return modified if modified is not None and modified != head.header("date") else None


def _rest_of(request: UpstreamRequest, head: Head, at: int) -> UpstreamRequest:
    validator = _strong_validator(head)
    if at == 0 or validator is None or head.header("content-encoding") is not None or head.length is None:
        return request
    return evolve(request, headers=(*request.headers, ("Range", f"bytes={at}-"), ("If-Range", validator)))


def _continues(answer: Head, head: Head, at: int) -> bool:
    """Say if a 206 gives exactly the rest of the same representation. Source: RFC 9110 section 15.3.7."""
    content_range = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.header("content-range") or "")
    if content_range is None or head.length is None:
        return False
    first, last, total = (int(number) for number in content_range.groups())
    same = answer.header("etag") in {None, head.header("etag")}
    return same and first == at and last == total - 1 and total == head.length
