"""VersionRecords: the versions of our own packages, the refs they were read from, the references they had."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define, evolve
from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, delete, insert, literal, select, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import package_digests as digests
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
    VersionDocument,
    VersionDraft,
    VersionIndex,
)

__all__ = ["VersionRecords"]

SECOND = timedelta(seconds=1)
MAX_TOLD = 400
"""Releases that are removed at once of which is told what they were."""
UNREAD = [column for column in versions.c if column.name != "document"]
KEY = ("package_id", "reference", "normalized")
THIS = tuple(f"this_{name}" for name in KEY)
SOME: BindParameter[Any] = bindparam("some", expanding=True)
PACKAGES: BindParameter[Any] = bindparam("packages", expanding=True)
# What a crawl needs for each batch is made once: making a statement takes longer than running it.
OF_REFS = select(*UNREAD).where(versions.c.owner_id == bindparam("owner"), versions.c.ref.in_(SOME))
OF_NAMES = select(versions).where(versions.c.package_id.in_(PACKAGES), versions.c.normalized.in_(SOME))
REPLACE = update(versions).where(versions.c.id == bindparam("this_id"))
SEEN = select(*(references.c[name] for name in KEY)).where(
    references.c.package_id.in_(PACKAGES), references.c.reference.in_(SOME)
)
SEE_AGAIN = update(references).where(*(references.c[name] == bindparam(f"this_{name}") for name in KEY))
FORGET_REFS = delete(refs).where(refs.c.package_id == bindparam("package"), refs.c.ref.in_(SOME))
KEPT_CONTENTS = 200
"""Contents of one document whose dates are remembered."""
KEPT_LISTINGS = 100
"""Listings of digests that are kept, each of some 50 bytes a package."""
DOCUMENTS = ("id", "version", "normalized", "is_dev", "is_default", "dist_reference", "document")
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
            for some in batches(package_ids):
                here = versions.c.package_id.in_(some) & ~versions.c.hidden
                rows = connection.execute(select(*columns).where(here).order_by(versions.c.id)).all()
                for package_id, *fields in rows:
                    found.setdefault(package_id, []).append(VersionIndex(*fields))
            return found

        return await self._database.read(work)

    async def of_package(self, package_id: int) -> Sequence[StoredVersion]:
        """Return the versions of a package."""

        def work(connection: Connection) -> Sequence[StoredVersion]:
            here = (versions.c.package_id == package_id) & ~versions.c.hidden
            rows = connection.execute(select(*_stored_columns()).where(here).order_by(versions.c.id))
            return [_stored(row) for row in rows]

        return await self._database.read(work)

    async def chosen(self, version_ids: Sequence[int]) -> Mapping[int, StoredVersion]:
        """Return these versions by id."""

        def work(connection: Connection) -> Mapping[int, StoredVersion]:
            found: dict[int, StoredVersion] = {}
            for some in batches(version_ids):
                here = versions.c.id.in_(some) & ~versions.c.hidden
                rows = connection.execute(select(*_stored_columns()).where(here)).all()
                found.update((row.id, _stored(row)) for row in rows)
            return found

        return await self._database.read(work)

    async def documents(self, package_ids: Sequence[int], version_ids: Sequence[int]) -> Sequence[VersionDocument]:
        """Return all versions of these packages, and these versions."""
        chosen = select(*(versions.c[name] for name in DOCUMENTS)).where(~versions.c.hidden)

        def work(connection: Connection) -> Sequence[VersionDocument]:
            found: list[VersionDocument] = []
            for column, wanted in ((versions.c.package_id, package_ids), (versions.c.id, version_ids)):
                for some in batches(wanted):
                    rows = connection.execute(chosen.where(column.in_(some))).all()
                    found += [VersionDocument(*row) for row in rows]
            return found

        return await self._database.read(work)

    async def get(self, version_id: int) -> StoredVersion | None:
        """Return one version."""
        return await self._one(versions.c.id == version_id)

    async def default(self, package_id: int) -> StoredVersion | None:
        """Return the version of the default branch."""
        return await self._one((versions.c.package_id == package_id) & versions.c.is_default & ~versions.c.hidden)

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

        return await self._database.read(work)

    async def known(self, package_id: int) -> Mapping[str, str]:
        """Return, by ref, the commits that were read already."""

        def work(connection: Connection) -> Mapping[str, str]:
            chosen = select(refs.c.ref, refs.c.commit).where(refs.c.package_id == package_id)
            return {row.ref: row.commit for row in connection.execute(chosen)}

        return await self._database.read(work)

    async def problems(self, package_id: int) -> Sequence[RefProblem]:
        """Return the refs that give no version though they should."""
        here = (refs.c.package_id == package_id) & refs.c.problem.is_not(None)

        def work(connection: Connection) -> Sequence[RefProblem]:
            rows = connection.execute(select(refs).where(here).order_by(refs.c.ref))
            return [RefProblem(ref=row.ref, problem=row.problem) for row in rows]

        return await self._database.read(work)

    async def apply(self, owner_id: int, outcomes: Sequence[RefOutcome], at: datetime) -> Sequence[Change]:
        """Store what was found at some refs, as a whole or not at all."""

        def work(connection: Connection) -> Sequence[Change]:
            drafts = {
                (draft.package_id, draft.normalized): (outcome.ref, draft)
                for outcome in outcomes
                for draft in outcome.versions
            }
            healthy = [outcome.ref for outcome in outcomes if outcome.problem is None]
            changes: list[Change] = []
            for some in batches(healthy):
                changes += _remove_of_refs(connection, owner_id, some, drafts)
            changes += _store(connection, owner_id, drafts, at)
            _note_references(connection, [draft for _, draft in drafts.values()], at)
            _note_refs(connection, owner_id, outcomes)
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
            for some in batches(gone):
                changes += _remove_of_refs(connection, owner_id, some, frozenset())
                connection.execute(FORGET_REFS, {"package": owner_id, "some": some})
            if changes:  # another ref may have stood back for one that is gone
                connection.execute(delete(refs).where(refs.c.package_id == owner_id, refs.c.skipped))
            return changes

        return await self._database.run(work)

    async def hide(self, package_id: int, normalized: Collection[str]) -> Sequence[Change]:
        """Hide exactly these versions of a package."""
        wanted = frozenset(normalized)

        def work(connection: Connection) -> Sequence[Change]:
            changes: list[Change] = []
            chosen = select(versions.c.id, versions.c.normalized, versions.c.hidden).order_by(versions.c.id)
            chosen = chosen.where(versions.c.package_id == package_id)
            held = connection.execute(chosen if wanted else chosen.where(versions.c.hidden)).all()
            for some in batches([row.id for row in held if row.hidden != (row.normalized in wanted)]):
                here = versions.c.id.in_(some)
                rows = connection.execute(select(*UNREAD).where(here).order_by(versions.c.id)).all()
                changes += [_change(ChangeKind.ADDED if row.hidden else ChangeKind.REMOVED, row) for row in rows]
                connection.execute(update(versions).where(here).values(hidden=~versions.c.hidden))
            return changes

        return await self._database.run(work)

    async def trees(self, package_id: int) -> Sequence[tuple[str, str, str | None]]:
        """Return (normalized, ref, tree) of all versions of a package."""

        def work(connection: Connection) -> Sequence[tuple[str, str, str | None]]:
            chosen = select(versions.c.normalized, versions.c.ref, versions.c.tree)
            rows = connection.execute(chosen.where(versions.c.package_id == package_id))
            return [(row.normalized, row.ref, row.tree) for row in rows]

        return await self._database.read(work)

    async def remove(self, package_id: int, normalized: str, at: datetime) -> Change | None:  # noqa: ARG002
        """Remove one version; its ref is forgotten, so that the next crawl reads it again."""

        def work(connection: Connection) -> Change | None:
            here = (versions.c.package_id == package_id) & (versions.c.normalized == normalized)
            row = connection.execute(select(versions).where(here)).one_or_none()
            if row is None:
                return None
            connection.execute(delete(versions).where(versions.c.id == row.id))
            connection.execute(delete(refs).where(refs.c.package_id == row.owner_id, refs.c.ref == row.ref))
            return evolve(_change(ChangeKind.REMOVED, row), document=None if row.is_dev else row.document)

        return await self._database.run(work)

    async def forget_references(self, before: datetime) -> int:
        """Remove references that no version has any more and that were last seen before *before*."""
        same = (versions.c.package_id == references.c.package_id) & (versions.c.normalized == references.c.normalized)
        current = select(literal(1)).where(same, versions.c.dist_reference == references.c.reference).exists()

        def work(connection: Connection) -> int:
            return connection.execute(delete(references).where(references.c.seen_at < before, ~current)).rowcount

        return await self._database.run(work)

    async def published_at(self, document: str, fingerprint: str, natural: datetime) -> datetime:
        """Return the date under which this content of a document is published; for a known one nothing is written."""
        here = publications.c.document == document

        def known(connection: Connection) -> datetime | None:
            this = select(publications.c.last_modified).where(here, publications.c.fingerprint == fingerprint)
            return connection.execute(this).scalar_one_or_none()

        def work(connection: Connection) -> datetime:
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

        found: datetime | None = await self._database.read(known)
        return await self._database.run(work) if found is None else found

    async def digests(self, listing: str) -> bytes:
        """Return the digests that were kept under this name."""

        def work(connection: Connection) -> bytes:
            chosen = select(digests.c.content).where(digests.c.listing == listing)
            return connection.execute(chosen).scalar_one_or_none() or b""

        return await self._database.read(work)

    async def keep_digests(self, listing: str, content: bytes, revision: int) -> None:
        """Keep digests in place of those under this name; of too many, those of the oldest revision go."""
        here = digests.c.listing == listing
        old = select(digests.c.listing).order_by(digests.c.revision.desc(), digests.c.listing).offset(KEPT_LISTINGS)

        def work(connection: Connection) -> None:
            connection.execute(delete(digests).where(here))
            connection.execute(insert(digests).values(listing=listing, content=content, revision=revision))
            gone = connection.execute(old.limit(KEPT_LISTINGS)).scalars().all()
            if gone:
                connection.execute(delete(digests).where(digests.c.listing.in_(gone)))

        await self._database.run(work)

    async def _one(self, here: Any) -> StoredVersion | None:
        def work(connection: Connection) -> StoredVersion | None:
            row = connection.execute(select(*_stored_columns()).where(here).order_by(versions.c.id)).first()
            return None if row is None else _stored(row)

        return await self._database.read(work)


def _stored(row: Row[Any]) -> StoredVersion:
    return StoredVersion(**dict(zip(STORED, row, strict=True)))


def _stored_columns() -> list[Any]:
    return [versions.c[name] for name in STORED]


def _remove_of_refs(
    connection: Connection, owner_id: int, gone: Sequence[str], kept: Collection[tuple[int, str]]
) -> list[Change]:
    """Remove the versions that came from these refs, but for those in *kept*."""
    found = connection.execute(OF_REFS, {"owner": owner_id, "some": gone})
    rows = [row for row in found if (row.package_id, row.normalized) not in kept]
    releases = [row.id for row in rows if not row.hidden and not row.is_dev][:MAX_TOLD]
    last = {}
    for some in batches(releases):
        wanted = select(versions.c.id, versions.c.document).where(versions.c.id.in_(some))
        last.update({row.id: row.document for row in connection.execute(wanted)})
    for some in batches([row.id for row in rows]):
        connection.execute(delete(versions).where(versions.c.id.in_(some)))
    return [
        evolve(_change(ChangeKind.REMOVED, row), document=last.get(row.id)) for row in rows if not row.hidden
    ]


def _store(
    connection: Connection, owner_id: int, drafts: Mapping[tuple[int, str], tuple[str, VersionDraft]], at: datetime
) -> list[Change]:
    """Insert versions, and change those that are not as they should be."""
    held = _held(connection, drafts)
    changes: list[Change] = []
    new: list[dict[str, Any]] = []
    other: list[dict[str, Any]] = []
    for key, (ref, draft) in drafts.items():
        values = {name: getattr(draft, name) for name in DRAFTED} | {"owner_id": owner_id, "ref": ref}
        row = held.get(key)
        if row is None:
            new.append({**values, "hidden": False, "created_at": at, "updated_at": at})
            changes.append(_change(ChangeKind.ADDED, draft))
            continue
        if row.ref != ref or row.owner_id != owner_id:  # this ref takes it over: the other one is to be read again
            connection.execute(delete(refs).where(refs.c.package_id == row.owner_id, refs.c.ref == row.ref))
        if any(getattr(row, name) != value for name, value in values.items()):
            other.append({**values, "updated_at": at, "this_id": row.id})
        if row.document != draft.document or row.dist_reference != draft.dist_reference:
            changes.append(_change(ChangeKind.CHANGED, draft, row.dist_reference))
    if other:
        connection.execute(REPLACE, other)
    if new:
        connection.execute(insert(versions), new)
    return changes


def _held(connection: Connection, keys: Collection[tuple[int, str]]) -> Mapping[tuple[int, str], Row[Any]]:
    """Return the rows of these versions."""
    rows = _crossed(connection, OF_NAMES, keys)
    return {(row.package_id, row.normalized): row for row in rows}


def _crossed(connection: Connection, statement: Select[Any], keys: Collection[tuple[int, str]]) -> Iterator[Row[Any]]:
    """Yield the rows of all packages of *keys* with all its names: each ref of a mono-repo has most of its packages."""
    for package_ids in batches(sorted({package_id for package_id, _ in keys})):
        for some in batches(sorted({name for _, name in keys})):
            yield from connection.execute(statement, {"packages": package_ids, "some": some})


DRAFTED = (
    "package_id", "version", "normalized", "is_dev", "reference", "dist_reference", "directory", "tree", "is_default",
    "released_at", "document",
)  # fmt: skip


def _note_references(connection: Connection, drafts: Iterable[VersionDraft], at: datetime) -> None:
    """Remember the references of these versions, also for the time when others will have taken their place."""
    wanted = {
        (draft.package_id, draft.dist_reference, draft.normalized): _known_values(draft, at)
        for draft in drafts
        if draft.dist_reference is not None
    }
    rows = _crossed(connection, SEEN, [key[:2] for key in wanted])
    held = {(row.package_id, row.reference, row.normalized) for row in rows}
    seen = [dict(zip(THIS, key, strict=True)) | values for key, values in wanted.items() if key in held]
    new = [dict(zip(KEY, key, strict=True)) | values for key, values in wanted.items() if key not in held]
    if seen:
        connection.execute(SEE_AGAIN, seen)
    if new:
        connection.execute(insert(references), new)


def _known_values(draft: VersionDraft, at: datetime) -> dict[str, Any]:
    return {
        "version": draft.version,
        "is_dev": draft.is_dev,
        "released_at": draft.released_at,
        "source": draft.reference,
        "directory": draft.directory,
        "seen_at": at,
    }


def _note_refs(connection: Connection, owner_id: int, outcomes: Sequence[RefOutcome]) -> None:
    """Remember at which commits these refs were read."""
    rows = {
        outcome.ref: {
            "package_id": owner_id,
            "ref": outcome.ref,
            "commit": outcome.commit,
            "skipped": outcome.skipped,
            "problem": outcome.problem,
        }
        for outcome in outcomes
    }
    for some in batches(sorted(rows)):
        connection.execute(FORGET_REFS, {"package": owner_id, "some": some})
    if rows:
        connection.execute(insert(refs), list(rows.values()))


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
