"""What goes after a time: archives that nobody asks for, references that no lock should need, old changes, drafts."""

from collections.abc import Sequence
from datetime import timedelta

from attrs import define
from twisted.logger import Logger

from packeton.errors import StorageFailed
from packeton.features.packages.archives import Archives
from packeton.interfaces.archives import IFileStore
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.packages import IPackageRecords, IVersionRecords

__all__ = ["Tidying"]

log = Logger()

DRAFTS_LAST = timedelta(days=1)
CHANGES_LAST = timedelta(days=31)
REFERENCES_LAST = timedelta(days=365)


@define
class Tidying:
    """Keeps what grows within bounds."""

    _packages: IPackageRecords
    _versions: IVersionRecords
    _archives: Archives
    _stores: Sequence[IFileStore]
    _in_thread: InThread
    _now: Now

    async def tidy(self) -> None:
        """Do it once; called again and again."""
        now = self._now()
        try:
            for store in self._stores:
                await self._in_thread(store.sweep, now - DRAFTS_LAST)
            archives = await self._archives.clean()
            await self._versions.forget_references(now - REFERENCES_LAST)
            await self._packages.forget_changes(now - CHANGES_LAST)
        except StorageFailed as error:
            log.warn("Packages could not be tidied up: {why}", why=str(error))
            return
        if archives:
            log.info("Removed {count} archives that nobody asked for", count=archives)
