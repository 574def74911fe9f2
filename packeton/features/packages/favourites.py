"""Packages that users starred."""

from collections.abc import Sequence

from attrs import define

from packeton.errors import NotFound
from packeton.interfaces.clocks import Now
from packeton.interfaces.hooks import IFavouriteRecords
from packeton.interfaces.packages import IPackageRecords, Package

__all__ = ["Favourites"]

MAX_LISTED = 1000


@define
class Favourites:
    """Stars of users of our own; who sees a package is asked elsewhere."""

    _records: IFavouriteRecords
    _packages: IPackageRecords
    _now: Now

    async def names(self, user_id: int) -> Sequence[str]:
        """Return the names of what a user starred, newest star first."""
        numbers = await self._records.of_user(user_id)
        found = [await self._packages.get(number) for number in numbers[:MAX_LISTED]]
        return [package.name for package in found if package is not None]

    async def add(self, user_id: int, package: Package) -> None:
        """Star a package; more than once does no harm. Raises NotFound: it is gone."""
        await self._records.add(user_id, package.id, self._now())

    async def remove(self, user_id: int, name: str) -> None:
        """Take a star back. Raises NotFound: there was none."""
        package = await self._packages.find(name)
        if package is None or not await self._records.remove(user_id, package.id):
            raise NotFound("no such favourite")
