"""Feeds of new packages and releases, of what the caller sees. Source: contract 02 section 15 of the reference."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from attrs import define

from packeton.core.access.rules import VersionFacts
from packeton.core.composer.versions import stability_of
from packeton.core.reports.feeds import Entry
from packeton.errors import NotFound
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.interfaces.clocks import Now
from packeton.interfaces.links import IFeedRecords, NewRelease

__all__ = ["EPOCH", "Feeds"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGE = 200
MAX_READ = 2000
"""Rows that are looked at to fill one feed: what is not seen, or no stable version, is passed over."""


@define
class Feeds:
    """Entries of feeds; *base* is our address, with the sub-repository."""

    _catalogue: Catalogue
    _records: IFeedRecords
    _now: Now
    _max_items: int

    async def packages(self, audience: Audience, base: str) -> Sequence[Entry]:
        """Return the newest packages."""
        known = (await self._catalogue.contents()).by_name
        found: list[Entry] = []
        for skip in range(0, MAX_READ, PAGE):
            page = await self._records.packages(skip, PAGE)
            for one in page:
                if one.name in known and audience.sees(known[one.name]):
                    link = f"{base}/packages/{one.name}"
                    text = one.description or " "
                    found.append(Entry(id=one.name, title=one.name, link=link, description=text, at=one.created_at))
            if len(found) >= self._max_items or len(page) < PAGE:
                break
        return found[: self._max_items]

    async def releases(self, audience: Audience, base: str, *, vendor: str = "", name: str = "") -> Sequence[Entry]:
        """Return the newest stable versions: of all packages, of a vendor's, or of one. Raises NotFound: not seen."""
        known = (await self._catalogue.contents()).by_name
        if name and (name not in known or not audience.sees(known[name])):
            raise NotFound("no such package")
        found: list[Entry] = []
        for skip in range(0, MAX_READ, PAGE):
            page = await self._records.releases(self._now(), vendor, name, skip, PAGE)
            for one in page:
                if stability_of(one.version) != "stable" or one.name not in known:
                    continue
                package = known[one.name]
                facts = VersionFacts(one.normalized, one.released_at, "stable")
                if audience.sees(package) and audience.mask(package, [facts])[1] == b"\x01":
                    found.append(_entry(one, base))
            if len(found) >= self._max_items or len(page) < PAGE:
                break
        return found[: self._max_items]


def _entry(release: NewRelease, base: str) -> Entry:
    authors = orjson.loads(release.document).get("authors")
    names = [one.get("name") for one in authors if isinstance(one, dict)] if isinstance(authors, list) else []
    return Entry(
        id=f"{release.name} {release.version}",
        title=f"{release.name} ({release.version})",
        link=f"{base}/packages/{release.name}",
        description=release.description or " ",
        at=release.released_at,
        authors=[name for name in names if isinstance(name, str) and name],
    )
