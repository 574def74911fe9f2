"""Which names are those of our own packages, so that no mirror serves another package under one of them."""

from attrs import define, field

from packeton.interfaces.packages import IPackageRecords
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["OwnNames"]


@define
class OwnNames:
    """Says if a name is ours; an instance is an `IsPrivate`. The names are in memory while they stay the same."""

    _packages: IPackageRecords
    _revisions: IRevisions
    _names: tuple[int, frozenset[str]] | None = field(default=None, init=False)

    async def __call__(self, name: str) -> bool:
        """Say if *name* is one of our own packages. Raises StorageFailed."""
        revision = self._revisions.current(Subject.PACKAGES)
        if self._names is None or self._names[0] != revision:
            self._names = (revision, frozenset(await self._packages.names()))
        return name in self._names[1]
