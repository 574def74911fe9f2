"""PackageRecords: our own packages, their maintainers, and the feed of their changes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import asdict, define
from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.base import EPOCH
from packeton.adapters.database.tables.packages import (
    downloads,
    maintainers,
    package_changes,
    packages,
    versions,
)
from packeton.core.composer.changes import FeedChange
from packeton.errors import Conflict, NotFound
from packeton.interfaces.packages import (
    IPackageRecords,
    Package,
    PackageSummary,
    RepoType,
    Summaries,
)

__all__ = ["PackageRecords", "note_change"]

SECOND = timedelta(seconds=1)
KEPT_BY_CHANGE = frozenset({"name", "created_at", "stable_modified_at", "dev_modified_at", "revision"})
SHOWN = ("abandoned", "replacement", "archived", "visible_for_all", "repo_type")
"""What metadata shows, or what decides who sees it."""
NEVER_STALE = ("artifact", "custom", "virtual")
OUT_OF_ORDER = 64
"""Revisions that may be given to changes before a lower one is committed."""
WEEK = timedelta(days=7)
REPO_TYPES = {str(kind): kind for kind in RepoType}
NOBODY: frozenset[int] = frozenset()


@implementer(IPackageRecords)
@define
class PackageRecords:
    """Packages by name and id."""

    _database: Database

    async def find(self, name: str) -> Package | None:
        """Return the package of exactly this name."""
        return await self._one(select(packages).where(packages.c.name == name))

    async def get(self, package_id: int) -> Package | None:
        """Return a package by its id."""
        return await self._one(select(packages).where(packages.c.id == package_id))

    async def names(self) -> Sequence[str]:
        """Return all names, sorted."""

        def work(connection: Connection) -> Sequence[str]:
            return list(connection.execute(select(packages.c.name).order_by(packages.c.name)).scalars())

        return await self._database.read(work)

    async def summaries(self, since: int | None = None) -> Summaries:
        """Return what serving needs of all packages, or of those that changed, by id."""
        columns: list[Any] = [packages.c[name] for name in SUMMARY]
        chosen = select(*columns).order_by(packages.c.id)
        if since is not None:
            chosen = chosen.where(packages.c.revision > since - OUT_OF_ORDER)

        def work(connection: Connection) -> Summaries:
            rows = connection.execute(chosen).all()
            keepers = _maintainers(connection, None if since is None else [row.id for row in rows])
            count = connection.execute(select(func.count()).select_from(packages)).scalar_one()
            return Summaries(packages=[_summary(row, keepers) for row in rows], count=count)

        return await self._database.read(work)

    async def listed(
        self, *, after: str = "", limit: int = 100, vendor: str | None = None, type_: str | None = None
    ) -> Sequence[Package]:
        """Return packages in the order of their names, past the name *after*."""
        chosen = select(packages).where(packages.c.name > after).order_by(packages.c.name).limit(limit)
        if vendor is not None:
            chosen = chosen.where(packages.c.name >= f"{vendor}/", packages.c.name < f"{vendor}0")
        if type_ is not None:
            chosen = chosen.where(packages.c.type == type_)
        return await self._many(chosen)

    async def at_address(self, host: str, path: str) -> Sequence[Package]:
        """Return the packages, without children, at a canonical host and path."""
        here = and_(packages.c.host == host, packages.c.path == path, packages.c.parent_id.is_(None))
        return await self._many(select(packages).where(here).order_by(packages.c.id))

    async def children(self, parent_id: int) -> Sequence[Package]:
        """Return what was found in a mono-repo."""
        return await self._many(select(packages).where(packages.c.parent_id == parent_id).order_by(packages.c.name))

    async def stale(self, *, now: datetime, interval_seconds: int, limit: int) -> Sequence[Package]:
        """Return the packages that should be crawled, longest waiting first."""
        crawled, before = packages.c.crawled_at, now - timedelta(seconds=interval_seconds)
        due = or_(crawled.is_(None), crawled < now - WEEK, and_(~packages.c.auto_updated, crawled < before))
        chosen = select(packages).where(
            due, ~packages.c.abandoned, packages.c.parent_id.is_(None), packages.c.repo_type.not_in(NEVER_STALE)
        )
        found = await self._many(chosen.order_by(func.coalesce(crawled, 0), packages.c.id).limit(limit))
        return [package for package in found if not package.settings.get("disabledUpdate")]

    async def create(self, package: Package) -> Package:
        """Store a new package with its maintainers."""

        def work(connection: Connection) -> Package:
            first = (package.created_at - EPOCH) // timedelta(microseconds=1)
            values = {**_values(package), "revision": max(_next_revision(connection), first)}
            try:
                made = connection.execute(insert(packages).values(**values)).inserted_primary_key
            except IntegrityError as error:
                raise Conflict(f"there is a package {package.name} already") from error
            assert made is not None
            _set_maintainers(connection, made[0], package.maintainers)
            return _read(connection, made[0])

        return await self._database.run(work)

    async def change(self, package_id: int, change: Callable[[Package], Package]) -> Package:
        """Replace the fields of a package by what *change* makes of those that are stored, in one transaction."""

        def work(connection: Connection) -> Package:
            held = _read(connection, package_id, lock=True)
            package = change(held)
            values = {name: value for name, value in _values(package).items() if name not in KEPT_BY_CHANGE}
            values["revision"] = _next_revision(connection)
            connection.execute(update(packages).where(packages.c.id == package_id).values(**values))
            _set_maintainers(connection, package_id, package.maintainers)
            if any(getattr(held, name) != getattr(package, name) for name in SHOWN):
                moment = package.updated_at or held.stable_modified_at
                touched(connection, package_id, stable=True, dev=True, at=moment)
            return _read(connection, package_id)

        return await self._database.run(work)

    async def crawled(self, package_ids: Sequence[int], at: datetime) -> None:
        """Note that the sources of these were read to the end."""

        def work(connection: Connection) -> None:
            for some in batches(package_ids):
                connection.execute(update(packages).where(packages.c.id.in_(some)).values(crawled_at=at))

        await self._database.run(work)

    async def touch(self, package_id: int, *, stable: bool, dev: bool, at: datetime) -> None:
        """Note that the metadata of these classes changed."""
        await self._database.run(lambda connection: touched(connection, package_id, stable=stable, dev=dev, at=at))

    async def remove(self, package_id: int, at: datetime) -> Sequence[str]:
        """Remove a package, its children, and all that belongs to them."""

        def work(connection: Connection) -> Sequence[str]:
            family = or_(packages.c.id == package_id, packages.c.parent_id == package_id)
            gone = connection.execute(select(packages.c.id, packages.c.name).where(family)).all()
            for row in gone:
                for is_dev in (False, True):
                    note_change(connection, row.name, is_dev=is_dev, deleted=True, at=at)
            ids = [row.id for row in gone]
            connection.execute(delete(downloads).where(downloads.c.package_id.in_(ids)))
            connection.execute(delete(versions).where(versions.c.package_id.in_(ids)))
            connection.execute(delete(packages).where(packages.c.id.in_(ids)))
            return [row.name for row in gone]

        return await self._database.run(work)

    async def changes(self, since: datetime, limit: int) -> Sequence[FeedChange]:
        """Return the newest change of each package and class from *since* on."""

        def work(connection: Connection) -> Sequence[FeedChange]:
            recent = select(package_changes).where(package_changes.c.at >= since).order_by(package_changes.c.id.desc())
            newest: dict[tuple[str, bool], FeedChange] = {}
            for row in connection.execute(recent.limit(limit)):
                change = FeedChange(package=row.package, is_dev=row.is_dev, deleted=row.deleted, at=row.at)
                newest.setdefault((row.package, row.is_dev), change)
            return list(newest.values())

        return await self._database.read(work)

    async def forget_changes(self, before: datetime) -> int:
        """Remove old entries of the changes feed."""

        def work(connection: Connection) -> int:
            return connection.execute(delete(package_changes).where(package_changes.c.at < before)).rowcount

        return await self._database.run(work)

    async def _one(self, chosen: Select[Any]) -> Package | None:
        found = await self._many(chosen)
        return found[0] if found else None

    async def _many(self, chosen: Select[Any]) -> Sequence[Package]:
        def work(connection: Connection) -> Sequence[Package]:
            rows = connection.execute(chosen).all()
            keepers = _maintainers(connection, [row.id for row in rows])
            return [_package(row, keepers) for row in rows]

        return await self._database.read(work)


SUMMARY = (
    "id", "name", "repo_type", "visible_for_all", "archived", "abandoned", "replacement", "stable_modified_at",
    "dev_modified_at", "revision", "parent_id",
)  # fmt: skip


def touched(connection: Connection, package_id: int, *, stable: bool, dev: bool, at: datetime) -> None:
    """Move the dates of a package's metadata, by a second at least, its revision, and the feed of changes."""
    held = connection.execute(select(packages).where(packages.c.id == package_id).with_for_update()).one_or_none()
    if held is None:
        return
    moment = at.replace(microsecond=0)
    values: dict[str, object] = {"revision": _next_revision(connection)}
    for wanted, name, is_dev in ((stable, "stable_modified_at", False), (dev, "dev_modified_at", True)):
        if wanted:
            values[name] = max(moment, getattr(held, name) + SECOND)
            note_change(connection, held.name, is_dev=is_dev, deleted=held.archived, at=at)
    connection.execute(update(packages).where(packages.c.id == package_id).values(**values))


def note_change(connection: Connection, name: str, *, is_dev: bool, deleted: bool, at: datetime) -> None:
    """Add an entry to the feed of changes."""
    connection.execute(insert(package_changes).values(package=name, is_dev=is_dev, deleted=deleted, at=at))


def _next_revision(connection: Connection) -> int:
    """Return a number that no package has; a new one gets one by the clock, so that it is not taken for an old one."""
    newest = connection.execute(select(func.max(packages.c.revision))).scalar_one()
    return (newest or 0) + 1


def _values(package: Package) -> dict[str, Any]:
    values = asdict(package, recurse=False)
    del values["id"], values["maintainers"]
    return {**values, "repo_type": str(package.repo_type), "settings": dict(package.settings)}


def _read(connection: Connection, package_id: int, *, lock: bool = False) -> Package:
    chosen = select(packages).where(packages.c.id == package_id)
    row = connection.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotFound("there is no such package any more")
    return _package(row, _maintainers(connection, [package_id]))


def _maintainers(connection: Connection, ids: Sequence[int] | None) -> Mapping[int, frozenset[int]]:
    """Return the maintainers of these packages, or of all."""
    found: dict[int, set[int]] = {}
    chosen = [None] if ids is None else batches(ids)
    for some in chosen:
        statement = select(maintainers)
        if some is not None:
            statement = statement.where(maintainers.c.package_id.in_(some))
        for row in connection.execute(statement):
            found.setdefault(row.package_id, set()).add(row.user_id)
    return {package_id: frozenset(users) for package_id, users in found.items()}


def _set_maintainers(connection: Connection, package_id: int, users: Iterable[int]) -> None:
    connection.execute(delete(maintainers).where(maintainers.c.package_id == package_id))
    rows = [{"package_id": package_id, "user_id": user} for user in sorted(users)]
    if rows:
        connection.execute(insert(maintainers), rows)


def _package(row: Row[Any], keepers: Mapping[int, frozenset[int]]) -> Package:
    fields = row._asdict()
    fields["repo_type"] = RepoType(row.repo_type)
    return Package(**fields, maintainers=keepers.get(row.id, frozenset()))


def _summary(row: Row[Any], keepers: Mapping[int, frozenset[int]]) -> PackageSummary:
    fields = dict(zip(SUMMARY, row, strict=True))  # of all packages at once: `_asdict` takes three times as long
    is_child = fields.pop("parent_id") is not None
    fields["repo_type"] = REPO_TYPES[fields["repo_type"]]
    return PackageSummary(**fields, is_child=is_child, maintainers=keepers.get(fields["id"], NOBODY))
