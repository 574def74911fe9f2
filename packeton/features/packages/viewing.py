"""Packages as documents: lists, and all that is known of one, for one audience."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson
from attrs import define, frozen

from packeton.core.access.days import day_text
from packeton.core.access.rules import PackageFacts, VersionFacts, sees_package, visible_versions
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.versions import stability_of, version_key
from packeton.errors import NotFound
from packeton.features.packages.audiences import Audience
from packeton.features.packages.github import numbers_of
from packeton.features.packages.rendering import HOST, DistRules, published
from packeton.interfaces.accounts import IGroupRecords, IUserRecords
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.downloads import IDownloadRecords, Totals
from packeton.interfaces.hooks import IFavouriteRecords
from packeton.interfaces.packages import IPackageRecords, IVersionRecords, Package, PackageSummary, StoredVersion

__all__ = ["Counts", "Rows", "Viewing", "summary_of", "totals_document"]

PAGE = 200
MAX_LISTED = 20_000
"""Packages in one answer."""
PLAIN: Mapping[str, str] = {
    "name": "name", "description": "description", "type": "type", "repository": "url", "language": "language",
}  # fmt: skip
"""Keys of the document that the package's own row has."""
OF_ROW = frozenset({*PLAIN, "time", "abandoned"})


def summary_of(package: Package) -> PackageSummary:
    """Return what rendering wants to know of a package."""
    return PackageSummary(
        id=package.id,
        name=package.name,
        repo_type=package.repo_type,
        visible_for_all=package.visible_for_all,
        archived=package.archived,
        abandoned=package.abandoned,
        replacement=package.replacement,
        maintainers=package.maintainers,
        is_child=package.parent_id is not None,
        stable_modified_at=package.stable_modified_at,
        dev_modified_at=package.dev_modified_at,
        revision=package.revision,
    )


def totals_document(totals: Totals) -> dict[str, int]:
    """Return counters as the reference names them."""
    return {"total": totals.total, "monthly": totals.monthly, "daily": totals.daily}


class Counts(Protocol):
    """How many packages depend on one. See Dependents."""

    async def counts(self, audience: Audience, name: str) -> tuple[int, int]:
        """Return how many require and how many suggest it."""


@frozen(kw_only=True)
class Rows:
    """Some packages as lists show them, with their installs and stars by id."""

    rows: Sequence[JsonObject]
    installs: Mapping[str, int]
    favers: Mapping[str, int]


@define
class Viewing:
    """Documents of the API."""

    _packages: IPackageRecords
    _versions: IVersionRecords
    _counters: IDownloadRecords
    _users: IUserRecords
    _groups: IGroupRecords
    _rules: DistRules
    _counts: Counts
    _favourites: IFavouriteRecords
    _in_thread: InThread
    _now: Now

    async def names(self, audience: Audience, *, type_: str | None, vendor: str | None) -> Sequence[str]:
        """Return the names of packages that are seen; *type_* comes before *vendor*."""
        return [
            package.name
            for package in await self._listed(audience, type_=type_, vendor=None if type_ else vendor)
        ]

    async def listing(
        self, audience: Audience, fields: Sequence[str], base: str, *, type_: str | None, vendor: str | None
    ) -> Mapping[str, JsonObject]:
        """Return some fields of all packages that are seen; a field that nobody knows is null."""
        found = {}
        for package in await self._listed(audience, type_=type_, vendor=vendor):
            if OF_ROW.issuperset(fields):
                document = _row(package)
            else:
                document = (await self._document(audience, package, base))["package"]
            found[package.name] = {name: document.get(name) for name in fields}
        return found

    async def document(self, audience: Audience, name: str, base: str) -> JsonObject:
        """Return all that is known of a package, with the versions that are seen. Raises NotFound."""
        package = await self._packages.find(name)
        if package is None or not _sees(audience, package):
            raise NotFound("no such package")
        return await self._document(audience, package, base)

    async def versions(self, audience: Audience, package: Package) -> Sequence[StoredVersion]:
        """Return the versions that are seen, newest first."""
        stored = await self._versions.of_package(package.id)
        facts = [VersionFacts(one.normalized, one.released_at, stability_of(one.version)) for one in stored]
        seen = visible_versions(audience.identity, _facts(audience, package), facts, archived=True)
        visible = [one for one, is_seen in zip(stored, seen, strict=True) if is_seen]
        return sorted(visible, key=lambda one: version_key(one.normalized), reverse=True)

    async def version(self, audience: Audience, number: int) -> bytes:
        """Return the document of one version. Raises NotFound: there is none, or it is not seen."""
        stored = await self._versions.get(number) if number < 2**31 else None
        package = None if stored is None else await self._packages.get(stored.package_id)
        if stored is None or package is None or not _sees(audience, package):
            raise NotFound("no such version")
        if stored.id not in {one.id for one in await self.versions(audience, package)}:
            raise NotFound("no such version")
        return stored.document

    async def favers(self, package: Package) -> int:
        """Return how many users starred a package, here and at GitHub."""
        return (await self._favourites.counts([package.id]))[package.id] + (numbers_of(package).stars or 0)

    async def rows(self, names: Sequence[str]) -> Rows:
        """Return what lists show of packages that the caller may see."""
        found = [package for name in names if (package := await self._packages.find(name)) is not None]
        totals = await self._counters.totals([package.id for package in found], self._now().date())
        rows = [
            {
                "id": package.id,
                "name": package.name,
                "description": package.description,
                "type": package.type,
                "repository": package.url,
                "language": package.language,
                "abandoned": package.abandoned,
                "replacementPackage": package.replacement,
            }
            for package in found
        ]
        stars = await self._favourites.counts([package.id for package in found])
        return Rows(
            rows=rows,
            installs={str(package.id): totals[package.id].total for package in found},
            favers={str(one.id): stars[one.id] + (numbers_of(one).stars or 0) for one in found},
        )

    async def _listed(self, audience: Audience, *, type_: str | None, vendor: str | None) -> Sequence[Package]:
        found: list[Package] = []
        after = ""
        while len(found) < MAX_LISTED:
            page = await self._packages.listed(after=after, limit=PAGE, vendor=vendor, type_=type_)
            found += [package for package in page if audience.sees(summary_of(package))]
            if len(page) < PAGE:
                break
            after = page[-1].name
        return found[:MAX_LISTED]

    async def _document(self, audience: Audience, package: Package, base: str) -> JsonObject:
        stored = await self.versions(audience, package)
        rendered = await self._in_thread(_versions_of, stored, package, self._rules, base + audience.slug)
        totals = (await self._counters.totals([package.id], self._now().date()))[package.id]
        dependents, suggesters = await self._counts.counts(audience, package.name)
        numbers = numbers_of(package)
        document = {
            **_row(package),
            "maintainers": await self._maintainers(package),
            "versions": rendered or [],
            "github_stars": numbers.stars,
            "github_watchers": numbers.watchers,
            "github_forks": numbers.forks,
            "github_open_issues": numbers.issues,
            "groups": await self._groups_of(audience, package),
            "dependents": dependents,
            "suggesters": suggesters,
            "downloads": totals_document(totals),
            "favers": await self.favers(package),
        }
        return {"package": document}

    async def _maintainers(self, package: Package) -> Sequence[JsonObject]:
        accounts = [await self._users.get(number) for number in sorted(package.maintainers)]
        return [
            {"name": account.name, "avatar_url": None if account.user is None else account.user.picture}
            for account in accounts
            if account is not None
        ]

    async def _groups_of(self, audience: Audience, package: Package) -> Sequence[JsonObject]:
        """Return the groups that name the package; a customer learns of none."""
        if not audience.identity.is_full:
            return []
        return [{"id": group.id, "name": group.name} for group in await self._groups.of_package(package.name)]


def _row(package: Package) -> JsonObject:
    document: JsonObject = {key: getattr(package, attribute) for key, attribute in PLAIN.items()}
    document["time"] = day_text(package.created_at)
    if package.abandoned:
        document["abandoned"] = package.replacement or True
    return document


def _facts(audience: Audience, package: Package) -> PackageFacts:
    return audience.facts(summary_of(package))


def _sees(audience: Audience, package: Package) -> bool:
    """An archived package has its document still, for those who would see it."""
    return audience.holds(package.name) and sees_package(audience.identity, _facts(audience, package), archived=True)


def _versions_of(
    stored: Sequence[StoredVersion], package: Package, rules: DistRules, base: str
) -> Mapping[str, Any]:
    """Render versions. Takes long for many: off the reactor thread."""
    summary = summary_of(package)
    objects = {one.version: published(one, summary, rules, {}) for one in stored}
    found: Mapping[str, Any] = orjson.loads(orjson.dumps(objects).replace(HOST.encode(), base.encode()))
    return found
