"""Limits and hosts of what we ask upstream servers."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve

from packeton.adapters.upstream.http import HttpTransport
from packeton.config.settings import Secret, Settings, UpstreamSettings
from packeton.core.composer.options import HttpOptions
from packeton.interfaces.upstream import UpstreamLimits

__all__ = ["Transports", "configured_hosts", "limits_of"]


class Transports:
    """The ways to upstreams: one for all, and one for each proxy that a mirror wants for itself."""

    def __init__(self, reactor: Any, settings: UpstreamSettings, environment: Mapping[str, str]) -> None:
        self._reactor = reactor
        self._settings = settings
        self.common = HttpTransport(reactor, settings, environment)
        self._others: dict[str, HttpTransport] = {}

    def of(self, proxy: str | None) -> HttpTransport:
        """Return the way through *proxy* ("" for none); None: the one for all."""
        if proxy is None:
            return self.common
        if proxy not in self._others:
            own = evolve(self._settings, http_proxy=Secret(proxy), https_proxy=Secret(proxy), no_proxy="")
            self._others[proxy] = HttpTransport(self._reactor, own, {})
        return self._others[proxy]

    async def close(self) -> None:
        """Close all of them, as each says."""
        for transport in (self.common, *self._others.values()):
            await transport.close()


def limits_of(
    upstream: UpstreamSettings, max_body_bytes: int, options: HttpOptions | None = None
) -> UpstreamLimits:
    """Return the limits of one request, those of *options* before those of all upstreams."""
    options = options or HttpOptions()
    return UpstreamLimits(
        connect_timeout=upstream.connect_timeout,
        response_timeout=options.timeout or upstream.response_timeout,
        idle_timeout=options.timeout or upstream.idle_timeout,
        total_timeout=options.max_duration or upstream.total_timeout,
        max_body_bytes=max_body_bytes,
        max_redirects=upstream.max_redirects,
    )


def configured_hosts(settings: Settings) -> frozenset[str]:
    """Return the host names that the operator configured: redirects may lead there wherever they are."""
    urls = [mirror.url.reveal() for mirror in settings.mirrors.values()]
    urls += [proxy.url.reveal() for proxy in settings.proxies.values()]
    return frozenset(urlsplit(url).hostname or "" for url in urls)
