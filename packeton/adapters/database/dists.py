"""DistRecords and PublicationRecords: what was first seen of a dist, and last sent out of a document."""

from collections.abc import Sequence
from datetime import datetime

from attrs import asdict, define
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.caching import dist_digests as dists
from packeton.adapters.database.tables.caching import publications
from packeton.core.caching.entries import DistDigest, Publication
from packeton.interfaces.caching import IDistRecords, IPublicationRecords

__all__ = ["DistRecords", "PublicationRecords"]


@implementer(IDistRecords)
@define
class DistRecords:
    """First-seen digests of dists."""

    _database: Database

    async def find(self, mirror: str, package: str, version: str, reference: str) -> DistDigest | None:
        """Return what was first seen, or None."""

        def work(connection: Connection) -> DistDigest | None:
            row = connection.execute(select(dists).where(_here(mirror, package, version, reference))).one_or_none()
            return None if row is None else DistDigest(**row._asdict())

        return await self._database.read(work)

    async def of_package(self, mirror: str, package: str) -> Sequence[DistDigest]:
        """Return what was first seen of all dists of a package."""

        def work(connection: Connection) -> Sequence[DistDigest]:
            here = (dists.c.mirror == mirror) & (dists.c.package == package)
            return [DistDigest(**row._asdict()) for row in connection.execute(select(dists).where(here))]

        return await self._database.read(work)

    async def first_seen(self, digest: DistDigest) -> DistDigest:
        """Record *digest* unless there is one; return the one that holds."""

        def work(connection: Connection) -> DistDigest:
            here = _here(digest.mirror, digest.package, digest.version, digest.reference)
            row = connection.execute(select(dists).where(here)).one_or_none()
            if row is not None:
                return DistDigest(**row._asdict())
            connection.execute(insert(dists).values(**asdict(digest)))
            return digest

        return await self._database.run(work)

    async def changed(
        self, mirror: str, package: str, version: str, reference: str, sha256: str, at: datetime
    ) -> None:
        """Record that upstream now serves other bytes."""

        def work(connection: Connection) -> None:
            here = _here(mirror, package, version, reference)
            connection.execute(update(dists).where(here).values(changed_sha256=sha256, changed_at=at))

        await self._database.run(work)

    async def accept(self, package: str, version: str | None = None) -> int:
        """Forget first-seen digests of changed dists."""

        def work(connection: Connection) -> int:
            here = (dists.c.package == package) & dists.c.changed_at.is_not(None)
            if version is not None:
                here &= dists.c.version == version
            return connection.execute(delete(dists).where(here)).rowcount

        return await self._database.run(work)

    async def alarms(self, limit: int = 100) -> Sequence[DistDigest]:
        """Return the dists that changed, newest first."""

        def work(connection: Connection) -> Sequence[DistDigest]:
            changed = select(dists).where(dists.c.changed_at.is_not(None)).order_by(dists.c.changed_at.desc())
            return [DistDigest(**row._asdict()) for row in connection.execute(changed.limit(limit))]

        return await self._database.read(work)


@implementer(IPublicationRecords)
@define
class PublicationRecords:
    """What was last sent out, by document key."""

    _database: Database

    async def find(self, key: str) -> Publication | None:
        """Return it, or None."""

        def work(connection: Connection) -> Publication | None:
            row = connection.execute(select(publications).where(publications.c.key == key)).one_or_none()
            return None if row is None else Publication(**row._asdict())

        return await self._database.read(work)

    async def save(self, publication: Publication) -> None:
        """Insert or replace by key."""

        def work(connection: Connection) -> None:
            values = asdict(publication)
            here = publications.c.key == publication.key
            if connection.execute(update(publications).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(publications).values(**values))

        await self._database.run(work)


def _here(mirror: str, package: str, version: str, reference: str) -> ColumnElement[bool]:
    return (
        (dists.c.mirror == mirror)
        & (dists.c.package == package)
        & (dists.c.version == version)
        & (dists.c.reference == reference)
    )
