"""Starting and stopping in order, and the periodic work."""

from datetime import timedelta

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from packeton.adapters.processes import ProcessPool
from packeton.assembly.mirroring import Mirroring
from packeton.assembly.store import Store
from packeton.background.mirrors import MirrorService
from packeton.background.periodic import PeriodicService
from packeton.errors import ConfigurationInvalid, DatabaseRefused, StorageFailed
from packeton.interfaces.clocks import now_of

__all__ = ["Running", "periodic_work"]

log = Logger()


class Running(Service):
    """Starts and stops in order: threads first and last, fills before the store."""

    def __init__(
        self, mirroring: Mirroring, periodic: MultiService, children: ProcessPool, *, owns: bool
    ) -> None:
        self._store = mirroring.store
        self._owns = owns
        self._mirroring = mirroring
        self._looked = False
        self._mirrors = MirrorService(mirroring.store.reactor, mirroring.policies, mirroring.syncs)
        self._periodic = periodic
        self._children = children

    def privilegedStartService(self) -> None:
        """Claim the data directory while an error can still be told; one that is another's is only used."""
        if self._owns:
            self._store.directory.claim(shared=self._store.is_shared)
        else:
            self._store.directory.prepare()
        if self._looked:
            return
        self._looked = True
        try:
            self._store.database.prepare()
        except DatabaseRefused as error:
            raise ConfigurationInvalid(f"packeton.database: {error}") from error
        except StorageFailed as error:
            log.warn("Mirrors are served as far as they can be without the database: {why}", why=str(error))

    def startService(self) -> None:
        """Start threads, tidy up after a crash, and begin the periodic work."""
        super().startService()
        self.privilegedStartService()
        self._store.threads.startService()
        if self._owns:
            begun = Deferred.fromCoroutine(self._begin())
            begun.addErrback(lambda failure: log.failure("The start went wrong", failure))
            self._mirrors.startService()
        self._children.startService()
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
        mirrors = self._mirrors.stopService()  # what they wait for ends with the fills
        await self._periodic.stopService()
        await maybeDeferred(self._children.stopService)
        await self._mirroring.fills.stop(self._store.settings.shutdown_timeout)
        await mirrors
        await self._store.storage.note_served()
        await self._mirroring.transports.close()
        await self._store.database.close()
        await self._store.threads.stopService()
        if self._owns:
            self._store.directory.release()


def periodic_work(store: Store, *, owns: bool) -> MultiService:
    """Return what is done again and again: to the data directory, only by who owns it."""
    services = MultiService()
    housekeeping = store.housekeeping()
    for name, every, work in (
        *([("eviction", timedelta(minutes=1), housekeeping.evict)] if owns else []),
        ("changes of the records", timedelta(seconds=1), housekeeping.notice_changes),
    ):
        PeriodicService(name, store.reactor, every, work).setServiceParent(services)
    return services
