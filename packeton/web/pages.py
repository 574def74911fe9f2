"""The pages that a person sees first: what this is, and the lines to paste."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from klein import Klein

from packeton.errors import PacketonError, StorageFailed
from packeton.features.mirroring.directory import MirrorDirectory, MirrorSite
from packeton.features.mirroring.summaries import Summary
from packeton.interfaces.caching import IDistRecords
from packeton.web.admin.landing import LandingRoutes
from packeton.web.admin.rendering import Pages, Visit

__all__ = ["PageRoutes"]

MAX_ALARMS = 20


class PageRoutes:
    """`/` and `/mirror/<alias>`."""

    def __init__(
        self,
        directory: MirrorDirectory,
        dists: IDistRecords,
        pages: Pages,
        landing: LandingRoutes,
        summary: Callable[[str], Awaitable[Summary]],
    ) -> None:
        self._directory = directory
        self._dists = dists
        self._pages = pages
        self._landing = landing
        self._summary = summary

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        self._pages.install(app, "/", ("GET",), self.home)
        self._pages.install(app, "/mirror/<alias>", ("GET",), self.mirror)

    async def home(self, visit: Visit) -> bytes:
        """Our repository and the mirrors, as far as the visitor may use them; on a sub-repository's host its page."""
        hosted = await self._pages.public_host(visit)
        if hosted is not None:
            return self._landing.show(visit, hosted, visit.base)
        sites = [site for alias, site in self._directory.sites.items() if self._is_open(visit, alias)]
        if not sites and visit.identity.is_anonymous:
            return self._pages.redirect(visit, "/login")
        mirrors, own = [site.mirror.rules for site in sites], await self._landing.own(visit)
        return self._pages.render(visit, "home.html", mirrors=mirrors, own=own, **await self._troubles(sites))

    async def mirror(self, visit: Visit, alias: str) -> bytes:
        """One mirror, with its snippet."""
        site = self._directory.open(alias, visit.identity)
        try:
            summary = await self._summary(alias)
        except StorageFailed:  # the pages work where the store does not
            summary = None
        troubles = await self._troubles([site])
        return self._pages.render(visit, "mirror.html", mirror=site.mirror.rules, summary=summary, **troubles)

    def _is_open(self, visit: Visit, alias: str) -> bool:
        try:
            self._directory.open(alias, visit.identity)
        except PacketonError:
            return False
        return True

    async def _troubles(self, sites: Sequence[MirrorSite]) -> dict[str, Any]:
        """Return what is wrong with dists of these mirrors."""
        shown = {site.mirror.rules.alias for site in sites}
        try:
            alarms = [alarm for alarm in await self._dists.alarms(MAX_ALARMS) if alarm.mirror in shown]
        except StorageFailed:  # the pages work where the store does not
            alarms = []
        refusals = sorted((one for site in sites for one in site.dists.refusals), key=lambda one: one.at, reverse=True)
        return {"alarms": alarms, "refusals": refusals[:MAX_ALARMS]}
