"""The composition root: Settings and a reactor become a resource and services. Only here are implementations picked."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import IResource

from packeton.adapters.blobs.filesystem import FilesystemBlobStore
from packeton.adapters.blobs.ownership import DataDirectory
from packeton.adapters.database.caching import CacheRecords
from packeton.adapters.database.connection import Database, sqlite_engine
from packeton.adapters.database.dists import DistRecords, PublicationRecords
from packeton.adapters.threads import Threads
from packeton.adapters.upstream.http import HttpClient, HttpTransport
from packeton.background.periodic import PeriodicService
from packeton.config.settings import MirrorSettings, ProxySettings, Settings, UpstreamSettings
from packeton.core.caching.backoff import Attempts
from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.credentials import Credentials, without_userinfo
from packeton.errors import StorageFailed
from packeton.features.caching.fills import Fills
from packeton.features.caching.housekeeping import Housekeeping
from packeton.features.caching.storage import Storage
from packeton.features.mirroring.directory import MirrorDirectory, MirrorSite
from packeton.features.mirroring.dists import Dists
from packeton.features.mirroring.documents import Documents
from packeton.features.mirroring.mirrors import Mirror, MirrorRules
from packeton.features.mirroring.publications import Publications
from packeton.features.mirroring.renditions import Renditions
from packeton.features.proxying.exchange import Exchange
from packeton.interfaces.blobs import IBlobStore
from packeton.interfaces.clocks import InThread, now_of
from packeton.interfaces.upstream import UpstreamLimits
from packeton.logs import AccessLog
from packeton.web.addresses import Addresses
from packeton.web.composer.dists import DistRoutes
from packeton.web.composer.mirrors import MirrorRoutes
from packeton.web.health import HealthRoutes
from packeton.web.metrics import MetricRoutes, Metrics
from packeton.web.pages import PageRoutes
from packeton.web.proxies import ProxyResource
from packeton.web.root import PacketonResource, Routes

__all__ = ["Packeton", "Store", "build", "open_store"]

log = Logger()

DEFAULT_INTERVAL = 300
STALE_FACTOR = 12
"""A document is served, and refreshed behind the client's back, for this many times its fresh life more."""


@frozen(kw_only=True)
class Packeton:
    """A whole server, not running yet: mount `resource`, and start `services` (they hold threads and timers)."""

    resource: IResource
    services: MultiService
    settings: Settings


@define
class Store(Service):
    """The content of one data directory: blobs, records, and the threads that work on them."""

    settings: Settings
    reactor: Any
    directory: DataDirectory
    blobs: IBlobStore
    in_thread: InThread
    threads: MultiService
    database: Database
    records: CacheRecords
    dists: DistRecords
    publications: PublicationRecords
    storage: Storage
    metrics: Metrics = field(factory=Metrics)

    def housekeeping(self) -> Housekeeping:
        """Return what looks after the store."""
        cache = self.settings.cache
        return Housekeeping(
            blobs=self.blobs,
            records=self.records,
            storage=self.storage,
            in_thread=self.in_thread,
            now=now_of(self.reactor),
            max_bytes=cache.max_bytes,
            max_age=cache.max_age,
            on_evicted=self.metrics.evicted.inc,
        )


def open_store(settings: Settings, reactor: Any, blobs: IBlobStore | None = None) -> Store:
    """Put the store together; nothing is opened, no thread runs before `threads` start."""
    directory = DataDirectory(settings.data)
    files, single = Threads(reactor, "files", 10), Threads(reactor, "database", 1)
    threads = MultiService()
    files.setServiceParent(threads)
    single.setServiceParent(threads)
    database = Database(sqlite_engine(settings.data / "packeton.db"), single)
    records = CacheRecords(database)
    blobs = blobs or FilesystemBlobStore(settings.data / "cache", _new_name)
    return Store(
        settings=settings,
        reactor=reactor,
        directory=directory,
        blobs=blobs,
        in_thread=files,
        threads=threads,
        database=database,
        records=records,
        dists=DistRecords(database),
        publications=PublicationRecords(database),
        storage=Storage(blobs, records, files, now_of(reactor), _new_name),
    )


class _Running(Service):
    """Starts and stops in order: threads first and last, fills before the store."""

    def __init__(self, store: Store, fills: Fills, transport: HttpTransport, periodic: MultiService) -> None:
        self._store = store
        self._fills = fills
        self._transport = transport
        self._periodic = periodic

    def privilegedStartService(self) -> None:
        """Claim the data directory while an error can still be told."""
        self._store.directory.claim()

    def startService(self) -> None:
        """Start threads, tidy up after a crash, and begin the periodic work."""
        super().startService()
        self._store.directory.claim()
        self._store.threads.startService()
        Deferred.fromCoroutine(self._begin()).addErrback(lambda failure: log.failure("The start went wrong", failure))
        self._periodic.startService()

    def stopService(self) -> Deferred[None]:
        """Finish or abort fills within the time given, then close everything."""
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    async def _begin(self) -> None:
        began = now_of(self._store.reactor)()
        swept = await self._store.in_thread(self._store.blobs.sweep)
        if swept:
            log.info("Swept away {count} unfinished files of an earlier run", count=swept)
        try:
            await self._store.housekeeping().remove_orphans(began - timedelta(minutes=1))
        except StorageFailed as error:
            log.warn("The store could not be looked through: {why}", why=str(error))

    async def _end(self) -> None:
        await self._periodic.stopService()
        await self._fills.stop(self._store.settings.shutdown_timeout)
        await self._store.storage.note_served()
        await self._transport.close()
        await self._store.database.close()
        await self._store.threads.stopService()
        self._store.directory.release()


def build(
    settings: Settings,
    reactor: Any,
    *,
    blobs: IBlobStore | None = None,
    environment: Mapping[str, str] | None = None,
) -> Packeton:
    """
    Put a server together. Nothing runs and nothing listens yet.

    Args:
        blobs: Keeps the bytes of the cache; default: files in the data directory.
        environment: Where proxies are looked up (`http_proxy` …); default: none.

    Raises:
        ConfigurationInvalid: a setting cannot be used.
    """
    store = open_store(settings, reactor, blobs)
    metrics = store.metrics
    random = secrets.SystemRandom().random
    fills = Fills(
        storage=store.storage, clock=reactor, in_thread=store.in_thread, random=random, observe=metrics.on_fill
    )
    transport = HttpTransport(reactor, settings.upstream, environment or {})
    sites = {
        alias: _mirror(alias, mirror, settings, store, fills, transport, random)
        for alias, mirror in settings.mirrors.items()
    }
    directory = MirrorDirectory(sites)
    services = MultiService()
    _Running(store, fills, transport, _periodic(store)).setServiceParent(services)
    metrics.gauge("packeton_fills_in_flight", "Fills under way", lambda: len(fills))
    mounts = {
        proxy.path: _proxy(name, proxy, settings, store, fills, transport) for name, proxy in settings.proxies.items()
    }
    resource = _resource(settings, store, directory, mounts)
    return Packeton(resource=resource, services=services, settings=settings)


def _resource(
    settings: Settings, store: Store, directory: MirrorDirectory, mounts: Mapping[str, IResource]
) -> IResource:
    clock = store.reactor
    addresses = Addresses(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        trusted_hosts=settings.trusted_hosts,
    )
    checks = {"database:ping": store.records.totals}
    routes: list[Routes] = [
        PageRoutes(directory, store.dists, addresses),
        MirrorRoutes(directory, Renditions(settings.cache.memory_bytes), addresses),
        DistRoutes(directory, clock),
        HealthRoutes(enabled=settings.health_check, checks=checks, clock=clock),
        MetricRoutes(store.metrics),
    ]
    return PacketonResource(
        routes=routes,
        mounts=mounts,
        addresses=addresses,
        clock=clock,
        access_log=AccessLog() if settings.log.access else None,
        on_answer=store.metrics.on_answer,
    )


def _mirror(
    alias: str,
    mirror: MirrorSettings,
    settings: Settings,
    store: Store,
    fills: Fills,
    transport: HttpTransport,
    random: Any,
) -> MirrorSite:
    secret_url = mirror.url.reveal()
    url = without_userinfo(secret_url)
    basic = mirror.http_basic
    credentials = Credentials.gather(
        url=secret_url,
        http_basic=None if basic is None else (basic.username, basic.password.reveal()),
        composer_auth=mirror.composer_auth,
    )
    client = HttpClient(transport, credentials, _hosts(settings), store.metrics.on_exchange)
    fresh_for = timedelta(seconds=DEFAULT_INTERVAL if mirror.sync_interval is None else mirror.sync_interval)
    rules = MirrorRules(
        alias=alias,
        url=url,
        fresh_for=fresh_for,
        dists=mirror.dist_urls if mirror.enable_dist_mirror else None,
        notify=bool(mirror.parent_notify),
        public=mirror.public_access,
        info=mirror.info_cmd_message,
    )
    limits = _limits(settings.upstream, settings.upstream.max_metadata_bytes)
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
    )
    site = Mirror(rules, documents, Publications(store.publications), client, store.in_thread, limits)
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
        limits=_limits(settings.upstream, settings.upstream.max_dist_bytes),
        bounds=ArchiveBounds(
            max_entries=settings.cache.max_entries, max_unpacked_bytes=settings.cache.max_unpacked_bytes
        ),
        on_changed=store.metrics.changed.inc,
    )
    return MirrorSite(mirror=site, dists=dists)


def _proxy(
    name: str, proxy: ProxySettings, settings: Settings, store: Store, fills: Fills, transport: HttpTransport
) -> IResource:
    secret_url = proxy.url.reveal()
    client = HttpClient(
        transport, Credentials.gather(url=secret_url), _hosts(settings), store.metrics.on_exchange
    )
    exchange = Exchange(
        name=name,
        url=without_userinfo(secret_url).rstrip("/"),
        client=client,
        storage=store.storage,
        fills=fills,
        now=now_of(store.reactor),
        limits=_limits(settings.upstream, settings.upstream.max_dist_bytes),
    )
    return ProxyResource(exchange, store.reactor)


def _periodic(store: Store) -> MultiService:
    services = MultiService()
    housekeeping = store.housekeeping()
    for name, every, work in (
        ("eviction", timedelta(minutes=1), housekeeping.evict),
        ("changes of the records", timedelta(seconds=1), housekeeping.notice_changes),
    ):
        PeriodicService(name, store.reactor, every, work).setServiceParent(services)
    return services


def _limits(upstream: UpstreamSettings, max_body_bytes: int) -> UpstreamLimits:
    return UpstreamLimits(
        connect_timeout=upstream.connect_timeout,
        response_timeout=upstream.response_timeout,
        idle_timeout=upstream.idle_timeout,
        total_timeout=upstream.total_timeout,
        max_body_bytes=max_body_bytes,
        max_redirects=upstream.max_redirects,
    )


def _hosts(settings: Settings) -> frozenset[str]:
    """Return the host names that the operator configured: redirects may lead there wherever they are."""
    urls = [mirror.url.reveal() for mirror in settings.mirrors.values()]
    urls += [proxy.url.reveal() for proxy in settings.proxies.values()]
    return frozenset(urlsplit(url).hostname or "" for url in urls)


def _new_name() -> str:
    return secrets.token_hex(16)
