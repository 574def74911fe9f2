"""How often packages are installed: totals, series, and what is popular."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from attrs import define, frozen

from packeton.core.composer.metadata import JsonObject
from packeton.core.reports.series import Series, natural_average, series
from packeton.errors import Invalid, NotFound
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.viewing import Viewing, totals_document
from packeton.interfaces.clocks import Now
from packeton.interfaces.downloads import IDownloadRecords, Totals
from packeton.interfaces.packages import Package, StoredVersion

__all__ = ["Range", "Statistics"]

SETTLED = timedelta(days=2)
"""Diagrams end two days ago by default. Source: the reference."""
TREND = timedelta(days=7)
MAX_RANKED = 10_000
DAYS_LAST = timedelta(days=3 * 366)
"""How long it is known on which day a version was installed; of packages that is kept."""


@frozen(kw_only=True)
class Range:
    """What was asked for; None is the default."""

    first: date | None = None
    last: date | None = None
    average: str | None = None


@define
class Statistics:
    """Figures of packages that the caller sees."""

    _catalogue: Catalogue
    _viewing: Viewing
    _counters: IDownloadRecords
    _now: Now

    async def totals(self, audience: Audience, package: Package) -> JsonObject:
        """Return the counters of a package and of the versions that are seen."""
        today = self._now().date()
        whole = (await self._counters.totals([package.id], today))[package.id]
        counted = await self._counters.of_versions(package.id, today)
        versions = {
            version.version: totals_document(counted.get(version.normalized, Totals()))
            for version in await self._viewing.versions(audience, package)
        }
        downloads = {"total": totals_document(whole), "versions": versions}
        favers = await self._viewing.favers(package)
        return {"package": {"name": package.name, "downloads": downloads, "favers": favers}}

    async def overview(self, audience: Audience, package: Package) -> JsonObject:
        """Return what a page with a diagram begins with."""
        today, first = self._now().date(), package.created_at.date()
        whole = (await self._counters.totals([package.id], today))[package.id]
        versions = await self._viewing.versions(audience, package)
        return {
            "downloads": totals_document(whole),
            "versions": [version.version for version in versions],
            "average": natural_average(first, today - SETTLED),
            "date": first.isoformat(),
        }

    async def series(self, audience: Audience, package: Package, version: str | None, asked: Range) -> Series:
        """
        Return installs over time, of a package or one version of it.

        Raises:
            NotFound: There is no such version, or it is not seen. Invalid: the range or average cannot be used.
        """
        begin, normalized = package.created_at.date(), ""
        if version is not None:
            found = _version(await self._viewing.versions(audience, package), version)
            normalized = found.normalized
            begin = found.released_at.date() if found.released_at is not None else begin
        first, last = asked.first or begin, asked.last or self._now().date() - SETTLED
        if first.year < 2000 or last.year > self._now().year + 1:
            raise Invalid("from and to must be days since 2000")
        average = asked.average or natural_average(first, last)
        checked = series({}, first, last, average)
        if not checked.labels:
            return checked
        return series(await self._counters.daily(package.id, normalized, first, last), first, last, average)

    async def forget(self) -> None:
        """Remove counters that are too old to be looked at; called every night."""
        await self._counters.forget_days(self._now().date() - DAYS_LAST)

    async def popular(self, audience: Audience, page: int, per_page: int) -> tuple[Sequence[tuple[str, int]], int]:
        """Return a page of (name, installs of the last seven days), most installed first, and how many there are."""
        today = self._now().date()
        ranked = await self._counters.most(today - TREND + timedelta(days=1), today, MAX_RANKED)
        contents = await self._catalogue.contents()
        names: Mapping[int, str] = {
            package.id: package.name for package in contents.by_name.values() if audience.sees(package)
        }
        seen = [(names[number], count) for number, count in ranked if number in names]
        return seen[(page - 1) * per_page : page * per_page], len(seen)


def _version(versions: Sequence[StoredVersion], name: str) -> StoredVersion:
    found = next((one for one in versions if name in {one.version, one.normalized}), None)
    if found is None:
        raise NotFound("no such version")
    return found
