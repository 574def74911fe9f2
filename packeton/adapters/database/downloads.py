"""DownloadRecords: how often what was installed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from attrs import define
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import downloads
from packeton.interfaces.downloads import IDownloadRecords, Install, Totals

__all__ = ["DownloadRecords"]

EVERYTHING = 0
COLUMNS = (
    downloads.c.package_id, downloads.c.version, downloads.c.period, downloads.c.count.label("installs"),
)  # fmt: skip
ALL_TIME, MONTH, DAY = "", "%Y%m", "%Y%m%d"


@implementer(IDownloadRecords)
@define
class DownloadRecords:
    """Counters by package, version and period."""

    _database: Database

    async def add(self, installs: Iterable[Install], day: date) -> None:
        """Count installs of a day."""
        counts: Counter[tuple[int, str]] = Counter()
        for install in installs:
            counts[install.package_id, install.version] += install.count
            counts[install.package_id, ""] += install.count
            counts[EVERYTHING, ""] += install.count
        periods = _periods(day)

        def work(connection: Connection) -> None:
            for (package_id, version), count in counts.items():
                for period in periods:
                    _increase(connection, package_id, version, period, count)

        if counts:
            await self._database.run(work)

    async def totals(self, package_ids: Sequence[int], day: date) -> Mapping[int, Totals]:
        """Return the counters of packages."""
        periods = _periods(day)

        def work(connection: Connection) -> Mapping[int, Totals]:
            found: dict[int, dict[str, int]] = {}
            for some in batches(package_ids):
                here = downloads.c.package_id.in_(some) & (downloads.c.version == "")
                for row in connection.execute(select(*COLUMNS).where(here, downloads.c.period.in_(periods))):
                    found.setdefault(row.package_id, {})[row.period] = row.installs
            return {package_id: _totals(found.get(package_id, {}), periods) for package_id in package_ids}

        return await self._database.read(work)

    async def of_versions(self, package_id: int, day: date) -> Mapping[str, Totals]:
        """Return the counters of the versions of a package."""
        periods = _periods(day)
        here = (downloads.c.package_id == package_id) & (downloads.c.version != "") & downloads.c.period.in_(periods)

        def work(connection: Connection) -> Mapping[str, Totals]:
            found: dict[str, dict[str, int]] = {}
            for row in connection.execute(select(*COLUMNS).where(here)):
                found.setdefault(row.version, {})[row.period] = row.installs
            return {version: _totals(counts, periods) for version, counts in found.items()}

        return await self._database.read(work)

    async def daily(self, package_id: int, version: str, first: date, last: date) -> Mapping[date, int]:
        """Return the installs of each day of a range."""
        here = (downloads.c.package_id == package_id) & (downloads.c.version == version) & _days(first, last)

        def work(connection: Connection) -> Mapping[date, int]:
            rows = connection.execute(select(*COLUMNS).where(here).order_by(downloads.c.period))
            return {datetime.strptime(row.period, DAY).date(): row.installs for row in rows}  # noqa: DTZ007  # a day

        return await self._database.read(work)

    async def most(self, first: date, last: date, limit: int, offset: int = 0) -> Sequence[tuple[int, int]]:
        """Return (package, installs in a range of days), most installed first."""
        total = func.sum(downloads.c.count).label("total")
        here = (downloads.c.package_id != EVERYTHING) & (downloads.c.version == "") & _days(first, last)
        chosen = select(downloads.c.package_id, total).where(here).group_by(downloads.c.package_id)
        chosen = chosen.order_by(total.desc(), downloads.c.package_id).limit(limit).offset(offset)

        def work(connection: Connection) -> Sequence[tuple[int, int]]:
            return [(row.package_id, int(row.total)) for row in connection.execute(chosen)]

        return await self._database.read(work)

    async def forget_days(self, before: date) -> int:
        """Remove old daily counters of versions."""
        old = (func.length(downloads.c.period) == 8) & (downloads.c.period < before.strftime(DAY))

        def work(connection: Connection) -> int:
            return connection.execute(delete(downloads).where(old, downloads.c.version != "")).rowcount

        return await self._database.run(work)


def _periods(day: date) -> tuple[str, str, str]:
    return ALL_TIME, day.strftime(MONTH), day.strftime(DAY)


def _days(first: date, last: date) -> ColumnElement[bool]:
    span = downloads.c.period.between(first.strftime(DAY), last.strftime(DAY))
    return span & (func.length(downloads.c.period) == 8)


def _totals(counts: Mapping[str, int], periods: tuple[str, str, str]) -> Totals:
    total, monthly, daily = (int(counts.get(period, 0)) for period in periods)
    return Totals(total=total, monthly=monthly, daily=daily)


def _increase(connection: Connection, package_id: int, version: str, period: str, count: int) -> None:
    here: Any = (
        (downloads.c.package_id == package_id) & (downloads.c.version == version) & (downloads.c.period == period)
    )
    if connection.execute(update(downloads).where(here).values(count=downloads.c.count + count)).rowcount == 0:
        values = {"package_id": package_id, "version": version, "period": period, "count": count}
        connection.execute(insert(downloads).values(**values))
