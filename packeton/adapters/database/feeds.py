"""FeedRecords: what is new."""

from collections.abc import Sequence
from datetime import datetime

from attrs import define
from sqlalchemy import Connection, select
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import packages, versions
from packeton.interfaces.links import IFeedRecords, NewPackage, NewRelease

__all__ = ["FeedRecords"]


@implementer(IFeedRecords)
@define
class FeedRecords:
    """Newest first."""

    _database: Database

    async def packages(self, skip: int, limit: int) -> Sequence[NewPackage]:
        """Return packages that are not abandoned."""
        columns = (packages.c.name, packages.c.description, packages.c.created_at)
        chosen = select(*columns).where(~packages.c.abandoned)
        ordered = chosen.order_by(packages.c.created_at.desc(), packages.c.id.desc()).offset(skip).limit(limit)

        def work(connection: Connection) -> Sequence[NewPackage]:
            return [NewPackage(*row) for row in connection.execute(ordered)]

        return await self._database.read(work)

    async def releases(self, until: datetime, vendor: str, name: str, skip: int, limit: int) -> Sequence[NewRelease]:
        """Return versions that are no development versions."""
        columns = (packages.c.name, packages.c.description, versions.c.version, versions.c.normalized,
                   versions.c.released_at, versions.c.document)  # fmt: skip
        chosen = select(*columns).join_from(versions, packages, versions.c.package_id == packages.c.id)
        chosen = chosen.where(~versions.c.is_dev, ~versions.c.hidden, versions.c.released_at <= until)
        if name:
            chosen = chosen.where(packages.c.name == name)
        elif vendor:
            chosen = chosen.where(packages.c.name >= f"{vendor}/", packages.c.name < f"{vendor}0")
        ordered = chosen.order_by(versions.c.released_at.desc(), versions.c.id.desc()).offset(skip).limit(limit)

        def work(connection: Connection) -> Sequence[NewRelease]:
            return [NewRelease(*row) for row in connection.execute(ordered)]

        return await self._database.read(work)
