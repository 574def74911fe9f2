"""
A shared HTTP cache in front of one origin, by RFC 9111.

Theory of operation: GET and HEAD are answered from the store when `core/caching` says so; else the origin is asked
(`origin.py`), conditionally where a stored response has validators, and its body goes to the client while it is stored.
Everything else passes through, and a success invalidates what it may have changed.
"""

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from packeton.core.caching import conditions
from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import Directives, Fields, read_date, without
from packeton.core.caching.freshness import Verdict, current_age, judge, may_serve_after_failure
from packeton.core.caching.invalidation import changed_targets, invalidates
from packeton.errors import NotFound, PacketonError, UpstreamFailed
from packeton.features.caching.fills import Fills
from packeton.features.caching.spools import Follower
from packeton.features.caching.storage import Storage
from packeton.features.proxying.origin import Origin, Outcome, ProxyRequest
from packeton.interfaces.blobs import IBlob
from packeton.interfaces.clocks import Now
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits

__all__ = ["Answer", "Exchange", "PassingAnswer", "PlainAnswer", "ProxyRequest", "StoredAnswer"]

log = Logger()

READ = frozenset({"GET", "HEAD"})


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
    """One mount; see `Origin` for the arguments."""

    _name: str
    _url: str
    _client: IHttpClient
    _storage: Storage
    _fills: Fills
    _now: Now
    _limits: UpstreamLimits
    _origin: Origin = field(
        init=False,
        default=Factory(
            lambda self: Origin(
                name=self._name,
                url=self._url,
                client=self._client,
                storage=self._storage,
                fills=self._fills,
                now=self._now,
                limits=self._limits,
            ),
            takes_self=True,
        ),
    )
    _behind: set[tuple[str, str]] = field(factory=set, init=False)
    """Key and variant of the entries that are revalidated in the background."""

    async def answer(self, request: ProxyRequest) -> Answer:
        """
        Answer one request.

        Raises:
            UpstreamFailed (and kinds): the origin gave nothing, and nothing that is stored may be used.
        """
        if request.method not in READ:
            return await self._pass_on(request)
        entry = await self._origin.stored(request)
        if entry is not None:
            verdict = judge(entry, request.headers, self._now())
            if verdict is Verdict.SERVE_AND_REVALIDATE:
                self._revalidate_behind(entry, request)
            if verdict is not Verdict.REVALIDATE:
                stored = await self._stored(entry, request)
                if stored is not None:
                    return stored
                entry = None
        if "only-if-cached" in Directives.read(request.headers):
            return PlainAnswer(status=504)
        return await self._ask(request, entry)

    async def _pass_on(self, request: ProxyRequest) -> Answer:
        outcome = await self._origin.ask(request, None)
        answer = await self._passing(outcome, request)
        if invalidates(request.method, answer.status):
            await self._origin.invalidate(changed_targets(self._url, request.target, answer.headers))
        return answer

    async def _ask(self, request: ProxyRequest, entry: CacheEntry | None) -> Answer:
        """Ask the origin; if it fails, serve what is stored where that is allowed."""
        asked = request if entry is None else evolve(request, method="GET")
        try:
            outcome = await self._origin.shared(asked, entry)
        except UpstreamFailed:
            stale = await self._after_failure(entry, request)
            if stale is None:
                raise
            return stale
        if outcome.confirmed is not None:
            stored = await self._stored(outcome.confirmed, request)
            return stored or await self._passing(await self._origin.ask(asked, None), asked)
        if outcome.said.head.status >= 500:
            stale = await self._after_failure(entry, request)
            if stale is not None:
                _let_go(outcome)
                return stale
        return await self._passing(outcome, asked)

    async def _passing(self, outcome: Outcome, request: ProxyRequest) -> Answer:
        """Follow the body that comes, or take it from the store when it has come."""
        follower = outcome.fill.follow()
        if follower is not None:
            headers = outcome.said.headers()
            if outcome.said.request is not request:  # asked for by another client
                age = current_age(outcome.said.entry(), self._now())
                headers = (*without(headers, {"age"}), _age(age.total_seconds()))
            said = outcome.said
            return PassingAnswer(
                status=said.head.status, headers=headers, length=said.length, follower=follower
            )
        entry = await outcome.fill.done()
        stored = None if entry is None else await self._stored(entry, request)
        if stored is None:
            raise UpstreamFailed(f"{outcome.said.head.url}: the answer is gone")
        return stored

    async def _after_failure(
        self, entry: CacheEntry | None, request: ProxyRequest
    ) -> StoredAnswer | PlainAnswer | None:
        if entry is None or not may_serve_after_failure(entry, request.headers, self._now()):
            return None
        return await self._stored(entry, request)

    def _revalidate_behind(self, entry: CacheEntry, request: ProxyRequest) -> None:
        place = (entry.key, entry.variant)
        if place in self._behind:
            return
        self._behind.add(place)
        plain = without(request.headers, conditions.CONDITIONS | {"range"})

        async def work() -> None:
            try:
                outcome = await self._origin.shared(evolve(request, method="GET", headers=plain), entry)
                if outcome.confirmed is None:
                    _let_go(outcome)
            except PacketonError as error:
                log.info("{key} was not revalidated: {why}", key=entry.key, why=str(error))
            finally:
                self._behind.discard(place)

        Deferred.fromCoroutine(work()).addErrback(lambda failure: log.failure("A revalidation broke", failure))

    async def _stored(self, entry: CacheEntry, request: ProxyRequest) -> StoredAnswer | PlainAnswer | None:
        """Return a stored response, or the 304 that it means for this client; None when its body has gone."""
        told = Directives.read(entry.headers)
        hidden = told.names("no-cache") | told.names("private") | {"age"}
        headers = (*without(entry.headers, hidden), _age(current_age(entry, self._now()).total_seconds()))
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
        return StoredAnswer(status=entry.status, headers=headers, blob=blob, etag=etag, last_modified=modified)


def _age(seconds: float) -> tuple[str, str]:
    """Return the Age of what is served from here. Source: RFC 9111 section 5.1."""
    return ("Age", str(max(0, int(seconds))))


def _let_go(outcome: Outcome) -> None:
    """Nobody here reads this body; it is stored nonetheless if it may be."""
    follower = outcome.fill.follow()
    if follower is not None:
        follower.close()
