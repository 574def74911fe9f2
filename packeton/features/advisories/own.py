"""
Advisories about our own packages: written down by who may edit a package, or, of a package that comes from another
repository, read there at every update; published with its metadata.

They are kept in the package's settings, so that they go with it into dumps, and away with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field
from twisted.logger import Logger

from packeton.core.access.identities import Identity
from packeton.core.access.rules import may_edit_package
from packeton.core.composer.advisories import Advisory
from packeton.core.composer.advisory_forms import (
    ADOPTED,
    WRITTEN,
    as_kept,
    as_published,
    kept_advisories,
    written_advisory,
)
from packeton.core.composer.metadata import JsonObject
from packeton.errors import Denied, Invalid, NotFound
from packeton.features.packages.audiences import Audience, facts_of
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.shelf import Recent
from packeton.interfaces.clocks import Now
from packeton.interfaces.packages import IPackageRecords, Package, PackageSummary
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["OwnAdvisories", "advisories_of"]

log = Logger()

MAX_A_PACKAGE: Final = 200
MAX_HELD: Final = 5000


@define
class OwnAdvisories:
    """The advisories of all our packages."""

    _catalogue: Catalogue
    _packages: IPackageRecords
    _revisions: IRevisions
    _now: Now
    _number: Callable[[], str]
    """Gives new names of advisories."""
    _held: Recent[Sequence[JsonObject]] = field(factory=lambda: Recent(MAX_HELD), init=False)

    async def of(self, package: PackageSummary) -> Sequence[JsonObject]:
        """Return what metadata says of a package."""
        key = (package.id, package.revision)
        held = self._held.get(key)
        if held is not None:
            return held
        found = await self._packages.get(package.id)
        return self._held.keep(key, [] if found is None else [as_published(one) for one in advisories_of(found)])

    async def about(self, audience: Audience, names: Iterable[str]) -> Mapping[str, Sequence[JsonObject]]:
        """Return advisories by name, of packages that this audience sees, and that have any."""
        contents, found = await self._catalogue.contents(), {}
        for name in names:
            package = contents.by_name.get(name)
            if package is not None and audience.sees(package):
                listed = await self.of(package)
                if listed:
                    found[name] = listed
        return found

    async def write(self, package: Package, fields: Mapping[str, Any], identity: Identity) -> Advisory:
        """
        Write an advisory down; one of the same id is replaced.

        Raises:
            Denied: The caller may not edit the package. InvalidFields: what cannot be used.
            Invalid: The package has too many.
        """
        _may_write(package, identity)
        written = written_advisory(package.name, fields, number=self._number(), now=self._now())

        def change(kept: Sequence[Advisory]) -> Sequence[Advisory]:
            others = [one for one in kept if one.id != written.id]
            if len(others) >= MAX_A_PACKAGE:
                raise Invalid(f"a package has at most {MAX_A_PACKAGE} advisories here")
            return [*others, written]

        await self._change(package, change)
        log.info("{who} wrote the advisory {id} about {name}", who=identity.name, id=written.id, name=package.name)
        return written

    async def withdraw(self, package: Package, number: str, identity: Identity) -> None:
        """Take an advisory back. Raises Denied, and NotFound where there is none of this id."""
        _may_write(package, identity)

        def change(kept: Sequence[Advisory]) -> Sequence[Advisory]:
            left = [one for one in kept if one.id != number]
            if len(left) == len(kept):
                raise NotFound("no such advisory")
            return left

        await self._change(package, change)
        log.info("{who} withdrew the advisory {id} about {name}", who=identity.name, id=number, name=package.name)

    async def _change(self, package: Package, change: Callable[[Sequence[Advisory]], Sequence[Advisory]]) -> None:
        def changed(stored: Package) -> Package:
            kept = as_kept(change(kept_advisories(stored.settings.get(WRITTEN), stored.name)))
            return evolve(stored, settings={**stored.settings, WRITTEN: kept})

        await self._packages.change(package.id, changed)
        await self._packages.touch(package.id, stable=True, dev=False, at=self._now())
        await self._revisions.bump(Subject.PACKAGES)


def advisories_of(package: Package) -> tuple[Advisory, ...]:
    """Return the advisories about a package, by id; what was written down here stands for one of the same id."""
    kept = (kept_advisories(package.settings.get(name), package.name) for name in (ADOPTED, WRITTEN))
    by_id = {one.id: one for advisories in kept for one in advisories}
    return tuple(by_id[number] for number in sorted(by_id))


def _may_write(package: Package, identity: Identity) -> None:
    if not may_edit_package(identity, facts_of(package)):
        raise Denied("You may not edit this package.")
