"""One plain HTTP cache of the settings, put together."""

from twisted.web.resource import IResource

from packeton.adapters.upstream.http import HttpClient, HttpTransport
from packeton.assembly.store import Store
from packeton.assembly.upstream import configured_hosts, limits_of
from packeton.config.settings import ProxySettings, Settings
from packeton.core.composer.credentials import Credentials, without_userinfo
from packeton.features.caching.fills import Fills
from packeton.features.proxying.exchange import Exchange
from packeton.interfaces.clocks import now_of
from packeton.web.proxies import ProxyResource

__all__ = ["proxy_mount"]


def proxy_mount(
    name: str, proxy: ProxySettings, settings: Settings, store: Store, fills: Fills, transport: HttpTransport
) -> IResource:
    """Return what answers below the mount's path."""
    secret_url = proxy.url.reveal()
    client = HttpClient(
        transport, Credentials.gather(url=secret_url), configured_hosts(settings), store.metrics.on_exchange
    )
    exchange = Exchange(
        name=name,
        url=without_userinfo(secret_url).rstrip("/"),
        client=client,
        storage=store.storage,
        fills=fills,
        now=now_of(store.reactor),
        limits=limits_of(settings.upstream, settings.upstream.max_dist_bytes),
    )
    return ProxyResource(exchange, store.reactor)
