"""VersionRecords: the versions of our own packages, the refs they were read from, the references they had."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define
from sqlalchemy import Connection, Row, delete, insert, literal, select, update
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import package_publications as publications
from packeton.adapters.database.tables.packages import package_references as references
from packeton.adapters.database.tables.packages import package_refs as refs
from packeton.adapters.database.tables.packages import versions
from packeton.interfaces.packages import (
    Change,
    ChangeKind,
    IVersionRecords,
    KnownReference,
    RefOutcome,
    RefProblem,
    StoredVersion,
    VersionDraft,
    VersionIndex,
)

__all__ = ["VersionRecords"]

SECOND = timedelta(seconds=1)
AT_ONCE = 400
"""Values in one IN list."""
KEPT_CONTENTS = 200
"""Contents of one document whose dates are remembered."""
STORED = (
    "id", "package_id", "version", "normalized", "is_dev", "reference", "dist_reference", "ref", "directory",
    "is_default", "released_at", "document",
)  # fmt: skip


@implementer(IVersionRecords)
@define
class VersionRecords:
    """Versions by package."""

    _database: Database

    async def index(self, package_id: int) -> Sequence[VersionIndex]:
        """Return the versions of a package, without documents."""
        return (await self.indexes([package_id])).get(package_id, [])

    async def indexes(self, package_ids: Sequence[int]) -> Mapping[int, Sequence[VersionIndex]]:
        """Return the same of several packages."""
        columns = [versions.c[name] for name in ("package_id", "id", "version", "normalized", "is_dev", "released_at")]

        def work(connection: Connection) -> Mapping[int, Sequence[VersionIndex]]:
            found: dict[int, list[VersionIndex]] = {}
            for some in _parts(package_ids):
                here = versions.c.package_id.in_(some) & ~versions.c.hidden
                for row in connection.execute(select(*columns).where(here).order_by(versions.c.id)):
                    package_id, *fields = row
                    found.setdefault(package_id, []).append(VersionIndex(*fields))
            return found

        return await self._database.run(work)

    async def of_package(self, package_id: int) -> Sequence[StoredVersion]:
        """Return the versions of a package."""
        return (await self.of_packages([package_id])).get(package_id, [])

    async def of_packages(self, package_ids: Sequence[int]) -> Mapping[int, Sequence[StoredVersion]]:
        """Return the versions of several packages."""

        def work(connection: Connection) -> Mapping[int, Sequence[StoredVersion]]:
            found: dict[int, list[StoredVersion]] = {}
            for some in _parts(package_ids):
                here = versions.c.package_id.in_(some) & ~versions.c.hidden
                for row in connection.execute(select(*_stored_columns()).where(here).order_by(versions.c.id)):
                    found.setdefault(row.package_id, []).append(StoredVersion(**row._asdict()))
            return found

        return await self._database.run(work)

    async def get(self, version_id: int) -> StoredVersion | None:
        """Return one version."""
        return await self._one(versions.c.id == version_id)

    async def find(self, package_id: int, normalized: str) -> StoredVersion | None:
        """Return a version by its normalised number."""
        return await self._one((versions.c.package_id == package_id) & (versions.c.normalized == normalized))

    async def with_reference(self, package_id: int, reference: str) -> Sequence[KnownReference]:
        """Return the versions that have, or had, this dist reference."""
        here = (references.c.package_id == package_id) & (references.c.reference == reference)
        same = (versions.c.package_id == references.c.package_id) & (versions.c.normalized == references.c.normalized)
        current = same & (versions.c.dist_reference == references.c.reference) & ~versions.c.hidden
        joined = references.outerjoin(versions, current)
        chosen = select(references, versions.c.id.label("version_id")).select_from(joined).where(here)

        def work(connection: Connection) -> Sequence[KnownReference]:
            found = [_known(row) for row in connection.execute(chosen.order_by(references.c.normalized))]
            return sorted(found, key=lambda known: known.version_id is None)

        return await self._database.run(work)

    async def known(self, package_id: int) -> Mapping[str, str]:
        """Return, by ref, the commits that were read already."""

        def work(connection: Connection) -> Mapping[str, str]:
            chosen = select(refs.c.ref, refs.c.commit).where(refs.c.package_id == package_id)
            return {row.ref: row.commit for row in connection.execute(chosen)}

        return await self._database.run(work)

    async def problems(self, package_id: int) -> Sequence[RefProblem]:
        """Return the refs that give no version though they should."""
        here = (refs.c.package_id == package_id) & refs.c.problem.is_not(None)

        def work(connection: Connection) -> Sequence[RefProblem]:
            rows = connection.execute(select(refs).where(here).order_by(refs.c.ref))
            return [RefProblem(ref=row.ref, problem=row.problem) for row in rows]

        return await self._database.run(work)

    async def apply(self, owner_id: int, outcomes: Sequence[RefOutcome], at: datetime) -> Sequence[Change]:
        """Store what was found at some refs, as a whole or not at all."""

        def work(connection: Connection) -> Sequence[Change]:
            changes: list[Change] = []
            for outcome in outcomes:
                kept = {(draft.package_id, draft.normalized) for draft in outcome.versions}
                if outcome.problem is None:
                    changes += _remove_of_refs(connection, owner_id, [outcome.ref], kept)
                for draft in outcome.versions:
                    changes += _store(connection, owner_id, outcome.ref, draft, at)
                _note_ref(connection, owner_id, outcome)
            return changes

        return await self._database.run(work)

    async def retain(self, owner_id: int, refs_now: Collection[str], at: datetime) -> Sequence[Change]:  # noqa: ARG002
        """Remove what came from refs that are no longer there."""
        present = frozenset(refs_now)

        def work(connection: Connection) -> Sequence[Change]:
            read = connection.execute(select(refs.c.ref).where(refs.c.package_id == owner_id)).scalars().all()
            used = select(versions.c.ref).where(versions.c.owner_id == owner_id).distinct()
            gone = sorted({*read, *connection.execute(used).scalars()} - present)
            changes: list[Change] = []
            for some in _parts(gone):
                changes += _remove_of_refs(connection, owner_id, some, frozenset())
                connection.execute(delete(refs).where(refs.c.package_id == owner_id, refs.c.ref.in_(some)))
            if changes:  # another ref may have stood back for one that is gone
                connection.execute(delete(refs).where(refs.c.package_id == owner_id, refs.c.skipped))
            return changes

        return await self._database.run(work)

    async def hide(self, package_id: int, normalized: Collection[str]) -> Sequence[Change]:
        """Hide exactly these versions of a package."""
        wanted = frozenset(normalized)

        def work(connection: Connection) -> Sequence[Change]:
            changes: list[Change] = []
            for row in connection.execute(select(versions).where(versions.c.package_id == package_id)).all():
                hidden = row.normalized in wanted
                if hidden != row.hidden:
                    connection.execute(update(versions).where(versions.c.id == row.id).values(hidden=hidden))
                    changes.append(_change(ChangeKind.REMOVED if hidden else ChangeKind.ADDED, row))
            return changes

        return await self._database.run(work)

    async def trees(self, package_id: int) -> Sequence[tuple[str, str, str | None]]:
        """Return (normalized, ref, tree) of all versions of a package."""

        def work(connection: Connection) -> Sequence[tuple[str, str, str | None]]:
            chosen = select(versions.c.normalized, versions.c.ref, versions.c.tree)
            rows = connection.execute(chosen.where(versions.c.package_id == package_id))
            return [(row.normalized, row.ref, row.tree) for row in rows]

        return await self._database.run(work)

    async def remove(self, package_id: int, normalized: str, at: datetime) -> bool:  # noqa: ARG002
        """Remove one version; its ref is forgotten, so that the next crawl reads it again."""

        def work(connection: Connection) -> bool:
            here = (versions.c.package_id == package_id) & (versions.c.normalized == normalized)
            row = connection.execute(select(versions).where(here)).one_or_none()
            if row is None:
                return False
            connection.execute(delete(versions).where(versions.c.id == row.id))
            connection.execute(delete(refs).where(refs.c.package_id == row.owner_id, refs.c.ref == row.ref))
            return True

        return await self._database.run(work)

    async def forget_references(self, before: datetime) -> int:
        """Remove references that no version has any more and that were last seen before *before*."""
        same = (versions.c.package_id == references.c.package_id) & (versions.c.normalized == references.c.normalized)
        current = select(literal(1)).where(same, versions.c.dist_reference == references.c.reference).exists()

        def work(connection: Connection) -> int:
            return connection.execute(delete(references).where(references.c.seen_at < before, ~current)).rowcount

        return await self._database.run(work)

    async def published_at(self, document: str, fingerprint: str, natural: datetime) -> datetime:
        """Return the date under which this content of a document is published."""

        def work(connection: Connection) -> datetime:
            here = publications.c.document == document
            held = connection.execute(select(publications).where(here)).all()
            for row in held:
                if row.fingerprint == fingerprint:
                    return row.last_modified  # type: ignore[no-any-return]
            moment = natural.replace(microsecond=0)
            if held:
                moment = max(moment, max(row.last_modified for row in held) + SECOND)
            values = {"document": document, "fingerprint": fingerprint, "last_modified": moment}
            connection.execute(insert(publications).values(**values))
            if len(held) >= KEPT_CONTENTS:
                oldest = min(held, key=lambda row: row.last_modified)
                connection.execute(delete(publications).where(here, publications.c.fingerprint == oldest.fingerprint))
            return moment

        return await self._database.run(work)

    async def _one(self, here: Any) -> StoredVersion | None:
        def work(connection: Connection) -> StoredVersion | None:
            row = connection.execute(select(*_stored_columns()).where(here)).one_or_none()
            return None if row is None else StoredVersion(**row._asdict())

        return await self._database.run(work)


def _stored_columns() -> list[Any]:
    return [versions.c[name] for name in STORED]


def _parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))


def _remove_of_refs(
    connection: Connection, owner_id: int, gone: Sequence[str], kept: Collection[tuple[int, str]]
) -> list[Change]:
    """Remove the versions that came from these refs, but for those in *kept*."""
    here = (versions.c.owner_id == owner_id) & versions.c.ref.in_(gone)
    columns = [column for column in versions.c if column.name != "document"]
    rows = [
        row for row in connection.execute(select(*columns).where(here)) if (row.package_id, row.normalized) not in kept
    ]
    for some in _parts([row.id for row in rows]):
        connection.execute(delete(versions).where(versions.c.id.in_(some)))
    return [_change(ChangeKind.REMOVED, row) for row in rows if not row.hidden]


def _store(connection: Connection, owner_id: int, ref: str, draft: VersionDraft, at: datetime) -> list[Change]:
    """Insert or replace one version and note its reference."""
    here = (versions.c.package_id == draft.package_id) & (versions.c.normalized == draft.normalized)
    held = connection.execute(select(versions).where(here)).one_or_none()
    values = {
        **{name: getattr(draft, name) for name in DRAFTED},
        "owner_id": owner_id,
        "ref": ref,
        "updated_at": at,
    }
    _note_reference(connection, draft, at)
    if held is None:
        connection.execute(insert(versions).values(**values, hidden=False, created_at=at))
        return [_change(ChangeKind.ADDED, draft)]
    if held.ref != ref or held.owner_id != owner_id:  # this ref takes the version over: the other is to be read again
        connection.execute(delete(refs).where(refs.c.package_id == held.owner_id, refs.c.ref == held.ref))
    connection.execute(update(versions).where(versions.c.id == held.id).values(**values))
    same = held.document == draft.document and held.dist_reference == draft.dist_reference
    return [] if same else [_change(ChangeKind.CHANGED, draft, held.dist_reference)]


DRAFTED = (
    "package_id", "version", "normalized", "is_dev", "reference", "dist_reference", "directory", "tree", "is_default",
    "released_at", "document",
)  # fmt: skip


def _note_reference(connection: Connection, draft: VersionDraft, at: datetime) -> None:
    if draft.dist_reference is None:
        return
    here = (
        (references.c.package_id == draft.package_id)
        & (references.c.reference == draft.dist_reference)
        & (references.c.normalized == draft.normalized)
    )
    values = {
        "version": draft.version,
        "is_dev": draft.is_dev,
        "released_at": draft.released_at,
        "source": draft.reference,
        "directory": draft.directory,
        "seen_at": at,
    }
    if connection.execute(update(references).where(here).values(**values)).rowcount == 0:
        key = {
            "package_id": draft.package_id,
            "reference": draft.dist_reference,
            "normalized": draft.normalized,
        }
        connection.execute(insert(references).values(**key, **values))


def _note_ref(connection: Connection, owner_id: int, outcome: RefOutcome) -> None:
    here = (refs.c.package_id == owner_id) & (refs.c.ref == outcome.ref)
    values = {"commit": outcome.commit, "skipped": outcome.skipped, "problem": outcome.problem}
    if connection.execute(update(refs).where(here).values(**values)).rowcount == 0:
        connection.execute(insert(refs).values(package_id=owner_id, ref=outcome.ref, **values))


def _change(kind: ChangeKind, found: "Row[Any] | VersionDraft", old_reference: str | None = None) -> Change:
    return Change(
        kind=kind,
        package_id=found.package_id,
        version=found.version,
        normalized=found.normalized,
        is_dev=found.is_dev,
        old_reference=old_reference if isinstance(found, VersionDraft) else found.dist_reference,
    )


def _known(row: Row[Any]) -> KnownReference:
    fields = row._asdict()
    for name in ("package_id", "seen_at"):
        del fields[name]
    return KnownReference(**fields)
