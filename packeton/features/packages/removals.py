"""Removing a package with all that belongs to it, and telling what is gone: nobody can look it up afterwards."""

from collections.abc import Sequence
from datetime import datetime

from attrs import define

from packeton.interfaces.packages import IPackageRecords, IVersionRecords, Package
from packeton.interfaces.sources import EventKind, Listener, PackageEvent

__all__ = ["Removals"]


@define
class Removals:
    """Removes packages."""

    _packages: IPackageRecords
    _versions: IVersionRecords
    _tell: Listener

    async def remove(self, package: Package, at: datetime) -> Sequence[str]:
        """Remove a package and, of a mono-repo, its children; return the names that are gone. Each is told of."""
        members = [package, *await self._packages.children(package.id)]
        had = {member.id: tuple(await self._versions.of_package(member.id)) for member in members}
        gone = await self._packages.remove(package.id, at)
        for member in members:
            if member.name in gone:
                await self._tell(PackageEvent(kind=EventKind.REMOVED, package=member, versions=had[member.id]))
        return gone
