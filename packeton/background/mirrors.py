"""The clock of the mirrors: every minute what is due, every second what was decided or asked for."""

from datetime import timedelta

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from packeton.background.periodic import PeriodicService
from packeton.features.mirroring.policy import Policies
from packeton.features.mirroring.syncs import Syncs

__all__ = ["MirrorService"]


class MirrorService(MultiService):
    """Keeps mirrors up to date; stopping ends their runs after the requests under way."""

    def __init__(self, clock: IReactorTime, policies: Policies, syncs: Syncs) -> None:
        super().__init__()
        self._syncs = syncs
        for name, every, work in (
            ("decisions about mirrors", timedelta(seconds=1), policies.watch),
            ("wishes for synchronisation", timedelta(seconds=1), syncs.obey),
            ("synchronisation", timedelta(minutes=1), syncs.look),
        ):
            PeriodicService(name, clock, every, work).setServiceParent(self)

    def stopService(self) -> Deferred[None]:
        """End the timers, then the runs."""
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        stopped = super().stopService()
        if stopped is not None:
            await stopped
        await self._syncs.stop()
