"""The sub-repositories, at hand without a query until something about access changes."""

from collections.abc import Mapping

from attrs import define, field, frozen

from packeton.core.access.accounts import Subrepo
from packeton.interfaces.accounts import ISubrepoRecords
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["SubrepoDirectory", "Subrepos"]


@frozen(kw_only=True)
class Subrepos:
    """All of them at one moment."""

    by_id: Mapping[int, Subrepo]
    by_slug: Mapping[str, Subrepo]
    by_host: Mapping[str, Subrepo]


@define
class SubrepoDirectory:
    """Reads them when they may have changed."""

    _records: ISubrepoRecords
    _revisions: IRevisions
    _known: tuple[int, Subrepos] | None = field(default=None, init=False)

    async def all(self) -> Subrepos:
        """Return all of them. Raises StorageFailed."""
        revision = self._revisions.current(Subject.ACCESS)
        if self._known is not None and self._known[0] == revision:
            return self._known[1]
        listed = await self._records.listing()
        found = Subrepos(
            by_id={one.id: one for one in listed},
            by_slug={one.slug: one for one in listed},
            by_host={host.lower(): one for one in listed for host in one.hosts},
        )
        self._known = (revision, found)
        return found
