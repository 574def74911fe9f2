"""What all clients of a process share: connections, trust, proxies, and the manners towards hosts."""

import platform
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.python.failure import Failure
from twisted.web.client import Agent, ProxyAgent
from twisted.web.iweb import IAgent

from packeton import __version__
from packeton.adapters.upstream.addresses import RedirectRefused, is_public_literal
from packeton.adapters.upstream.connecting import Endpoints, Trust
from packeton.adapters.upstream.connections import ConnectionPool
from packeton.adapters.upstream.hosts import Hosts
from packeton.adapters.upstream.proxies import Proxies
from packeton.config.settings import UpstreamSettings
from packeton.interfaces.upstream import Headers

__all__ = ["HttpTransport"]

CACHED_CONNECTION_SECONDS = 60
Result = TypeVar("Result")


class HttpTransport:
    """
    Connections to all upstreams, kept open for 60 seconds. Whoever made it closes it.

    Raises:
        ConfigurationInvalid: a proxy or the file of authorities cannot be used.
    """

    def __init__(self, reactor: Any, settings: UpstreamSettings, environment: Mapping[str, str]) -> None:
        self.reactor = reactor
        self.hosts = Hosts(reactor, settings.connections_per_host)
        self.user_agent = user_agent(settings.contact)
        self._proxies = Proxies.choose(
            http=None if settings.http_proxy is None else settings.http_proxy.reveal(),
            https=None if settings.https_proxy is None else settings.https_proxy.reveal(),
            no_proxy=settings.no_proxy,
            environment=environment,
        )
        self.closing = False
        self._pools: list[ConnectionPool] = []
        self._exchanges: set[Deferred[Any]] = set()
        trust, seconds = Trust(settings.ca_file), settings.connect_timeout.total_seconds()
        # One pool for each: a connection that a guarded request may not make must not be lent to it either.
        self._agents: dict[bool, IAgent] = {
            guarded: Agent.usingEndpointFactory(
                reactor, Endpoints(reactor, trust, self._proxies, seconds, guarded), self._pool(settings)
            )
            for guarded in (False, True)
        }
        self._through_proxy: IAgent | None = None
        if (proxy := self._proxies.http) is not None:
            # Made once: the pool takes the endpoint for the key of its connections.
            endpoint = HostnameEndpoint(reactor, proxy.host, proxy.port, seconds)
            self._through_proxy = ProxyAgent(endpoint, reactor, self._pool(settings))

    def agent(self, url: str, *, guarded: bool) -> tuple[IAgent, Headers]:
        """
        Return the agent for a URL, and the fields that its way needs.

        Raises:
            RedirectRefused: *guarded*, and a proxy would be sent to a private address.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxy = self._proxies.for_url(parts.scheme, host, parts.port)
        if parts.scheme == "https" or proxy is None or self._through_proxy is None:
            return self._agents[guarded], ()
        if guarded and not is_public_literal(host):
            raise RedirectRefused
        fields = () if proxy.authorization is None else (("Proxy-Authorization", proxy.authorization),)
        return self._through_proxy, fields

    def track(self, exchange: Coroutine[Any, Any, Result]) -> Deferred[Result]:
        """
        Run *exchange*; `close` cancels it if it is still under way then.

        Cancelled, the Deferred fails with CancelledError, whatever *exchange* makes of it: Twisted's endpoints take a
        cancelled look-up for an unknown name.
        """
        running = Deferred.fromCoroutine(exchange)

        def cancel(waiting: Deferred[Result]) -> None:
            waiting.errback(CancelledError())
            running.cancel()

        def over(result: Result | Failure) -> None:
            self._exchanges.discard(waiting)
            if not waiting.called:
                waiting.callback(result)

        waiting: Deferred[Any] = Deferred(cancel)
        self._exchanges.add(waiting)
        running.addBoth(over)
        return waiting

    async def close(self) -> None:
        """Give up what is under way and close all connections: requests fail, bodies end with a failure."""
        self.closing = True
        try:
            for exchange in list(self._exchanges):
                exchange.cancel()
            for pool in self._pools:
                await pool.close()
        finally:
            self.closing = False

    def _pool(self, settings: UpstreamSettings) -> ConnectionPool:
        pool = ConnectionPool(self.reactor)
        pool.maxPersistentPerHost = settings.connections_per_host
        pool.cachedConnectionTimeout = CACHED_CONNECTION_SECONDS
        pool.retryAutomatically = True
        self._pools.append(pool)
        return pool


def user_agent(contact: str) -> str:
    """Return our User-Agent: never empty, on one line, and with a way to reach the operator when there is one."""
    contact = " ".join("".join(char if " " <= char <= "~" else " " for char in contact).split())
    reach = f"+{contact}; " if contact else ""
    return f"packeton/{__version__} ({reach}Twisted; Python {platform.python_version()})"
