"""ArchiveRecords and UploadRecords: archives that were built, and files that were uploaded."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import asdict, define, evolve
from sqlalchemy import Connection, delete, insert, or_, select, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import archives, packages, uploads
from packeton.core.composer.submissions import uploads_of
from packeton.interfaces.archives import BuiltFile, IArchiveRecords, IUploadRecords, Upload

__all__ = ["ArchiveRecords", "UploadRecords"]

MAX_LISTED = 1000
AT_ONCE = 200
WITH_UPLOADS = ("artifact", "custom", "virtual")


@implementer(IArchiveRecords)
@define
class ArchiveRecords:
    """Archives by key."""

    _database: Database

    async def find(self, key: str) -> BuiltFile | None:
        """Return what is known of an archive."""

        def work(connection: Connection) -> BuiltFile | None:
            row = connection.execute(select(archives).where(archives.c.key == key)).one_or_none()
            return None if row is None else BuiltFile(**row._asdict())

        return await self._database.read(work)

    async def save(self, built: BuiltFile) -> None:
        """Insert or replace by key."""

        def work(connection: Connection) -> None:
            values = asdict(built)
            here = archives.c.key == built.key
            if connection.execute(update(archives).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(archives).values(**values))

        await self._database.run(work)

    async def used(self, keys: Iterable[str], at: datetime) -> None:
        """Note that these were served."""
        chosen = list(keys)

        def work(connection: Connection) -> None:
            for some in batches(chosen, AT_ONCE):
                connection.execute(update(archives).where(archives.c.key.in_(some)).values(used_at=at))

        await self._database.run(work)

    async def of_package(self, package_id: int) -> Sequence[BuiltFile]:
        """Return all archives of a package."""

        def work(connection: Connection) -> Sequence[BuiltFile]:
            rows = connection.execute(select(archives).where(archives.c.package_id == package_id))
            return [BuiltFile(**row._asdict()) for row in rows]

        return await self._database.read(work)

    async def checksums(self, package_id: int) -> Mapping[str, str]:
        """Return the SHA-1 of the archives of a package, by reference and kind."""

        def work(connection: Connection) -> Mapping[str, str]:
            chosen = select(archives.c.key, archives.c.reference, archives.c.sha1)
            rows = connection.execute(chosen.where(archives.c.package_id == package_id))
            return {f"{row.reference}.{row.key.rpartition('.')[2]}": row.sha1 for row in rows}

        return await self._database.read(work)

    async def unused(self, before: datetime, limit: int) -> Sequence[BuiltFile]:
        """Return archives that nobody asked for since *before*."""

        def work(connection: Connection) -> Sequence[BuiltFile]:
            chosen = select(archives).where(archives.c.used_at < before).order_by(archives.c.used_at).limit(limit)
            return [BuiltFile(**row._asdict()) for row in connection.execute(chosen)]

        return await self._database.read(work)

    async def remove(self, key: str) -> None:
        """Forget an archive."""
        await self._database.run(lambda connection: connection.execute(delete(archives).where(archives.c.key == key)))


@implementer(IUploadRecords)
@define
class UploadRecords:
    """The upload library."""

    _database: Database

    async def create(self, upload: Upload) -> Upload:
        """Store what is known of a new file."""

        def work(connection: Connection) -> Upload:
            values = asdict(upload)
            del values["id"]
            made = connection.execute(insert(uploads).values(**values)).inserted_primary_key
            assert made is not None
            return evolve(upload, id=made[0])

        return await self._database.run(work)

    async def get(self, upload_id: int) -> Upload | None:
        """Return one."""

        def work(connection: Connection) -> Upload | None:
            row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).one_or_none()
            return None if row is None else Upload(**row._asdict())

        return await self._database.read(work)

    async def by_reference(self, reference: str) -> Upload | None:
        """Return one by its reference."""

        def work(connection: Connection) -> Upload | None:
            row = connection.execute(select(uploads).where(uploads.c.reference == reference)).one_or_none()
            return None if row is None else Upload(**row._asdict())

        return await self._database.read(work)

    async def listed(self, with_ids: Iterable[int] = ()) -> Sequence[Upload]:
        """Return what no package uses, and these."""
        chosen = or_(~uploads.c.used, uploads.c.id.in_(list(with_ids)[:MAX_LISTED]))

        def work(connection: Connection) -> Sequence[Upload]:
            rows = connection.execute(select(uploads).where(chosen).order_by(uploads.c.id.desc()).limit(MAX_LISTED))
            return [Upload(**row._asdict()) for row in rows]

        return await self._database.read(work)

    async def take(self, upload_ids: Iterable[int]) -> None:
        """Note that a package needs these."""
        chosen = list(upload_ids)
        await self._database.run(lambda connection: _mark(connection, chosen, used=True))

    async def release(self, upload_ids: Iterable[int]) -> None:
        """Note that a package does not need these any more."""
        chosen = set(upload_ids)

        def work(connection: Connection) -> None:
            owners = select(packages.c.settings).where(packages.c.repo_type.in_(WITH_UPLOADS))
            needed = {number for settings in connection.scalars(owners) for number in uploads_of(settings)}
            _mark(connection, sorted(chosen - needed), used=False)

        if chosen:
            await self._database.run(work)

    async def remove_unused(self, upload_id: int) -> bool:
        """Forget one unless it is in use."""

        def work(connection: Connection) -> bool:
            unused = (uploads.c.id == upload_id) & ~uploads.c.used
            return connection.execute(delete(uploads).where(unused)).rowcount > 0

        return await self._database.run(work)


def _mark(connection: Connection, upload_ids: Sequence[int], *, used: bool) -> None:
    for some in batches(upload_ids, AT_ONCE):
        connection.execute(update(uploads).where(uploads.c.id.in_(some)).values(used=used))
