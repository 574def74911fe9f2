"""The content of one data directory: blobs, records, and the threads that work on them."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.application.service import MultiService, Service

from packeton.adapters.blobs.filesystem import FilesystemBlobStore
from packeton.adapters.blobs.ownership import DataDirectory
from packeton.adapters.database.caching import CacheRecords
from packeton.adapters.database.connection import Database
from packeton.adapters.database.dists import DistRecords, PublicationRecords
from packeton.adapters.threads import Threads
from packeton.config.databases import DatabaseAddress, database_address
from packeton.config.settings import Settings
from packeton.features.caching.housekeeping import Housekeeping
from packeton.features.caching.storage import Storage
from packeton.features.mirroring.renditions import Renditions
from packeton.interfaces.blobs import IBlobStore
from packeton.interfaces.clocks import InThread, now_of
from packeton.web.metrics import Metrics

__all__ = ["Store", "blocking_database", "database_of", "open_store"]

T = TypeVar("T")


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
    renditions: Renditions
    metrics: Metrics = field(factory=Metrics)

    @property
    def is_shared(self) -> bool:
        """Say if several servers may use it at once: with a database server, which they share then as well."""
        return database_of(self.settings).engine != "sqlite"

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
    """
    Put the store together; nothing is opened, no thread runs before `threads` start.

    Raises:
        ConfigurationInvalid: the database's driver is not installed.
    """
    directory = DataDirectory(settings.data)
    connections = settings.database.connections
    files, single = Threads(reactor, "files", 10), Threads(reactor, "database", 1)
    several = Threads(reactor, "database readers", connections)
    threads = MultiService()
    for pool in (files, single, several):
        pool.setServiceParent(threads)
    database = Database.on(database_of(settings), writer=single, readers=several, connections=connections)
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
        renditions=Renditions(files, settings.cache.memory_bytes),
    )


def blocking_database(settings: Settings) -> tuple[DatabaseAddress, Database]:
    """Return the database without threads, for tools that may block: only its blocking calls are of use."""

    def nowhere(work: Callable[..., T], /, *args: object) -> Awaitable[T]:
        raise NotImplementedError(f"{work} {args}: this database has no threads")

    address = database_of(settings)
    DataDirectory(settings.data).prepare()
    return address, Database.on(address, writer=nowhere, readers=nowhere, connections=1)


def database_of(settings: Settings) -> DatabaseAddress:
    """Return where the database is."""
    if settings.database.url is None:
        return DatabaseAddress(engine="sqlite", path=settings.data / "packeton.db")
    return database_address(settings.database.url.reveal())


def _new_name() -> str:
    return secrets.token_hex(16)
