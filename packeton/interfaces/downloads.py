"""The port to the counters of installs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from attrs import frozen
from zope.interface import Interface

__all__ = ["IDownloadRecords", "Install", "Totals"]


@frozen
class Install:
    """Installs of one version."""

    package_id: int
    version: str
    """Normalised."""
    count: int = 1


@frozen(kw_only=True)
class Totals:
    """Installs so far."""

    total: int = 0
    monthly: int = 0
    """In this calendar month."""
    daily: int = 0
    """Today."""


class IDownloadRecords(Interface):
    """
    Counters: of each package and version, and of everything, in all, by month and by day.

    They are of the version's number, so that they go on when a version comes back. Methods may raise StorageFailed.
    """

    async def add(installs: Iterable[Install], day: date) -> None:
        """Count installs of a day, all or none of them."""

    async def totals(package_ids: Sequence[int], day: date) -> Mapping[int, Totals]:
        """Return the counters of packages; the package 0 is everything together."""

    async def of_versions(package_id: int, day: date) -> Mapping[str, Totals]:
        """Return the counters of the versions of a package, by normalised version."""

    async def daily(package_id: int, version: str, first: date, last: date) -> Mapping[date, int]:
        """Return the installs by day in a range, of the whole package for the version ""; days of none are missing."""

    async def most(first: date, last: date, limit: int, offset: int = 0) -> Sequence[tuple[int, int]]:
        """Return (package, installs in a range of days), most installed first."""

    async def forget_days(before: date) -> int:
        """Remove the daily counters of versions of days before; those of packages, months and totals stay."""
