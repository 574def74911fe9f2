"""What serving needs of all packages, in memory, as long as nothing changed."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.core.access.rules import VersionFacts
from packeton.core.composer.versions import version_key
from packeton.errors import StorageFailed
from packeton.features.caching.flights import Flights
from packeton.features.packages.audiences import version_facts
from packeton.interfaces.packages import IPackageRecords, IVersionRecords, PackageSummary, VersionIndex
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["Catalogue", "Contents", "Index"]

log = Logger()

MAX_INDEXED = 200_000
"""Versions whose index is kept in memory: some 300 bytes each."""


@frozen(kw_only=True)
class Contents:
    """All packages at one moment."""

    revision: int
    by_name: Mapping[str, PackageSummary]


@frozen(kw_only=True)
class Index:
    """The versions of one package at one moment, newest first, as in documents; of equal ones, by id."""

    versions: Sequence[VersionIndex]
    facts: Sequence[VersionFacts]


@define
class Catalogue:
    """Packages by name, and the indexes of their versions; read again when the revision of the packages moved."""

    _packages: IPackageRecords
    _versions: IVersionRecords
    _revisions: IRevisions
    _contents: Contents | None = field(default=None, init=False)
    _flights: Flights[Contents] = field(factory=Flights, init=False)
    _indexes: OrderedDict[tuple[int, int], Index] = field(factory=OrderedDict, init=False)
    _indexed: int = field(default=0, init=False)

    async def contents(self) -> Contents:
        """Return all packages, as of now."""
        revision = self._revisions.current(Subject.PACKAGES)
        held = self._contents
        if held is not None and held.revision == revision:
            return held
        return await self._flights.join(str(revision), lambda: self._read(revision))

    async def is_private(self, name: str) -> bool:
        """
        Say if a package of ours has this name, so that no mirror serves another one under it.

        While the database cannot be read, what was known last holds; without that, nothing is private.
        """
        try:
            contents: Contents | None = await self.contents()
        except StorageFailed as error:
            contents = self._contents
            log.warn("The names of our own packages could not be read: {why}", why=str(error))
        return contents is not None and name in contents.by_name

    async def index(self, package: PackageSummary) -> Index:
        """Return the versions of one package."""
        held = self._indexes.get((package.id, package.revision))
        return held if held is not None else (await self.indexes([package]))[package.id]

    async def indexes(self, packages: Iterable[PackageSummary]) -> Mapping[int, Index]:
        """Return the versions of several packages, by package."""
        found, missing = {}, []
        for package in packages:
            held = self._indexes.get((package.id, package.revision))
            if held is None:
                missing.append(package)
            else:
                found[package.id] = held
        if missing:
            read = await self._versions.indexes([package.id for package in missing])
            for package in missing:
                versions = sorted(read.get(package.id, ()), key=_age, reverse=True)
                made = Index(versions=versions, facts=[version_facts(version) for version in versions])
                found[package.id] = made
                self._keep((package.id, package.revision), made)
        return found

    async def _read(self, revision: int) -> Contents:
        by_name = await self._changed() or await self._all()
        contents = Contents(revision=revision, by_name=by_name)
        if self._contents is None or self._contents.revision <= revision:
            self._contents = contents
        return contents

    async def _changed(self) -> Mapping[str, PackageSummary] | None:
        """Return what is held with what changed since; None where that is not all that happened."""
        held = None if self._contents is None else self._contents.by_name
        if not held:
            return None
        read = await self._packages.summaries(max(package.revision for package in held.values()))
        by_name = {**held, **{package.name: package for package in read.packages}}
        return by_name if len(by_name) == read.count else None

    async def _all(self) -> Mapping[str, PackageSummary]:
        read = await self._packages.summaries()
        return {package.name: package for package in read.packages}

    def _keep(self, key: tuple[int, int], index: Index) -> None:
        if key not in self._indexes:
            self._indexed += len(index.versions) + 1
        self._indexes[key] = index
        while self._indexed > MAX_INDEXED and self._indexes:
            _, old = self._indexes.popitem(last=False)
            self._indexed -= len(old.versions) + 1


def _age(version: VersionIndex) -> tuple[int, ...]:
    return version_key(version.normalized)
