"""A mirror at a glance, for lists and pages."""

from datetime import timedelta

from attrs import define, frozen

from packeton.core.caching.decisions import Choices, MirrorCounts, SyncState
from packeton.core.caching.modes import Mode
from packeton.features.mirroring.directory import MirrorSite
from packeton.features.mirroring.synchronising import Synchroniser
from packeton.interfaces.clocks import Now
from packeton.interfaces.mirrors import IMirrorRecords, ISyncRecords

__all__ = ["Summaries", "Summary"]


@frozen(kw_only=True)
class Summary:
    """One mirror, now."""

    alias: str
    url: str
    """Upstream's address, without secrets."""
    mode: Mode
    interval: timedelta
    choices: Choices
    counts: MirrorCounts
    listed: int
    """Names of upstream that are written down."""
    state: SyncState
    holder: str | None
    """Who synchronises it now."""


@define
class Summaries:
    """Summaries of mirrors. Reads records, and upstream's root as it is at hand."""

    _mirrors: IMirrorRecords
    _syncs: ISyncRecords
    _now: Now

    async def of(self, site: MirrorSite, synchroniser: Synchroniser) -> Summary:
        """Return the summary of one mirror."""
        alias = site.mirror.rules.alias
        state = await self._syncs.state(alias)
        return Summary(
            alias=alias,
            url=site.mirror.rules.url,
            mode=synchroniser.mode,
            interval=await synchroniser.interval(),
            choices=await self._mirrors.choices(alias),
            counts=await self._mirrors.counts(alias),
            listed=(await self._syncs.totals(alias, state.run))[0],
            state=state,
            holder=await self._syncs.holder(alias, self._now()),
        )
