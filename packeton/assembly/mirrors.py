"""One mirror of the settings, put together."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from packeton.adapters.upstream.http import HttpClient
from packeton.assembly.store import Store
from packeton.assembly.upstream import Transports, configured_hosts, limits_of
from packeton.config.settings import MirrorSettings, Settings
from packeton.core.caching.backoff import Attempts
from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.credentials import Credentials, without_userinfo
from packeton.core.composer.options import HttpOptions
from packeton.core.composer.roots import root_url
from packeton.features.caching.fills import Fills
from packeton.features.mirroring.directory import MirrorSite
from packeton.features.mirroring.dists import Dists
from packeton.features.mirroring.documents import Documents
from packeton.features.mirroring.editions import Editions
from packeton.features.mirroring.mirrors import Mirror
from packeton.features.mirroring.offering import Offering
from packeton.features.mirroring.originals import Originals
from packeton.features.mirroring.policy import Policy
from packeton.features.mirroring.publications import Publications
from packeton.features.mirroring.refreshing import UpstreamSource
from packeton.features.mirroring.rules import MirrorRules
from packeton.interfaces.clocks import now_of
from packeton.interfaces.upstream import UpstreamLimits

__all__ = ["archive_bounds", "mirror_site"]

DEFAULT_INTERVAL = 300
FROZEN_FOR = timedelta(days=36_500)
STALE_FACTOR = 12
"""A document is served, and refreshed behind the client's back, for this many times its fresh life more."""


def mirror_site(
    alias: str,
    mirror: MirrorSettings,
    settings: Settings,
    store: Store,
    fills: Fills,
    transports: Transports,
    random: Callable[[], float],
    policy: Policy,
) -> MirrorSite:
    """Return the mirror *alias* with everything that answers for it."""
    secret_url = mirror.url.reveal()
    url = without_userinfo(secret_url)
    basic, options = mirror.http_basic, HttpOptions.read(mirror.options)
    credentials = Credentials.gather(
        url=secret_url,
        http_basic=None if basic is None else (basic.username, basic.password.reveal()),
        composer_auth=mirror.composer_auth,
        headers=options.headers,
    )
    transport, hosts = transports.of(options.proxy), configured_hosts(settings)
    client = HttpClient(transport, credentials, hosts, store.metrics.on_exchange)
    fresh_for = timedelta(seconds=DEFAULT_INTERVAL if mirror.sync_interval is None else mirror.sync_interval)
    rules = MirrorRules(
        alias=alias,
        url=url,
        fresh_for=fresh_for,
        dists=mirror.dist_urls if mirror.enable_dist_mirror else None,
        notify=bool(mirror.parent_notify),
        public=mirror.public_access,
        info=mirror.info_cmd_message,
        lazy=bool(mirror.sync_lazy),
        disable_v1=mirror.disable_v1,
        disable_v2=mirror.disable_v2,
        dist_shasum=mirror.dist_shasum,
        hide_source=mirror.hide_source,
        max_names=mirror.available_packages_count_limit,
    )
    limits = limits_of(settings.upstream, settings.upstream.max_metadata_bytes, options)
    documents = Documents(
        client=client,
        storage=store.storage,
        fills=fills,
        clock=store.reactor,
        in_thread=store.in_thread,
        limits=limits,
        attempts=Attempts(),
        random=random,
        stale_if_error=mirror.stale_if_error,
        stale_for=fresh_for * STALE_FACTOR,
        origin=sha256(root_url(url).encode()).hexdigest()[:12],
    )
    originals = Originals(
        alias, url, documents, store.in_thread, lambda: FROZEN_FOR if policy.frozen else fresh_for
    )
    site = _mirror(rules, policy, documents, originals, store, client, limits)
    dists = Dists(
        mirror=site,
        client=client,
        storage=store.storage,
        fills=fills,
        records=store.dists,
        clock=store.reactor,
        in_thread=store.in_thread,
        random=random,
        attempts=Attempts(longest=timedelta(seconds=30)),
        limits=limits_of(settings.upstream, settings.upstream.max_dist_bytes, options),
        bounds=archive_bounds(settings),
        on_changed=store.metrics.changed.inc,
    )
    source = UpstreamSource(site, originals, store.storage, store.records, store.in_thread)
    return MirrorSite(mirror=site, dists=dists, source=source)


def archive_bounds(settings: Settings) -> ArchiveBounds:
    """Return what a dist may at most be."""
    cache = settings.cache
    return ArchiveBounds(max_entries=cache.max_entries, max_unpacked_bytes=cache.max_unpacked_bytes)


def _mirror(
    rules: MirrorRules,
    policy: Policy,
    documents: Documents,
    originals: Originals,
    store: Store,
    client: HttpClient,
    limits: UpstreamLimits,
) -> Mirror:
    publications = Publications(store.publications)
    editions = Editions(rules, originals, publications, store.renditions, policy, store.dists, store.in_thread)
    return Mirror(
        rules=rules,
        policy=policy,
        originals=originals,
        editions=editions,
        offering=Offering(
            rules, originals, editions, publications, store.renditions, policy, now_of(store.reactor)
        ),
        documents=documents,
        publications=publications,
        client=client,
        in_thread=store.in_thread,
        limits=limits,
    )
