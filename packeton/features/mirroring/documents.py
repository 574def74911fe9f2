"""
Upstream's metadata: from the store while fresh, refreshed behind the client's back, stale when upstream fails.

Theory of operation: a copy younger than `fresh_for` is a hit. Up to `stale_for` it is served as well, and refreshed in
the background. An older one is revalidated while the client waits, but not longer than `PATIENCE`; if upstream fails or
is slow, the old copy is served as long as `stale_if_error` allows, and for a while nobody else waits for upstream.
One key is refreshed by one request at a time. A copy from another upstream, which a mirror had before its setting was
changed, is only a makeshift: its date and tag mean nothing to this one.
Upstream's bytes are kept verbatim.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import Enum
from hashlib import new, sha256
from urllib.parse import unquote

from attrs import define, evolve, field, frozen
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from packeton.core.caching.backoff import Attempts
from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import read_date
from packeton.errors import BadContent, NotFound, PacketonError, UpstreamBusy, UpstreamFailed
from packeton.features.caching.fills import Body, Fill, Fills, Head, Plan
from packeton.features.caching.flights import Flights
from packeton.features.caching.storage import Storage
from packeton.interfaces.clocks import InThread, Now, now_of
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["Document", "DocumentRequest", "Documents", "Outcome", "moved_to"]

log = Logger()

PATIENCE = timedelta(seconds=5)
"""How long a client waits for a revalidation when there is an old copy."""
ABSENT = 404
IMPATIENT_FOR = timedelta(seconds=30)
NEGATIVE_FOR = timedelta(seconds=60)
"""How long an absence is taken for granted."""
BACKWARDS_FOR = timedelta(hours=1)
"""How long an answer older than ours is taken for a lagging replica of upstream."""
GONE_AFTER = timedelta(seconds=60)
"""For so long upstream must stand by it that there is no more what we hold."""
FROM_ANOTHER = timedelta(days=3650)
"""How old a copy counts at least that is from another upstream."""
MAX_REMEMBERED = 50_000


class Outcome(Enum):
    """How an answer came about."""

    HIT = "hit"
    MISS = "miss"
    REVALIDATED = "revalidated"
    STALE = "stale"


@frozen(kw_only=True)
class DocumentRequest:
    """One document and how it is to be had."""

    key: str
    locate: Callable[[], Awaitable[str]]
    """Gives upstream's URL; may itself need the root."""
    check: Callable[[bytes], object]
    """Blocking; raises BadContent."""
    fresh_for: timedelta
    digest: str | None = None
    """`sha1:…` or `sha256:…` that the content must have: a copy that has it is fresh for ever, another one is not."""
    may_go: Callable[[], Awaitable[bool]] | None = None
    """Says if upstream's word that there is no more what we hold counts; None: it does."""

    def verify(self, content: bytes) -> None:
        """Check the content and its hash. Blocking; raises BadContent."""
        if self.digest is not None:
            kind, _, expected = self.digest.partition(":")
            if new(kind, content, usedforsecurity=False).hexdigest() != expected:
                raise BadContent(f"the content has another {kind.upper()} than the file that lists it says")
        self.check(content)


@frozen(kw_only=True)
class Document:
    """A document to answer with."""

    entry: CacheEntry
    outcome: Outcome
    content: bytes | None = None
    """The body, where it is at hand; else `Documents.content` reads it."""

    @property
    def digest(self) -> str | None:
        """The `DocumentRequest.digest` that it was held against: another one than asked for in what is a makeshift."""
        return _digest_of(self.entry)


@define
class Documents:
    """The documents of one upstream."""

    _client: IHttpClient
    _storage: Storage
    _fills: Fills
    _clock: IReactorTime
    _in_thread: InThread
    _limits: UpstreamLimits
    _attempts: Attempts
    _random: Callable[[], float]
    _stale_if_error: timedelta
    _stale_for: timedelta
    _origin: str = ""
    """Tells this upstream from the one before it; a copy that tells none may be from it."""
    _flights: Flights[Document] = field(factory=Flights, init=False)
    _lagging: OrderedDict[str, datetime] = field(factory=OrderedDict, init=False)
    _doubted: OrderedDict[str, datetime] = field(factory=OrderedDict, init=False)
    """Since when upstream says that there is no more what we hold."""
    _impatient_until: datetime | None = field(default=None, init=False)
    """Until then upstream is known to be slow or away: who can have an old copy does not wait for it."""

    @property
    def _now(self) -> Now:
        return now_of(self._clock)

    async def find(self, request: DocumentRequest) -> Document:
        """
        Return the document to serve now.

        Raises:
            NotFound: upstream says, or said less than a minute ago, that there is none.
            UpstreamFailed (and kinds): upstream gave nothing usable, and there is no copy.
        """
        entry = await self._storage.find(request.key)
        if entry is None:
            return await self._flights.join(request.key, lambda: self._refresh(request, None))
        age = self._now() - max(entry.received_at, self._lagging.get(request.key, entry.received_at))
        age = age if self._is_ours(entry) else max(age, FROM_ANOTHER)
        if request.digest is not None:
            return await self._find_exact(request, entry, age)
        if entry.status == ABSENT:
            return await self._absent(request, entry, age)
        if age < request.fresh_for:
            return Document(entry=entry, outcome=Outcome.HIT)
        if age < request.fresh_for + self._stale_for:
            self._refresh_behind(request, entry)
            return Document(entry=entry, outcome=Outcome.STALE)
        return await self._revalidate(request, entry)

    async def held(self, key: str) -> CacheEntry | None:
        """Return what is stored under *key*, without asking anybody; None where there is nothing, or an absence."""
        entry = await self._storage.find(key)
        return None if entry is None or entry.status == ABSENT else entry

    async def refresh(self, request: DocumentRequest) -> Document:
        """
        Ask upstream now, however fresh the copy is, on the condition that it changed.

        Raises:
            NotFound: upstream says that there is none.
            UpstreamFailed (and kinds): it gave nothing usable; the copy stays.
        """
        entry = await self._storage.find(request.key)
        if entry is not None and request.digest is not None and _digest_of(entry) == request.digest:
            return await self._find_exact(request, entry, timedelta(0))
        return await self._flights.join(request.key, lambda: self._refresh(request, entry))

    async def content(self, document: Document) -> bytes:
        """
        Return the bytes of *document*.

        Raises:
            NotFound: the stored body is gone; `find` again.
        """
        if document.content is not None:
            return document.content
        blob = await self._storage.open(document.entry)
        try:
            return await self._in_thread(blob.read_at, 0, blob.size)
        finally:
            blob.close()

    async def _find_exact(self, request: DocumentRequest, entry: CacheEntry, age: timedelta) -> Document:
        """Answer where the hash of the content is known: what has it is right, and what has not is only a makeshift."""
        wanted = _digest_of(entry) == request.digest
        if entry.status != ABSENT:
            return Document(entry=entry, outcome=Outcome.HIT) if wanted else await self._revalidate(request, entry)
        if wanted and age < NEGATIVE_FOR:
            raise NotFound("upstream has no such document")
        return await self._flights.join(request.key, lambda: self._refresh(request, None))

    async def _absent(self, request: DocumentRequest, entry: CacheEntry, age: timedelta) -> Document:
        """Answer for what upstream had not when it was last asked; it is asked again now and then."""
        if age < min(NEGATIVE_FOR, request.fresh_for):
            raise NotFound("upstream has no such document")
        document = await self._revalidate(request, entry)
        if document.entry.status == ABSENT:
            raise NotFound("upstream had no such document, and does not answer now")
        return document

    async def _revalidate(self, request: DocumentRequest, entry: CacheEntry) -> Document:
        stale = Document(entry=entry, outcome=Outcome.STALE)
        now = self._now()
        usable = now - entry.received_at <= self._stale_if_error
        left_alone = not self._flights.running(request.key) and not self._attempts.allowed(request.key, now)
        impatient = self._impatient_until is not None and now < self._impatient_until
        if usable and (left_alone or impatient):
            self._refresh_behind(request, entry)
            return stale
        flight = self._flights.join(request.key, lambda: self._refresh(request, entry))
        if usable:
            flight.addTimeout(PATIENCE.total_seconds(), self._clock)
        try:
            return await flight
        except NotFound:
            if usable and await self.held(request.key) is not None:
                return stale
            raise
        except (UpstreamFailed, DeferredTimedOut) as error:
            if not usable:
                raise
            self._impatient_until = self._now() + IMPATIENT_FOR
            log.warn("Serving an old copy of {key}: {why}", key=request.key, why=str(error) or "upstream is slow")
            return stale

    def _refresh_behind(self, request: DocumentRequest, entry: CacheEntry) -> None:
        if self._flights.running(request.key) or not self._attempts.allowed(request.key, self._now()):
            return
        flight = self._flights.join(request.key, lambda: self._refresh(request, entry))
        flight.addErrback(lambda failure: failure.trap(PacketonError) and None)

    async def _refresh(self, request: DocumentRequest, held: CacheEntry | None) -> Document:
        if not self._attempts.begin(request.key, self._now()):
            raise UpstreamBusy("upstream failed a moment ago and is not asked again yet")
        try:
            document = await self._ask(request, held)
        except NotFound:
            self._attempts.succeeded(request.key)
            raise
        except PacketonError as error:
            self._attempts.failed(request.key, self._now(), self._random())
            log.warn("{key} could not be refreshed: {why}", key=request.key, why=str(error))
            raise
        except BaseException:
            self._attempts.failed(request.key, self._now(), self._random())
            raise
        self._attempts.succeeded(request.key)
        self._impatient_until = None
        return document

    async def _ask(self, request: DocumentRequest, held: CacheEntry | None) -> Document:
        url = await request.locate()
        if held is not None and (held.status == ABSENT or request.digest is not None or not self._is_ours(held)):
            held = None  # another content is another document: its validators mean nothing
        fill = self._fills.start(self._plan(request, held, url))
        head = await fill.head()
        if head.status in {404, 410}:
            await self._gone(request, head)
        self._doubted.pop(request.key, None)
        if head.status == 304:
            return await self._confirmed(held, head)
        if held is not None and self._backwards(held, head):
            log.warn("{key}: upstream answered with an older copy than ours; keeping ours", key=request.key)
            _remember(self._lagging, request.key, self._now())
            return Document(entry=held, outcome=Outcome.REVALIDATED)
        content = await self._collect(fill)
        entry = await fill.done()
        self._lagging.pop(request.key, None)
        if entry is None:
            if content is None:
                raise UpstreamFailed(f"{url}: the document could not be kept, and is gone")
            await self._in_thread(request.verify, content)
            digest = await self._in_thread(_sha256, content)
            entry = evolve(self._entry(request, head), size=len(content), sha256=digest)
        return Document(entry=entry, outcome=Outcome.MISS, content=content)

    def _plan(self, request: DocumentRequest, held: CacheEntry | None, url: str) -> Plan:
        async def check(body: Body) -> None:
            if body.content is not None:
                content = await self._in_thread(body.content.read_at, 0, body.size)
                try:
                    await self._in_thread(request.verify, content)
                except BadContent as error:
                    raise BadContent(f"{url}: {error}") from error

        def keep(head: Head) -> CacheEntry | None:
            backwards = held is not None and self._backwards(held, head)
            return None if head.status != 200 or backwards else self._entry(request, head)

        ask = UpstreamRequest(url=url, headers=_conditions(held), limits=self._limits)
        wanted = {200, 404, 410} if held is None else {200, 304, 404, 410}
        return Plan(
            key=request.key,
            client=self._client,
            requests=(ask,),
            welcome=lambda head: head.status in wanted,
            keep=lambda head: _noting(keep(head), head, url),
            check=check,
            retries=1,
        )

    async def _collect(self, fill: Fill) -> bytes | None:
        """Return the body as it comes; None when it has come already, and is in the store or nowhere."""
        follower = fill.follow()
        if follower is None:
            return None
        parts = []
        try:
            while chunk := await follower.read(1 << 20):
                parts.append(chunk)
        finally:
            follower.close()
        return b"".join(parts)

    async def _gone(self, request: DocumentRequest, head: Head) -> None:
        """Write down that there is none, so that it is known also when upstream is away."""
        entry = head.entry(request.key, self._marks(request), status=ABSENT)
        held = await self.held(request.key)
        if held is not None and self._is_ours(held):
            if request.digest is not None:
                raise BadContent(f"{head.url}: the file of this hash is listed, and not there")
            if not await self._is_sure(request):
                _remember(self._lagging, request.key, self._now())
                log.warn("{url}: upstream has this no more; ours is kept until that is sure", url=head.url)
                raise NotFound("upstream has this no more; ours is kept until that is sure")
        self._doubted.pop(request.key, None)
        await self._storage.replace_by_nothing(entry)
        raise NotFound("upstream has no such document")

    async def _is_sure(self, request: DocumentRequest) -> bool:
        """Say if what we hold is to go: upstream stands by it for a while, and is well otherwise."""
        since = self._doubted.get(request.key)
        if since is None:
            _remember(self._doubted, request.key, self._now())
        if since is None or self._now() - since < GONE_AFTER:
            return False
        return request.may_go is None or await request.may_go()

    async def _confirmed(self, held: CacheEntry | None, head: Head) -> Document:
        assert held is not None, "304 is welcome only where a copy is held"
        times = evolve(held, requested_at=head.requested_at, received_at=head.received_at)
        return Document(entry=await self._storage.confirm(times), outcome=Outcome.REVALIDATED)

    def _entry(self, request: DocumentRequest, head: Head) -> CacheEntry:
        kept = [(name, value) for name, value in head.headers if name.lower() in KEPT_FIELDS]
        return head.entry(request.key, [*kept, *self._marks(request)])

    def _marks(self, request: DocumentRequest) -> list[tuple[str, str]]:
        marks = ((MARKER, request.digest), (ORIGIN, self._origin or None))
        return [(name, value) for name, value in marks if value is not None]

    def _is_ours(self, entry: CacheEntry) -> bool:
        return entry.header(ORIGIN) in {None, self._origin}

    def _backwards(self, held: CacheEntry, head: Head) -> bool:
        ours, theirs = read_date(held.header("last-modified")), read_date(head.header("last-modified"))
        if head.status != 200 or ours is None or theirs is None or theirs >= ours:
            return False
        if ours > self._now():  # upstream's clock was wrong
            return False
        return self._now() - held.received_at < BACKWARDS_FOR


def _remember(memory: OrderedDict[str, datetime], key: str, now: datetime) -> None:
    memory[key] = now
    memory.move_to_end(key)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)


def _conditions(held: CacheEntry | None) -> tuple[tuple[str, str], ...]:
    """Return the validators to send. Source: RFC 9110 section 13.1; only what upstream itself gave."""
    if held is None:
        return ()
    pairs = (("If-None-Match", held.header("etag")), ("If-Modified-Since", held.header("last-modified")))
    return tuple((name, value) for name, value in pairs if value is not None)


def moved_to(document: Document) -> str | None:
    """Return the address that gave a document, where redirects led to another one than was asked."""
    return document.entry.header(MOVED)


def _digest_of(entry: CacheEntry) -> str | None:
    return entry.header(MARKER)


def _noting(entry: CacheEntry | None, head: Head, asked: str) -> CacheEntry | None:
    """Write down where the document came from, where redirects led elsewhere."""
    if entry is None or unquote(head.url) == unquote(asked):
        return entry
    return evolve(entry, headers=(*entry.headers, (MOVED, head.url)))


MOVED = "x-packeton-moved"
ORIGIN = "x-packeton-origin"
"""Which upstream a document is from."""
MARKER = "x-packeton-digest"
"""A field of ours beside upstream's: the hash that the content was held against."""
KEPT_FIELDS = frozenset({"content-type", "date", "etag", "last-modified"})


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()
