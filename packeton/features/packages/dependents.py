"""
Which packages of ours need one, provide one, or have a keyword: read from the development versions, kept in memory.

What a package needs is read again when its revision moved, and only then. A version counts for those who see it.
Source: the reference counts `require` and `require-dev` of development branches.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import orjson
from attrs import define, field, frozen

from packeton.core.access.rules import VersionFacts
from packeton.core.composer.versions import stability_of
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
class _Links:
    """What a version, or several together, name."""

    required: frozenset[str] = frozenset()
    suggested: frozenset[str] = frozenset()
    provided: frozenset[str] = frozenset()
    keywords: frozenset[str] = frozenset()

    def __or__(self, other: "_Links") -> "_Links":
        if self == other:
            return self
        return _Links(
            required=self.required | other.required,
            suggested=self.suggested | other.suggested,
            provided=self.provided | other.provided,
            keywords=self.keywords | other.keywords,
        )


Has = Callable[[_Links], bool]


@frozen(kw_only=True)
class _Needs:
    """What one package needs, at one revision: in any of its versions, and in each."""

    revision: int
    whole: _Links = _Links()
    facts: Sequence[VersionFacts] = ()
    links: Sequence[_Links] = ()


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
        requiring = await self._names(audience, lambda links: name in links.required)
        return len(requiring), len(await self._names(audience, lambda links: name in links.suggested))

    async def page(self, audience: Audience, name: str, number: int) -> Page:
        """Return a page, from 1, of the packages that require *name*, which may be `ext-json`."""
        if len(name) > 200:
            raise Invalid("this is no name of a package")
        names = await self._names(audience, lambda links: name in links.required)
        return Page(names=names[(number - 1) * PER_PAGE : number * PER_PAGE], count=len(names))

    async def providing(self, audience: Audience, name: str) -> Sequence[str]:
        """Return the names of the packages that provide the one of this name, which may not exist."""
        return await self._names(audience, lambda links: name in links.provided)

    async def tagged(self, audience: Audience, tags: Sequence[str]) -> frozenset[str]:
        """Return the names of the packages that have one of these keywords."""
        wanted = {tag.lower() for tag in tags}
        return frozenset(await self._names(audience, lambda links: not wanted.isdisjoint(links.keywords)))

    async def _names(self, audience: Audience, has: Has) -> Sequence[str]:
        """Return the names of the packages of which this audience sees a version that *has* it, in order."""
        packages = await self._known()
        return sorted(package.name for package in packages if self._sees_one(audience, package, has))

    def _sees_one(self, audience: Audience, package: PackageSummary, has: Has) -> bool:
        needs = self._needs.get(package.id)
        if needs is None or not has(needs.whole) or not audience.sees(package):
            return False
        _, seen = audience.mask(package, needs.facts)
        return any(is_seen and has(links) for is_seen, links in zip(seen, needs.links, strict=True))

    async def _known(self) -> Sequence[PackageSummary]:
        """Return all packages; what they need is known then."""
        contents = await self._catalogue.contents()
        packages = list(contents.by_name.values())
        changed = {package.id: package.revision for package in packages if self._is_new(package)}
        if changed:
            await self._flights.join(str(contents.revision), lambda: self._read(changed))
        for gone in self._needs.keys() - {package.id for package in packages}:
            del self._needs[gone]
        return packages

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
    """Read documents. Versions that need the same, as most branches of a package do, share it."""
    shared: dict[_Links, _Links] = {}
    found: dict[int, list[tuple[VersionFacts, _Links]]] = {number: [] for number in revisions}
    for version in versions:
        links = _links_of(version.document)
        facts = VersionFacts(version.normalized, version.released_at, stability_of(version.version))
        found[version.package_id].append((facts, shared.setdefault(links, links)))
    return {
        number: _Needs(
            revision=revisions[number],
            whole=reduce(_Links.__or__, (links for _, links in pairs), _Links()),
            facts=tuple(facts for facts, _ in pairs),
            links=tuple(links for _, links in pairs),
        )
        for number, pairs in found.items()
    }


def _links_of(content: bytes) -> _Links:
    document = orjson.loads(content)
    names = {
        key: frozenset(name.lower() for name in document.get(key) or () if isinstance(name, str)) for key in KEYS
    }
    return _Links(
        required=names["require"] | names["require-dev"],
        suggested=names["suggest"],
        provided=names["provide"],
        keywords=names["keywords"],
    )
