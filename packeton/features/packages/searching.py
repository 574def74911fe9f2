"""Finding packages by words, among those that the caller sees."""

from collections.abc import Sequence

from attrs import define, frozen

from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.dependents import Dependents
from packeton.interfaces.links import ISearchRecords

__all__ = ["Found", "Searching"]

MAX_WORDS = 8
MAX_WORD = 100
MAX_MATCHES = 20_000
"""Packages that are looked at."""


@frozen(kw_only=True)
class Found:
    """A page of names, and how many there are."""

    names: Sequence[str]
    total: int


@define
class Searching:
    """The database finds; who may see what is decided here, before anything is counted."""

    _catalogue: Catalogue
    _records: ISearchRecords
    _dependents: Dependents

    async def search(
        self, audience: Audience, query: str, *, type_: str | None, tags: Sequence[str], page: int, per_page: int
    ) -> Found:
        """Return a page, from 1, of the packages in whose name or description all words stand, best first."""
        words = [word[:MAX_WORD] for word in query.lower().split()[:MAX_WORDS]]
        names = await self._records.matching(words, type_, MAX_MATCHES)
        packages = (await self._catalogue.contents()).by_name
        seen = [name for name in names if name in packages and audience.sees(packages[name])]
        if tags:
            tagged = await self._dependents.tagged(audience, tags[:MAX_WORDS])
            seen = [name for name in seen if name in tagged]
        return Found(names=seen[(page - 1) * per_page : page * per_page], total=len(seen))
