"""
HttpClient: treq and Agent with limits on time, size, redirects and addresses.

Theory of operation: a request waits for its host's turn, connects (through a proxy where one is set), and is followed
over redirects by ourselves, so that credentials are chosen anew for each origin. A redirect may lead to the host that
was asked, to hosts that the operator configured, and to public addresses, but to no other private one.
"""

import platform
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from attrs import define, field, frozen
from treq.client import HTTPClient as TreqClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectBindError, ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.interfaces import IPushProducer
from twisted.web.client import Agent, HTTPConnectionPool, ProxyAgent, ResponseFailed
from twisted.web.http_headers import Headers as WireHeaders
from twisted.web.iweb import IAgent, IBodyProducer
from zope.interface import implementer

from packeton import __version__
from packeton.adapters.upstream.bodies import BodyLimits, BodyReader, FixedBody, discard
from packeton.adapters.upstream.connecting import Endpoints, Proxies, RedirectRefused, trust_root
from packeton.adapters.upstream.connections import connection_values, telling_pool
from packeton.adapters.upstream.hosts import Hosts, retry_after
from packeton.config.settings import UpstreamSettings
from packeton.core.composer.credentials import Credentials, origin_of, without_userinfo
from packeton.errors import UpstreamFailed, UpstreamRefused, UpstreamTimedOut
from packeton.interfaces.clocks import now_of
from packeton.interfaces.upstream import Headers, IBodyReceiver, IHttpClient, IUpstreamResponse, UpstreamRequest

__all__ = ["HttpClient", "HttpTransport", "OnExchange"]

OnExchange = Callable[[str, str, float | None, int], None]
"""Takes host, status or kind of failure, seconds to the head (None without one), and bytes of the body."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
CACHED_CONNECTION_SECONDS = 60


class HttpTransport:
    """What all clients of a process share: connection pools, trust, proxies, and the manners towards hosts."""

    def __init__(self, reactor: Any, settings: UpstreamSettings, environment: Mapping[str, str]) -> None:
        self.reactor = reactor
        self.hosts = Hosts(reactor, settings.connections_per_host)
        self.user_agent = (
            f"packeton/{__version__} (+{settings.contact}; Twisted; Python {platform.python_version()})"
        )
        self._connect_seconds = settings.connect_timeout.total_seconds()
        self._proxies = Proxies.choose(
            http=settings.http_proxy and settings.http_proxy.reveal(),
            https=settings.https_proxy and settings.https_proxy.reveal(),
            no_proxy=settings.no_proxy,
            environment=environment,
        )
        self._pools: list[HTTPConnectionPool] = []
        trust = trust_root(settings.ca_file)
        self._agents = {guarded: self._agent(trust, settings, guarded=guarded) for guarded in (False, True)}
        self._proxy_pool = self._pool(settings)

    def agent(self, url: str, *, guarded: bool) -> tuple[IAgent, Headers]:
        """Return the agent for a URL, and the fields that its way needs."""
        parts = urlsplit(url)
        proxy = self._proxies.for_url(parts.scheme, parts.hostname or "")
        if parts.scheme == "https" or proxy is None:
            return self._agents[guarded], ()
        endpoint = HostnameEndpoint(self.reactor, proxy.host, proxy.port, self._connect_seconds)
        fields = () if proxy.authorization is None else (("Proxy-Authorization", proxy.authorization),)
        return ProxyAgent(endpoint, self.reactor, self._proxy_pool), fields

    async def close(self) -> None:
        """Close the connections that are kept open."""
        for pool in self._pools:
            await pool.closeCachedConnections()

    def _agent(self, trust: Any, settings: UpstreamSettings, *, guarded: bool) -> Agent:
        endpoints = Endpoints(self.reactor, trust, self._proxies, self._connect_seconds, guarded)
        agent: Agent = Agent.usingEndpointFactory(self.reactor, endpoints, self._pool(settings))
        return agent

    def _pool(self, settings: UpstreamSettings) -> HTTPConnectionPool:
        pool = telling_pool(self.reactor)
        pool.maxPersistentPerHost = settings.connections_per_host
        pool.cachedConnectionTimeout = CACHED_CONNECTION_SECONDS
        pool.retryAutomatically = True
        self._pools.append(pool)
        return pool


@implementer(IUpstreamResponse)
@define(eq=False)
class _Response:
    status: int
    headers: Headers
    length: int | None
    url: str
    _reactor: Any
    _answer: Any
    _limits: BodyLimits
    _release: Callable[[str, int], None]

    def deliver(self, receiver: IBodyReceiver) -> IPushProducer:
        """Send the body to *receiver*."""
        reader = BodyReader(receiver, self._reactor, self._limits, self._release)
        self._answer.deliverBody(reader)
        return reader

    def abort(self) -> None:
        """Drop the body."""
        discard(self._answer)
        self._release("abandoned", 0)


@frozen(kw_only=True)
class _Hop:
    """One request on its way over redirects."""

    method: str
    url: str
    headers: Headers
    body: bytes | None


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
        exchange = Deferred.fromCoroutine(self._follow(request))
        exchange.addTimeout(seconds, self._transport.reactor)
        host = urlsplit(request.url).hostname or "-"
        try:
            return await exchange
        except DeferredTimedOut as error:
            self._on_exchange(host, "timeout", None, 0)
            message = f"{_safe(request.url)}: no answer within {seconds:g} seconds"
            raise UpstreamTimedOut(message) from error
        except UpstreamFailed as error:
            self._on_exchange(host, type(error).__name__, None, 0)
            raise

    async def _follow(self, request: UpstreamRequest) -> IUpstreamResponse:
        hop = _Hop(method=request.method, url=request.url, headers=request.headers, body=request.body)
        seen, own = {hop.url}, urlsplit(hop.url).hostname
        for _ in range(request.limits.max_redirects + 1):
            host = urlsplit(hop.url).hostname
            response = await self._send(hop, request, guarded=host != own and host not in self._configured)
            location = _field(response.headers, "location")
            followed = request.follow_redirects and request.method in {"GET", "HEAD"}
            if response.status not in REDIRECTS or location is None or not followed:
                return response
            response.abort()
            hop = _Hop(method=hop.method, url=_next(hop.url, location), headers=request.headers, body=None)
            if hop.url in seen:
                raise UpstreamFailed(f"{_safe(request.url)}: redirects lead in a circle")
            seen.add(hop.url)
        raise UpstreamFailed(f"{_safe(request.url)}: more than {request.limits.max_redirects} redirects")

    async def _send(self, hop: _Hop, request: UpstreamRequest, *, guarded: bool) -> IUpstreamResponse:
        origin, host = origin_of(hop.url), urlsplit(hop.url).hostname or ""
        began = self._transport.reactor.seconds()
        permit = await self._transport.hosts.enter(origin)
        try:
            answer = await self._exchange(hop, request, guarded=guarded)
        except BaseException:
            permit.release()
            raise
        seconds = self._transport.reactor.seconds() - began
        headers = (*_fields(answer.headers), *(("Connection", value) for value in connection_values(answer)))
        if answer.code in {429, 503}:
            silence = retry_after(_field(headers, "retry-after"), now_of(self._transport.reactor)())
            if silence is not None:
                self._transport.hosts.silence(origin, silence)
        return _Response(
            status=answer.code,
            headers=headers,
            length=answer.length if isinstance(answer.length, int) else None,
            url=_safe(hop.url),
            reactor=self._transport.reactor,
            answer=answer,
            limits=BodyLimits.of(request.limits, f"{_safe(hop.url)}"),
            release=self._releaser(permit, host, answer.code, seconds),
        )

    def _releaser(
        self, permit: DeferredSemaphore, host: str, status: int, seconds: float
    ) -> Callable[[str, int], None]:
        released = False

        def release(outcome: str, size: int) -> None:
            nonlocal released
            if not released:
                released = True
                permit.release()
                self._on_exchange(host, str(status) if outcome in {"complete", "abandoned"} else outcome, seconds, size)

        return release

    async def _exchange(self, hop: _Hop, request: UpstreamRequest, *, guarded: bool) -> Any:
        agent, fields = self._transport.agent(hop.url, guarded=guarded)
        headers = WireHeaders()
        for name, value in (*hop.headers, *fields, *self._credentials.fields_for(hop.url)):
            headers.addRawHeader(name, value)
        if not headers.hasHeader("user-agent"):
            headers.setRawHeaders("user-agent", [self._transport.user_agent])
        url = without_userinfo(hop.url)
        try:
            if request.decode:
                client = TreqClient(agent)  # a new one each time: it would keep cookies for others
                return await client.request(
                    hop.method, url, headers=headers, data=hop.body, allow_redirects=False, unbuffered=True
                )
            body: IBodyProducer | None = None if hop.body is None else FixedBody(hop.body)
            return await agent.request(hop.method.encode(), url.encode("ascii"), headers, body)
        except CancelledError:
            raise
        except Exception as error:
            raise _failure(error, url) from error


def _failure(error: Exception, url: str) -> UpstreamFailed:
    """Turn what Twisted raises into a kind of ours, with a text for people."""
    where = _safe(url)
    reasons = [error]
    if isinstance(error, ResponseFailed):
        reasons = [reason.value for reason in error.reasons]
    for reason in reasons:
        text = f"{type(reason).__module__} {reason}"
        if isinstance(reason, RedirectRefused):
            return UpstreamRefused(f"{where}: {reason.args[0] if reason.args else 'refused address'}")
        if isinstance(reason, DNSLookupError):
            return UpstreamFailed(f"{where}: the host name is not known")
        if isinstance(reason, ConnectTimedOut):
            return UpstreamTimedOut(f"{where}: no connection in time")
        if "OpenSSL" in text or "service_identity" in text:
            return UpstreamFailed(f"{where}: the TLS certificate is not trusted ({_tls_reason(reason)})")
        if isinstance(reason, ConnectError | ConnectBindError):
            return UpstreamFailed(f"{where}: {str(reason).rstrip('.').lower()}")
    if any(isinstance(reason, ConnectionLost) for reason in reasons):
        return UpstreamFailed(f"{where}: the connection was lost before an answer came")
    if isinstance(error, ValueError | UnicodeError):
        return UpstreamRefused(f"{where}: the address cannot be used")
    return UpstreamFailed(f"{where}: no usable answer ({type(reasons[0]).__name__})")


def _tls_reason(reason: BaseException) -> str:
    parts = reason.args[0] if reason.args and isinstance(reason.args[0], list) else []
    texts = [str(part[-1]) for part in parts if isinstance(part, tuple) and part]
    return ", ".join(texts) or type(reason).__name__


def _next(url: str, location: str) -> str:
    target = urljoin(url, location)
    parts = urlsplit(target)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UpstreamFailed(f"{_safe(url)}: a redirect to something that is no web address")
    return without_userinfo(target)


def _safe(url: str) -> str:
    """Return *url* for a message: no user, no password, no query."""
    return without_userinfo(url).partition("?")[0].partition("#")[0]


def _fields(headers: WireHeaders) -> Headers:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in headers.getAllRawHeaders()
        for value in values
        if value or name.lower() != b"content-encoding"  # Twisted's decoder leaves an empty one behind
    )


def _field(headers: Headers, wanted: str) -> str | None:
    return next((value for name, value in headers if name.lower() == wanted), None)

