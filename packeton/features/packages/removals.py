"""Removing packages and versions, and telling what is gone: nobody can look it up afterwards."""

from collections.abc import Sequence

from attrs import define

from packeton.interfaces.clocks import Now
from packeton.interfaces.packages import IPackageRecords, IVersionRecords, Package
from packeton.interfaces.revisions import IRevisions, Subject
from packeton.interfaces.sources import EventKind, Listener, PackageEvent

__all__ = ["Removals"]


@define
class Removals:
    """Removes what somebody wants to be gone; what an update finds gone it removes itself."""

    _packages: IPackageRecords
    _versions: IVersionRecords
    _revisions: IRevisions
    _tell: Listener
    _now: Now

    async def remove(self, package: Package) -> Sequence[str]:
        """Remove a package and, of a mono-repo, its children; return the names that are gone. Each is told of."""
        members = [package, *await self._packages.children(package.id)]
        had = {member.id: tuple(await self._versions.of_package(member.id)) for member in members}
        gone = await self._packages.remove(package.id, self._now())
        await self._revisions.bump(Subject.PACKAGES)
        for member in members:
            if member.name in gone:
                await self._tell(PackageEvent(kind=EventKind.REMOVED, package=member, versions=had[member.id]))
        return gone

    async def remove_version(self, package: Package, normalized: str) -> None:
        """Remove one version if it is there, and tell of it as of one whose ref went."""
        now = self._now()
        change = await self._versions.remove(package.id, normalized, now)
        if change is None:
            return
        await self._packages.touch(package.id, stable=not change.is_dev, dev=change.is_dev, at=now)
        await self._revisions.bump(Subject.PACKAGES)
        await self._tell(PackageEvent(kind=EventKind.REFRESHED, package=package, changes=(change,)))
