"""The synchronisations of all mirrors of a server: which are due, which are asked for, which run."""

from collections.abc import Mapping

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from packeton.core.caching.decisions import Wish
from packeton.errors import Conflict, NotFound, PacketonError
from packeton.features.mirroring.synchronising import Synchroniser
from packeton.interfaces.mirrors import ISyncRecords

__all__ = ["Syncs"]

log = Logger()


@define
class Syncs:
    """Begins runs, a few at once; a run that fails is logged and disturbs no other."""

    _records: ISyncRecords
    _synchronisers: Mapping[str, Synchroniser]
    _at_once: int = 4
    _runs: dict[str, "Deferred[None]"] = field(factory=dict, init=False)
    _stopping: bool = field(default=False, init=False)

    @property
    def all(self) -> Mapping[str, Synchroniser]:
        """All of them by alias."""
        return self._synchronisers

    async def ask(self, alias: str, wish: Wish) -> None:
        """Ask for a run, in whichever process looks after this mirror. Raises NotFound for an unknown mirror."""
        if alias not in self._synchronisers:
            raise NotFound(f"there is no mirror {alias}")
        await self._records.wish(alias, wish)

    async def look(self) -> None:
        """Begin what is due; to be called every minute."""
        for alias, synchroniser in self._synchronisers.items():
            if self._is_free(alias) and await synchroniser.is_due():
                self._begin(alias, Wish.NONE)

    async def obey(self) -> None:
        """Begin what was asked for; to be called every second."""
        if not await self._records.wishes(take=False):
            return
        for alias, wish in (await self._records.wishes(take=True)).items():
            if self._is_free(alias):
                self._begin(alias, wish)
            elif alias in self._synchronisers:
                await self._records.wish(alias, wish)

    async def stop(self) -> None:
        """End all runs after the requests under way; they go on with the next start."""
        self._stopping = True
        for synchroniser in self._synchronisers.values():
            synchroniser.stop()
        await DeferredList(list(self._runs.values()))

    def _is_free(self, alias: str) -> bool:
        known = alias in self._synchronisers and alias not in self._runs
        return known and len(self._runs) < self._at_once and not self._stopping

    def _begin(self, alias: str, wish: Wish) -> None:
        run = self._runs[alias] = Deferred()
        Deferred.fromCoroutine(self._run(alias, wish)).chainDeferred(run)

    async def _run(self, alias: str, wish: Wish) -> None:
        try:
            await self._synchronisers[alias].run(wish)
        except Conflict as error:
            log.debug("{why}", why=str(error))
            if wish is not Wish.NONE:
                await self._records.wish(alias, wish)
        except PacketonError:
            pass  # the run itself has logged it
        except Exception:
            log.failure("The synchronisation of {alias} broke", alias=alias)
        finally:
            del self._runs[alias]
