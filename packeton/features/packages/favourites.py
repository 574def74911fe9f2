"""Packages that users starred."""

from collections.abc import Sequence

from attrs import define

from packeton.errors import NotFound
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.interfaces.clocks import Now
from packeton.interfaces.hooks import IFavouriteRecords
from packeton.interfaces.packages import IPackageRecords, Package

__all__ = ["Favourites"]

MAX_LISTED = 1000


@define
class Favourites:
    """Stars of users of our own."""

    _records: IFavouriteRecords
    _packages: IPackageRecords
    _catalogue: Catalogue
    _now: Now

    async def names(self, user_id: int, audience: Audience) -> Sequence[str]:
        """Return the names of what a user starred and still sees, archived ones too, newest star first."""
        starred = (await self._records.of_user(user_id))[:MAX_LISTED]
        wanted, contents = frozenset(starred), await self._catalogue.contents()
        packages = [package for package in contents.by_name.values() if package.id in wanted]
        seen = {package.id: package.name for package in packages if audience.sees(package, archived=True)}
        return [seen[number] for number in starred if number in seen]

    async def add(self, user_id: int, package: Package) -> None:
        """Star a package that the user sees; more than once does no harm. Raises NotFound: it is gone."""
        await self._records.add(user_id, package.id, self._now())

    async def remove(self, user_id: int, name: str) -> None:
        """Take a star back. Raises NotFound: there was none."""
        package = await self._packages.find(name)
        if package is None or not await self._records.remove(user_id, package.id):
            raise NotFound("no such favourite")
