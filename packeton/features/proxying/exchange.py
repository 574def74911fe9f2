"""
A shared HTTP cache in front of one origin, by RFC 9111.

Theory of operation: GET and HEAD are answered from the store when `core/caching` says so; else a fill asks the origin,
conditionally where a stored response has validators, and its body goes to the client while it is stored. Concurrent
misses of one key follow one fill, but only once its head shows that the response may be shared with them. Everything
else passes through, and a success invalidates what it may have changed.
"""

from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from packeton.core.caching import conditions
from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import Directives, Fields, end_to_end, read_date, values_of, without
from packeton.core.caching.freshness import Verdict, current_age, judge, may_be_stored, may_serve_after_failure
from packeton.core.caching.keys import proxy_key
from packeton.core.caching.variants import choose, selecting_fields, variant_of
from packeton.errors import NotFound, PacketonError, StorageFailed, UpstreamFailed
from packeton.features.caching.fills import Fill, Fills, Head, Plan
from packeton.features.caching.spools import Follower
from packeton.features.caching.storage import Storage
from packeton.interfaces.blobs import IBlob
from packeton.interfaces.clocks import Now
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["Exchange", "PassingAnswer", "PlainAnswer", "ProxyRequest", "StoredAnswer"]

log = Logger()

READ = frozenset({"GET", "HEAD"})
SAFE = READ | {"OPTIONS", "TRACE"}
OWN_FIELDS = frozenset({"host", "content-length"})
"""Fields of a request that belong to our connection with the origin."""


@frozen(kw_only=True)
class ProxyRequest:
    """What a client asks for."""

    method: str
    target: str
    """Path and query below the mount, as they came; begins with a slash, or is empty or a query."""
    headers: Fields
    body: bytes | None = None


@frozen(kw_only=True)
class StoredAnswer:
    """A stored response; the caller applies ranges, and closes `blob`."""

    status: int
    headers: Fields
    blob: IBlob
    etag: str | None
    last_modified: str | None


@frozen(kw_only=True)
class PassingAnswer:
    """A response on its way from the origin; the caller closes `follower`."""

    status: int
    headers: Fields
    length: int | None
    follower: Follower


@frozen(kw_only=True)
class PlainAnswer:
    """A response without a body, or with a word of our own."""

    status: int
    headers: Fields = ()
    body: bytes = b""


Answer = StoredAnswer | PassingAnswer | PlainAnswer


@define
class Exchange:
    """One origin."""

    _name: str
    _url: str
    """Base URL of the origin, without credentials and without a slash at the end."""
    _client: IHttpClient
    _storage: Storage
    _fills: Fills
    _now: Now
    _limits: UpstreamLimits
    _asking: dict[str, ProxyRequest] = field(factory=dict, init=False)
    _behind: set[tuple[str, str]] = field(factory=set, init=False)

    async def answer(self, request: ProxyRequest) -> Answer:
        """
        Answer one request.

        Raises:
            UpstreamFailed (and kinds): the origin gave nothing, and nothing that is stored may be used.
        """
        if request.method not in READ:
            return await self._pass_on(request)
        asked = Directives.read(request.headers)
        entry = await self._find(request)
        verdict = None if entry is None else judge(entry, request.headers, self._now())
        if entry is not None and verdict in {Verdict.SERVE, Verdict.SERVE_AND_REVALIDATE}:
            stored = await self._stored(entry, request)
            if verdict is Verdict.SERVE_AND_REVALIDATE:
                self._revalidate_behind(entry, request)
            if stored is not None:
                return stored
        if "only-if-cached" in asked:
            return PlainAnswer(status=504)
        if entry is not None and verdict is Verdict.REVALIDATE:
            return await self._revalidate(entry, request)
        return await self._miss(request)

    async def _find(self, request: ProxyRequest) -> CacheEntry | None:
        """Return the stored response that matches; one that has come in whole and is being stored is waited for."""
        key = self._key(request.target)
        fill = self._fills.running(key)
        if fill is not None and fill.arrived:
            await fill.settled()
        return choose(await self._storage.variants(key), request.headers)

    async def _pass_on(self, request: ProxyRequest) -> Answer:
        answer = await self._ask(request, request.headers, storing=False)
        if request.method not in SAFE and 200 <= answer.status < 400:
            await self._invalidate(request.target, answer.headers)
        return answer

    async def _invalidate(self, target: str, headers: Fields) -> None:
        """Forget what an unsafe request may have changed. Source: RFC 9111 section 4.4."""
        targets = {target}
        for name in ("location", "content-location"):
            for value in values_of(headers, name):
                targets.update(self._target_of(urljoin(self._url + target, value.strip())))
        for changed in targets:
            fill = self._fills.running(self._key(changed))
            if fill is not None:
                fill.forget()
                if fill.arrived:
                    await fill.settled()
            try:
                await self._storage.remove(self._key(changed))
            except StorageFailed as error:
                log.warn("{key} could not be invalidated: {why}", key=self._key(changed), why=str(error))

    def _target_of(self, url: str) -> Sequence[str]:
        """Return the target of a URL of this origin; nothing for another one's, which must not be touched."""
        base, parts = urlsplit(self._url), urlsplit(url)
        if (parts.scheme, parts.netloc) != (base.scheme, base.netloc) or not parts.path.startswith(base.path):
            return ()
        return (parts.path[len(base.path) :] + (f"?{parts.query}" if parts.query else ""),)

    async def _miss(self, request: ProxyRequest) -> Answer:
        shared = await self._shared(request)
        return shared or await self._ask(request, request.headers, storing=True)

    async def _shared(self, request: ProxyRequest) -> Answer | None:
        """Follow a fill under way, if its response may answer this request too."""
        key = self._key(request.target)
        fill, other = self._fills.running(key), self._asking.get(key)
        if fill is None or other is None or request.method != "GET" or _is_special(request.headers):
            return None
        try:
            head = await fill.head()
        except UpstreamFailed:
            return None
        selected = selecting_fields(request.headers, head.headers) == selecting_fields(other.headers, head.headers)
        if not selected or not may_be_stored("GET", request.headers, head.status, head.headers):
            return None
        follower = fill.follow()
        if follower is not None:
            return _passing(head, follower)
        await fill.settled()
        entry = await self._find(request)
        return None if entry is None else await self._stored(entry, request)

    async def _revalidate(self, entry: CacheEntry, request: ProxyRequest) -> Answer:
        as_get = evolve(request, method="GET")
        try:
            answer = await self._ask(as_get, conditions.validators(entry, request.headers), storing=True, held=entry)
        except UpstreamFailed:
            stored = await self._after_failure(entry, request)
            if stored is None:
                raise
            return stored
        if answer.status == 304 and isinstance(answer, PlainAnswer):
            updated = (await self._storage.find(entry.key, entry.variant)) or entry
            return await self._stored(updated, request) or await self._miss(request)
        if answer.status >= 500 and isinstance(answer, PassingAnswer):
            stored = await self._after_failure(entry, request)
            if stored is not None:
                answer.follower.close()
                return stored
        return answer

    async def _after_failure(self, entry: CacheEntry, request: ProxyRequest) -> StoredAnswer | None:
        if not may_serve_after_failure(entry, request.headers, self._now()):
            return None
        stored = await self._stored(entry, request)
        return stored if isinstance(stored, StoredAnswer) else None

    def _revalidate_behind(self, entry: CacheEntry, request: ProxyRequest) -> None:
        place = (entry.key, entry.variant)
        if place in self._behind:
            return
        self._behind.add(place)

        async def work() -> None:
            try:
                answer = await self._revalidate(entry, evolve(request, method="GET"))
                if isinstance(answer, PassingAnswer):
                    answer.follower.close()
                elif isinstance(answer, StoredAnswer):
                    answer.blob.close()
            except PacketonError as error:
                log.info("{key} was not revalidated: {why}", key=entry.key, why=str(error))
            finally:
                self._behind.discard(place)

        Deferred.fromCoroutine(work()).addErrback(lambda failure: log.failure("A revalidation broke", failure))

    async def _ask(
        self, request: ProxyRequest, headers: Fields, *, storing: bool, held: CacheEntry | None = None
    ) -> Answer:
        """Ask the origin. A 304 that confirms *held* updates it and is a PlainAnswer."""
        fill = self._start(request, headers, storing=storing)
        head = await fill.head()
        if head.status == 304 and held is not None:
            headers = conditions.updated_headers(held.headers, head.headers)
            times = evolve(held, headers=headers, requested_at=head.requested_at, received_at=head.received_at)
            await self._storage.confirm(times)
            return PlainAnswer(status=304)
        follower = fill.follow()
        if follower is not None:
            return _passing(head, follower)
        entry = await fill.done()
        stored = None if entry is None else await self._stored(entry, request)
        if stored is None:
            raise UpstreamFailed(f"{head.url}: the answer is gone")
        return stored

    def _start(self, request: ProxyRequest, headers: Fields, *, storing: bool) -> Fill:
        key = self._key(request.target)

        def keep(head: Head) -> CacheEntry | None:
            if not storing or not may_be_stored(request.method, request.headers, head.status, head.headers):
                return None
            return _entry(key, request, head)

        sent = (*without(end_to_end(headers), OWN_FIELDS), ("Via", "1.1 packeton"))
        asked = UpstreamRequest(
            method=request.method,
            url=self._url + request.target,
            headers=sent,
            body=request.body,
            limits=self._limits,
            follow_redirects=False,
            decode=False,
        )
        shareable = storing and request.method == "GET" and not _is_special(headers)
        plan = Plan(
            key=key if shareable else f"{key} alone",
            client=self._client,
            requests=(asked,),
            welcome=lambda _: True,
            keep=keep,
            retries=0,
        )
        if shareable:
            self._asking[key] = request
        fill = self._fills.start(plan)
        fill.done().addBoth(lambda _: self._forget_asking(key, request))
        return fill

    def _forget_asking(self, key: str, request: ProxyRequest) -> None:
        if self._asking.get(key) is request:
            del self._asking[key]

    async def _stored(self, entry: CacheEntry, request: ProxyRequest) -> StoredAnswer | PlainAnswer | None:
        """Return a stored response, or the 304 that it means for this client; None when its body has gone."""
        told = Directives.read(entry.headers)
        hidden = told.names("no-cache") | told.names("private") | {"age"}
        age = max(0, int(current_age(entry, self._now()).total_seconds()))
        headers = (*without(entry.headers, hidden), ("Age", str(age)))
        etag, modified = entry.header("etag"), entry.header("last-modified")
        if entry.status == 200:
            moment = read_date(modified) or read_date(entry.header("date"))
            outcome = conditions.evaluate(request.headers, etag=etag, last_modified=moment)
            if outcome is conditions.Outcome.NOT_MODIFIED:
                return PlainAnswer(status=304, headers=without(headers, {"content-length", "content-type"}))
        try:
            blob = await self._storage.open(entry)
        except NotFound:
            return None
        return StoredAnswer(
            status=entry.status, headers=headers, blob=blob, etag=etag, last_modified=modified
        )

    def _key(self, target: str) -> str:
        return proxy_key(self._name, target)


def _is_special(headers: Fields) -> bool:
    """Say if a request asks for something of its own, which others cannot share."""
    asked = Directives.read(headers)
    names = {name.lower() for name, _ in headers}
    own = names & (conditions.CONDITIONS | {"range", "authorization"})
    return bool(own) or "no-cache" in asked or "no-store" in asked


def _passing(head: Head, follower: Follower) -> PassingAnswer:
    headers = without(end_to_end(head.headers), {"content-length"})
    return PassingAnswer(status=head.status, headers=headers, length=head.length, follower=follower)


def _entry(key: str, request: ProxyRequest, head: Head) -> CacheEntry:
    selecting = selecting_fields(request.headers, head.headers)
    told = Directives.read(head.headers)
    return CacheEntry(
        key=key,
        variant=variant_of(selecting),
        status=head.status,
        headers=without(end_to_end(head.headers), told.names("private") | {"content-length"}),
        selecting=selecting,
        requested_at=head.requested_at,
        received_at=head.received_at,
        stored_at=head.received_at,
        blob="",
        size=0,
        sha256="",
        used_at=head.received_at,
    )
