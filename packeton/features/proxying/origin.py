"""
One origin behind a proxy mount: asking it, once for all who may share the answer, and keeping what may be kept.

Theory of operation: a question becomes a flight until its head is in (and, for a 304, the stored response updated).
Who asks for the same target meanwhile waits for that head only, and shares the answer if a cache could have reused it
for them; else they ask for themselves, and the target is remembered as one where waiting does not pay. Who comes
later, while the body is under way, follows it on the same terms. An unsafe request ends all of that for the targets it
changes: nothing that was asked for before is stored or shared after. Source: RFC 9111 sections 4 and 4.4.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from packeton.core.caching import conditions
from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import Directives, Fields, end_to_end, http_date, values_of, without
from packeton.core.caching.freshness import Verdict, judge, may_be_stored
from packeton.core.caching.keys import proxy_key
from packeton.core.caching.variants import choose, selecting_fields, variant_of
from packeton.errors import StorageFailed
from packeton.features.caching.fills import Fill, Fills, Head, Plan
from packeton.features.caching.flights import Flights
from packeton.features.caching.storage import Storage
from packeton.interfaces.clocks import Now
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["Origin", "Outcome", "ProxyRequest", "Said"]

log = Logger()

OWN_FIELDS = frozenset({"host", "content-length", "expect"})
"""Fields of a request that belong to our connection with the origin."""
MAX_VARIANTS = 64
"""Responses that are kept of one target; a client can make up as many as it likes."""
MAX_UNSHARED = 10_000


@frozen(kw_only=True)
class ProxyRequest:
    """What a client asks for."""

    method: str
    target: str
    """Path and query below the mount, as they came; begins with a slash, or is empty or a query."""
    headers: Fields
    body: bytes | None = None


@frozen(kw_only=True, eq=False)
class Said:
    """The head that the origin gave to `request`."""

    request: ProxyRequest
    key: str
    head: Head

    @property
    def length(self) -> int | None:
        """Bytes of the body; for HEAD, of the body that GET would get. None when the origin did not say."""
        if self.request.method != "HEAD":
            return self.head.length
        told = self.head.header("content-length") or ""
        return int(told) if re.fullmatch(r"[0-9]{1,18}", told) else None

    def headers(self) -> Fields:
        """Return the response's fields for clients; the length is not among them. Source: RFC 9110 section 6.6.1."""
        fields = without(end_to_end(self.head.headers), {"content-length"})
        if not values_of(fields, "date"):
            fields = (*fields, ("Date", http_date(self.head.received_at)))
        return fields

    def storable(self, request: ProxyRequest) -> bool:
        """Say if the response may be stored, had *request* asked for it."""
        return may_be_stored(request.method, request.headers, self.head.status, self.head.headers)

    def entry(self) -> CacheEntry:
        """Return what is to be stored: without body, and without the fields that are one client's."""
        head = self.head
        selecting = selecting_fields(self.request.headers, head.headers)
        headers = without(self.headers(), Directives.read(head.headers).names("private"))
        return head.entry(
            self.key, headers, status=head.status, variant=variant_of(selecting), selecting=selecting
        )


@frozen(kw_only=True, eq=False)
class Outcome:
    """An answer of the origin: a head, and a body on its way; or that a stored response still holds."""

    said: Said
    fill: Fill
    confirmed: CacheEntry | None = None
    """The updated entry, after a 304 to our own validators; there is no body to follow then."""


@define
class Origin:
    """One origin, and its part of the store."""

    _name: str
    url: str
    """Base URL, without credentials and without a slash at the end."""
    _client: IHttpClient
    _storage: Storage
    _fills: Fills
    _now: Now
    _limits: UpstreamLimits
    _flights: Flights[Outcome] = field(factory=Flights, init=False)
    _coming: dict[str, Outcome] = field(factory=dict, init=False)
    """By key: the body under way that others may follow."""
    _storing: dict[str, set[Fill]] = field(factory=dict, init=False)
    """By key: fills whose body may be stored."""
    _unshared: OrderedDict[str, None] = field(factory=OrderedDict, init=False)
    """Keys whose last answer could not be shared; the oldest are forgotten."""
    _turn: int = field(default=0, init=False)
    """Counts invalidations; a flight from before the last one is joined by nobody."""

    async def stored(self, request: ProxyRequest) -> CacheEntry | None:
        """Return the stored response that matches; one that has come in whole and is being stored is waited for."""
        key = self._key(request.target)
        for fill in tuple(self._storing.get(key, ())):
            if fill.arrived:
                await fill.settled()
        return choose(await self._storage.variants(key), request.headers)

    async def shared(self, request: ProxyRequest, held: CacheEntry | None) -> Outcome:
        """
        Ask for *request*, or share what somebody else asked for; *held* is validated if it has validators.

        Raises:
            UpstreamFailed (and kinds): no answer came; those who waited for the same question fail with it.
        """
        key = self._key(request.target)
        if request.method != "GET" or _is_special(request.headers):
            return await self.ask(request, held)
        outcome = self._coming.get(key)
        if outcome is None:
            if key in self._unshared:
                return await self._lead(request, held)
            outcome = await self._flights.join(f"{self._turn} {key}", lambda: self._lead(request, held))
        if outcome.said.request is request or self._may_share(outcome, request):
            return outcome
        return await self.ask(request, held)

    async def ask(self, request: ProxyRequest, held: CacheEntry | None) -> Outcome:
        """Ask the origin for this request alone. A 304 that confirms *held* updates it in the store."""
        turn, key = self._turn, self._key(request.target)
        fill = self._start(request, held)
        head = await fill.head()
        said = Said(request=request, key=key, head=head)
        outcome = Outcome(said=said, fill=fill)
        if head.status != 304 or held is None:
            return outcome
        confirmed = evolve(
            held,
            headers=conditions.updated_headers(held.headers, said.headers()),
            requested_at=head.requested_at,
            received_at=head.received_at,
        )
        if turn == self._turn:
            confirmed = await self._storage.confirm(confirmed)
        return evolve(outcome, confirmed=confirmed)

    async def invalidate(self, targets: Iterable[str]) -> None:
        """Forget these targets, and what is asked or stored for them now. Source: RFC 9111 section 4.4."""
        self._turn += 1
        for key in map(self._key, targets):
            self._coming.pop(key, None)
            fills = tuple(self._storing.get(key, ()))
            for fill in fills:
                fill.forget()
            for fill in fills:
                if fill.arrived:
                    await fill.settled()
            try:
                await self._storage.remove(key)
            except StorageFailed as error:
                log.warn("{key} could not be invalidated: {why}", key=key, why=str(error))

    async def _lead(self, request: ProxyRequest, held: CacheEntry | None) -> Outcome:
        turn = self._turn
        outcome = await self.ask(request, held)
        key = outcome.said.key
        if turn == self._turn and self._may_share(outcome, request):
            self._unshared.pop(key, None)
            if outcome.confirmed is None:
                self._coming[key] = outcome
                outcome.fill.done().addBoth(lambda _: self._came(outcome))
        elif outcome.said.head.status < 500:
            self._unshared[key] = None
            if len(self._unshared) > MAX_UNSHARED:
                self._unshared.popitem(last=False)
        return outcome

    def _came(self, outcome: Outcome) -> None:
        if self._coming.get(outcome.said.key) is outcome:
            del self._coming[outcome.said.key]

    def _may_share(self, outcome: Outcome, request: ProxyRequest) -> bool:
        """Say if a cache that had stored this could answer *request* with it. Source: RFC 9111 section 4."""
        if outcome.confirmed is None and not outcome.said.storable(request):
            return False
        entry = outcome.confirmed or outcome.said.entry()
        if choose((entry,), request.headers) is None:
            return False
        return judge(entry, request.headers, self._now()) is not Verdict.REVALIDATE

    def _start(self, request: ProxyRequest, held: CacheEntry | None) -> Fill:
        key = self._key(request.target)
        headers = request.headers if held is None else conditions.validators(held, request.headers)
        asked = UpstreamRequest(
            method=request.method,
            url=self.url + request.target,
            headers=(*without(end_to_end(headers), OWN_FIELDS), ("Via", "1.1 packeton")),
            body=request.body,
            limits=self._limits,
            follow_redirects=False,
            decode=False,
        )

        def keep(head: Head) -> CacheEntry | None:
            said = Said(request=request, key=key, head=head)
            return said.entry() if said.storable(request) else None

        plan = Plan(key=key, client=self._client, requests=(asked,), welcome=lambda _: True, keep=keep, retries=0)
        fill = self._fills.start(plan)
        if request.method == "GET":
            self._storing.setdefault(key, set()).add(fill)
            fill.done().addBoth(lambda kept: self._landed(key, fill, kept))
        return fill

    def _landed(self, key: str, fill: Fill, kept: object) -> None:
        fills = self._storing.get(key, set())
        fills.discard(fill)
        if not fills:
            self._storing.pop(key, None)
        if isinstance(kept, CacheEntry) and kept.variant:
            trimmed = Deferred.fromCoroutine(self._trim(key))
            trimmed.addErrback(lambda failure: log.failure("Variants could not be trimmed", failure))

    async def _trim(self, key: str) -> None:
        """Keep the MAX_VARIANTS that came in last, and what is pinned."""
        for entry in tuple(await self._storage.variants(key))[MAX_VARIANTS:]:
            if not entry.pinned:
                await self._storage.remove(key, entry.variant)

    def _key(self, target: str) -> str:
        return proxy_key(self._name, target)


def _is_special(headers: Fields) -> bool:
    """Say if a request asks for something of its own, which others cannot share."""
    asked = Directives.read(headers)
    names = {name.lower() for name, _ in headers}
    own = names & (conditions.CONDITIONS | {"range", "authorization", "pragma"})
    return bool(own) or "no-cache" in asked or "no-store" in asked
