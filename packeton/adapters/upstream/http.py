"""
HttpClient: treq and Agent with limits on time, size, redirects and addresses.

Theory of operation: a request waits for its host's turn, connects (through a proxy where one is set), and is followed
over redirects by ourselves, so that credentials are chosen anew for each origin. A redirect may lead to the host that
was asked, to hosts that the operator configured, and to public addresses, but to no other private one.
"""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.interfaces import IPushProducer
from twisted.web.http_headers import Headers as WireHeaders
from twisted.web.iweb import IResponse
from zope.interface import implementer

from packeton.adapters.upstream.bodies import BodyLimits, BodyReader, FixedBody, discard
from packeton.adapters.upstream.connections import connection_values
from packeton.adapters.upstream.decoding import Gunzip
from packeton.adapters.upstream.failures import failure_of, was_cancelled
from packeton.adapters.upstream.hosts import Turns, retry_after
from packeton.adapters.upstream.sending import coding_of, send_with_treq
from packeton.adapters.upstream.targets import followed, host_of, plain, sendable
from packeton.adapters.upstream.transport import HttpTransport
from packeton.core.caching.fields import first_of
from packeton.core.composer.credentials import Credentials, origin_of
from packeton.errors import UpstreamFailed, UpstreamTimedOut
from packeton.interfaces.clocks import now_of
from packeton.interfaces.upstream import Headers, IBodyReceiver, IHttpClient, IUpstreamResponse, UpstreamRequest

__all__ = ["HttpClient", "HttpTransport", "OnExchange"]

OnExchange = Callable[[str, str, float | None, int], None]
"""Takes host, status or kind of failure, seconds to the head (None without one), and bytes of the body."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOR_ANYONE = frozenset({
    "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "if-match", "if-modified-since",
    "if-none-match", "if-range", "if-unmodified-since", "pragma", "range", "user-agent", "via",
})  # fmt: skip
"""What of a request goes on to another origin; anything else may be a secret between the caller and the first one."""


@implementer(IUpstreamResponse)
@define(eq=False)
class _Response:
    status: int
    headers: Headers
    length: int | None
    url: str
    _reactor: Any
    _answer: IResponse
    _limits: BodyLimits
    _release: Callable[[str, int], None]
    _decoder: Gunzip | None

    def deliver(self, receiver: IBodyReceiver) -> IPushProducer:
        """Send the body to *receiver*."""
        reader = BodyReader(self._answer, receiver, self._reactor, self._limits, self._release, self._decoder)
        self._answer.deliverBody(reader)
        return reader

    def abort(self) -> None:
        """Drop the body."""
        discard(self._answer, self._reactor)
        self._release("abandoned", 0)


@frozen(kw_only=True)
class _Hop:
    """One request on its way over redirects."""

    url: str
    headers: Headers
    guarded: bool = False
    exposed: bool = False
    """We came here from https, and this is http: no credentials."""


@implementer(IHttpClient)
@define
class HttpClient:
    """Asks one upstream, and where its redirects lead."""

    _transport: HttpTransport
    _credentials: Credentials
    _configured: Collection[str]
    """Host names that the operator configured; they may have any address."""
    _on_exchange: OnExchange = field(default=lambda *_: None)

    async def request(self, request: UpstreamRequest) -> IUpstreamResponse:
        """Send *request* and wait for the head, over redirects."""
        seconds = request.limits.response_timeout.total_seconds()
        asked: list[str] = []
        exchange = self._transport.track(self._follow(request, asked))
        exchange.addTimeout(seconds, self._transport.reactor)
        try:
            return await exchange
        except DeferredTimedOut as error:
            self._on_exchange(host_of(asked[-1] if asked else request.url), "timeout", None, 0)
            raise UpstreamTimedOut(f"{plain(request.url)}: no answer within {seconds:g} seconds") from error
        except UpstreamFailed as error:
            self._on_exchange(host_of(asked[-1] if asked else request.url), type(error).__name__, None, 0)
            raise
        except CancelledError as error:
            if not self._transport.closing:
                raise
            raise UpstreamFailed(f"{plain(request.url)}: given up, we are stopping") from error

    async def _follow(self, request: UpstreamRequest, asked: list[str]) -> IUpstreamResponse:
        """Send the request from hop to hop; *asked* takes the URL of each."""
        hop = _Hop(url=sendable(request.url), headers=request.headers)
        while True:
            asked.append(hop.url)
            response = await self._send(hop, request)
            location = first_of(response.headers, "location")
            follows = request.follow_redirects and request.method in {"GET", "HEAD"}
            if response.status not in REDIRECTS or location is None or not follows:
                return response
            response.abort()
            hop = self._next(hop, location, asked[0])
            if hop.url in asked:
                raise UpstreamFailed(f"{plain(request.url)}: redirects lead in a circle")
            if len(asked) > request.limits.max_redirects:
                raise UpstreamFailed(f"{plain(request.url)}: more than {request.limits.max_redirects} redirects")

    def _next(self, hop: _Hop, location: str, first: str) -> _Hop:
        url = followed(hop.url, location)
        here, there = urlsplit(hop.url), urlsplit(url)
        headers = hop.headers
        if (here.scheme, origin_of(hop.url)) != (there.scheme, origin_of(url)):
            headers = tuple(pair for pair in headers if pair[0].lower() in FOR_ANYONE)
        return _Hop(
            url=url,
            headers=headers,
            guarded=there.hostname != urlsplit(first).hostname and there.hostname not in self._configured,
            exposed=there.scheme == "http" and (hop.exposed or here.scheme == "https"),
        )

    async def _send(self, hop: _Hop, request: UpstreamRequest) -> IUpstreamResponse:
        reactor, hosts = self._transport.reactor, self._transport.hosts
        origin, realm = origin_of(hop.url), "" if hop.exposed else self._credentials.realm_of(hop.url)
        turns = await hosts.enter(origin, realm)
        began = reactor.seconds()
        try:
            answer = await self._exchange(hop, request)
        except BaseException:
            turns.release()
            raise
        seconds = reactor.seconds() - began
        headers = (*_fields(answer.headers), *(("Connection", value) for value in connection_values(answer)))
        if answer.code in {429, 503}:
            silence = retry_after(first_of(headers, "retry-after"), now_of(reactor)())
            if silence is not None:
                hosts.silence(origin, silence, realm)
        decoder = coding_of(answer)
        return _Response(
            status=answer.code,
            headers=headers,
            length=answer.length if isinstance(answer.length, int) and decoder is None else None,
            url=plain(hop.url),
            reactor=reactor,
            answer=answer,
            limits=BodyLimits.of(request.limits, plain(hop.url)),
            release=self._releaser(turns, host_of(hop.url), answer.code, seconds),
            decoder=decoder,
        )

    def _releaser(self, turns: Turns, host: str, status: int, seconds: float) -> Callable[[str, int], None]:
        released = False

        def release(outcome: str, size: int) -> None:
            nonlocal released
            if not released:
                released = True
                self._on_exchange(host, str(status) if outcome in {"complete", "abandoned"} else outcome, seconds, size)
                turns.release()

        return release

    async def _exchange(self, hop: _Hop, request: UpstreamRequest) -> Any:
        """Send one request; return Twisted's own response."""
        body = None if request.body is None else FixedBody(request.body)
        try:
            agent, fields = self._transport.agent(hop.url, guarded=hop.guarded)
            headers = self._headers(hop, fields)
            # What is coded has other byte positions than what we deliver: no coding for a part.
            if request.decode and not headers.hasHeader("range"):
                return await send_with_treq(agent, request.method, hop.url, headers, body)
            return await agent.request(request.method.encode("ascii"), hop.url.encode("ascii"), headers, body)
        except Exception as error:
            if was_cancelled(error):
                raise CancelledError from error
            raise failure_of(error, hop.url) from error

    def _headers(self, hop: _Hop, fields: Headers) -> WireHeaders:
        """Return the caller's fields, then ours; a credential of ours takes the place of the caller's."""
        headers = WireHeaders()
        for name, value in hop.headers:
            headers.addRawHeader(name, value)
        ours = (*fields, *(() if hop.exposed else self._credentials.fields_for(hop.url)))
        for name, _ in ours:
            headers.removeHeader(name)
        for name, value in ours:
            headers.addRawHeader(name, value)
        if not headers.hasHeader("user-agent"):
            headers.setRawHeaders("user-agent", [self._transport.user_agent])
        return headers


def _fields(headers: WireHeaders) -> Headers:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in headers.getAllRawHeaders()
        for value in values
    )
