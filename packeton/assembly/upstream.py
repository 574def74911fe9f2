"""Limits and hosts of what we ask upstream servers."""

from urllib.parse import urlsplit

from packeton.config.settings import Settings, UpstreamSettings
from packeton.interfaces.upstream import UpstreamLimits

__all__ = ["configured_hosts", "limits_of"]


def limits_of(upstream: UpstreamSettings, max_body_bytes: int) -> UpstreamLimits:
    """Return the limits of one request."""
    return UpstreamLimits(
        connect_timeout=upstream.connect_timeout,
        response_timeout=upstream.response_timeout,
        idle_timeout=upstream.idle_timeout,
        total_timeout=upstream.total_timeout,
        max_body_bytes=max_body_bytes,
        max_redirects=upstream.max_redirects,
    )


def configured_hosts(settings: Settings) -> frozenset[str]:
    """Return the host names that the operator configured: redirects may lead there wherever they are."""
    urls = [mirror.url.reveal() for mirror in settings.mirrors.values()]
    urls += [proxy.url.reveal() for proxy in settings.proxies.values()]
    return frozenset(urlsplit(url).hostname or "" for url in urls)
