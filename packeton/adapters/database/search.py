"""LinkRecords and SearchRecords: what versions require, and packages by words."""

from collections.abc import Sequence

from attrs import define
from sqlalchemy import Connection, and_, case, func, or_, select, true
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import downloads, packages, versions
from packeton.interfaces.links import DevelopmentVersion, ILinkRecords, ISearchRecords

__all__ = ["LinkRecords", "SearchRecords"]


@implementer(ILinkRecords)
@define
class LinkRecords:
    """Documents of development versions."""

    _database: Database

    async def development(self, package_ids: Sequence[int]) -> Sequence[DevelopmentVersion]:
        """Return the development versions of some packages."""
        columns = (
            versions.c.package_id, versions.c.version, versions.c.normalized, versions.c.released_at,
            versions.c.document,
        )  # fmt: skip
        chosen = select(*columns).where(
            versions.c.package_id.in_(list(package_ids)), versions.c.is_dev, ~versions.c.hidden
        )

        def work(connection: Connection) -> Sequence[DevelopmentVersion]:
            return [DevelopmentVersion(*row) for row in connection.execute(chosen)]

        return await self._database.read(work)


@implementer(ISearchRecords)
@define
class SearchRecords:
    """Packages by words."""

    _database: Database

    async def matching(self, words: Sequence[str], type_: str | None, limit: int) -> Sequence[str]:
        """Return the names of packages that fit, best first."""
        name, text = packages.c.name, func.lower(packages.c.description)
        fits = [
            or_(name.contains(word, autoescape=True), text.contains(word, autoescape=True)) for word in words
        ]
        if type_ is not None:
            fits.append(packages.c.type == type_)
        whole = "-".join(words)
        rank = case(
            (or_(name == whole, name.endswith(f"/{whole}", autoescape=True)), 0),
            (or_(name.startswith(whole, autoescape=True), name.contains(f"/{whole}", autoescape=True)), 1),
            (and_(true(), *[name.contains(word, autoescape=True) for word in words]), 2),
            else_=3,
        )
        installs = select(downloads.c.package_id, downloads.c.count.label("installs")).where(
            downloads.c.version == "", downloads.c.period == ""
        ).subquery()  # fmt: skip
        joined = packages.outerjoin(installs, installs.c.package_id == packages.c.id)
        order = (rank, func.coalesce(installs.c.installs, 0).desc(), name) if words else (
            func.coalesce(installs.c.installs, 0).desc(), name
        )  # fmt: skip
        chosen = select(name).select_from(joined).where(*fits).order_by(*order).limit(limit)

        def work(connection: Connection) -> Sequence[str]:
            return list(connection.execute(chosen).scalars())

        return await self._database.read(work)
