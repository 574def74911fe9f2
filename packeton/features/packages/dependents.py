"""
Which packages of ours need one, provide one, or have a keyword: read from the development versions, kept in memory.

What a package needs is read again when its revision moved, and only then.
Source: the reference counts `require` and `require-dev` of development branches.
"""

from collections.abc import Mapping, Sequence

import orjson
from attrs import define, field, frozen

from packeton.errors import Invalid
from packeton.features.caching.flights import Flights
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.interfaces.clocks import InThread
from packeton.interfaces.links import DevelopmentVersion, ILinkRecords
from packeton.interfaces.packages import PackageSummary

__all__ = ["Dependents", "Page"]

PER_PAGE = 15
KEYS = ("require", "require-dev", "suggest", "provide", "keywords")
AT_ONCE = 50
"""Packages whose versions are in memory at once."""


@frozen(kw_only=True)
class _Needs:
    """What one package needs, at one revision."""

    revision: int
    required: frozenset[str] = frozenset()
    suggested: frozenset[str] = frozenset()
    provided: frozenset[str] = frozenset()
    keywords: frozenset[str] = frozenset()


@frozen(kw_only=True)
class Page:
    """Some of the packages that need one, by name."""

    names: Sequence[str]
    count: int


@define
class Dependents:
    """Who needs what."""

    _catalogue: Catalogue
    _links: ILinkRecords
    _in_thread: InThread
    _needs: dict[int, _Needs] = field(factory=dict, init=False)
    _flights: Flights[None] = field(factory=Flights, init=False)

    async def counts(self, audience: Audience, name: str) -> tuple[int, int]:
        """Return how many packages that this audience sees require, and suggest, the one of this name."""
        seen = await self._seen(audience)
        requiring = [package for package in seen if name in self._needs[package.id].required]
        return len(requiring), len([package for package in seen if name in self._needs[package.id].suggested])

    async def page(self, audience: Audience, name: str, number: int) -> Page:
        """Return a page, from 1, of the packages that require *name*, which may be `ext-json`."""
        if len(name) > 200:
            raise Invalid("this is no name of a package")
        seen = await self._seen(audience)
        names = sorted(package.name for package in seen if name in self._needs[package.id].required)
        return Page(names=names[(number - 1) * PER_PAGE : number * PER_PAGE], count=len(names))

    async def providing(self, audience: Audience, name: str) -> Sequence[str]:
        """Return the names of the packages that provide the one of this name, which may not exist."""
        seen = await self._seen(audience)
        return sorted(package.name for package in seen if name in self._needs[package.id].provided)

    async def tagged(self, audience: Audience, tags: Sequence[str]) -> frozenset[str]:
        """Return the names of the packages that have one of these keywords."""
        wanted = {tag.lower() for tag in tags}
        return frozenset(
            package.name for package in await self._seen(audience) if wanted & self._needs[package.id].keywords
        )

    async def _seen(self, audience: Audience) -> Sequence[PackageSummary]:
        """Return the packages that this audience sees; what they need is known then."""
        contents = await self._catalogue.contents()
        packages = contents.by_name.values()
        changed = {package.id: package.revision for package in packages if self._is_new(package)}
        if changed:
            await self._flights.join(str(contents.revision), lambda: self._read(changed))
        for gone in self._needs.keys() - {package.id for package in packages}:
            del self._needs[gone]
        return [package for package in packages if package.id in self._needs and audience.sees(package)]

    def _is_new(self, package: PackageSummary) -> bool:
        held = self._needs.get(package.id)
        return held is None or held.revision != package.revision

    async def _read(self, changed: Mapping[int, int]) -> None:
        ids = sorted(changed)
        for at in range(0, len(ids), AT_ONCE):
            some = {number: changed[number] for number in ids[at : at + AT_ONCE]}
            versions = await self._links.development(list(some))
            self._needs |= await self._in_thread(_needs_of, some, versions)


def _needs_of(revisions: Mapping[int, int], versions: Sequence[DevelopmentVersion]) -> Mapping[int, _Needs]:
    found: dict[tuple[int, str], set[str]] = {}
    for version in versions:
        document = orjson.loads(version.document)
        for key in KEYS:
            names = {name.lower() for name in document.get(key) or () if isinstance(name, str)}
            found.setdefault((version.package_id, key), set()).update(names)
    return {
        number: _Needs(
            revision=revision,
            required=frozenset(found.get((number, "require"), set()) | found.get((number, "require-dev"), set())),
            suggested=frozenset(found.get((number, "suggest"), ())),
            provided=frozenset(found.get((number, "provide"), ())),
            keywords=frozenset(found.get((number, "keywords"), ())),
        )
        for number, revision in revisions.items()
    }
