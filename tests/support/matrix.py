"""
Who sees which version, when, and where: the one source that the matrix tests are generated from.

The oracle is the contract written down once more, plainly and slowly; of Composer's constraints it knows only the
table that composer/semver gave (contract 01 section 7).
"""

from datetime import UTC, datetime

from attrs import field, frozen

from packeton.core.access.accounts import AclLine

__all__ = [
    "AUDIENCE", "PACKAGES", "REPOSITORIES", "WHO", "GroupFacts", "Who",
    "document", "enters", "place", "seen_versions", "sees", "sees_version",
]  # fmt: skip


def day(year: int, month: int = 1) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


@frozen(kw_only=True)
class VersionFacts:
    version: str
    normalized: str
    reference: str
    released_at: datetime | None
    stability: str


@frozen(kw_only=True)
class PackageFacts:
    versions: tuple[VersionFacts, ...]
    visible_for_all: bool = False
    archived: bool = False


@frozen(kw_only=True)
class GroupFacts:
    lines: tuple[AclLine, ...]
    updates_until: datetime | None = None
    min_stability: str | None = None


@frozen(kw_only=True)
class Who:
    roles: tuple[str, ...] = ()
    groups: tuple[GroupFacts, ...] = ()
    updates_until: datetime | None = None
    subrepos: tuple[str, ...] = ("root",)
    refused: bool = False
    """Its credentials are no good."""
    anonymous: bool = False
    fields: dict[str, object] = field(factory=dict)

    @property
    def full(self) -> bool:
        return bool(self.roles)

    @property
    def maintains(self) -> bool:
        return bool({"ROLE_MAINTAINER", "ROLE_ADMIN"} & {*self.roles})


def _versions(digit: str) -> tuple[VersionFacts, ...]:
    """Return the versions of one package, whose references begin with *digit*."""
    rows = (
        ("1.0.0", "1.0.0.0", day(2023), "stable"),
        ("1.1.0-beta1", "1.1.0.0-beta1", day(2024), "beta"),
        ("1.2.0", "1.2.0.0", day(2025), "stable"),
        ("2.0.0", "2.0.0.0", day(2025, 6), "stable"),
        ("dev-main", "dev-main", None, "dev"),
        ("1.x-dev", "1.9999999.9999999.9999999-dev", day(2025, 6), "dev"),
    )
    return tuple(
        VersionFacts(version=version, normalized=normalized, reference=f"{digit}{number}" * 20, released_at=at, stability=stability)
        for number, (version, normalized, at, stability) in enumerate(rows)
    )


PACKAGES = {
    "acme/a": PackageFacts(versions=_versions("a")),
    "acme/all": PackageFacts(versions=_versions("b"), visible_for_all=True),
    "acme/gone": PackageFacts(versions=_versions("c"), archived=True),
    "other/x": PackageFacts(versions=_versions("d")),
}
REPOSITORIES: dict[str, tuple[frozenset[str], bool]] = {
    "root": (frozenset(PACKAGES), False),
    "team": (frozenset({"acme/a", "acme/gone"}), False),
    "public": (frozenset({"acme/a", "acme/all"}), True),
}
AUDIENCE = GroupFacts(lines=(AclLine(package="other/*", constraint="^1.0"),))
"""What readers without an account see."""
ALLOWED = {  # by composer/semver 3
    "^1.0": {"1.0.0.0", "1.1.0.0-beta1", "1.2.0.0", "1.9999999.9999999.9999999-dev"},
    "2.0.*": {"2.0.0.0"},
    "dev-main": {"dev-main"},
    ">=9": set[str](),
}
STABILITIES = ["stable", "RC", "beta", "alpha", "dev"]


def _group(*lines: tuple[str, str | None], **fields: object) -> GroupFacts:
    return GroupFacts(lines=tuple(AclLine(package=package, constraint=constraint) for package, constraint in lines), **fields)  # type: ignore[arg-type]


WHO = {
    "anonymous": Who(anonymous=True),
    "disabled": Who(roles=("ROLE_ADMIN",), refused=True, fields={"enabled": False}),
    "expired": Who(roles=("ROLE_ADMIN",), refused=True, fields={"expires_at": day(2025)}),
    "nothing": Who(),
    "one": Who(groups=(_group(("acme/a", "^1.0")),)),
    "two": Who(groups=(_group(("acme/a", "^1.0")), _group(("acme/a", "2.0.*"), ("other/x", "dev-main")))),
    "vendor": Who(groups=(_group(("acme/*", None)),)),
    "all": Who(groups=(_group(("*", None)),), updates_until=day(2024)),
    "frozen-group": Who(groups=(_group(("acme/a", None), updates_until=day(2024, 6)), _group(("acme/a", "dev-main"))), updates_until=day(2023)),
    "late-group": Who(groups=(_group(("acme/a", "^1.0"), updates_until=day(2023, 6)), _group(("acme/*", "2.0.*"), updates_until=day(2025, 3)))),
    "stable": Who(groups=(_group(("*", None), min_stability="stable"), _group(("other/x", "^1.0"), min_stability="beta"))),
    "useless": Who(groups=(_group(("acme/a", ">=9")),)),
    "team": Who(groups=(_group(("acme/*", None)),), subrepos=("team",)),
    "full": Who(roles=("ROLE_FULL_CUSTOMER",), updates_until=day(2020)),
    "full-team": Who(roles=("ROLE_FULL_CUSTOMER",), subrepos=("root", "team")),
    "maintainer": Who(roles=("ROLE_MAINTAINER",)),
    "maintainer-team": Who(roles=("ROLE_MAINTAINER",), subrepos=("team",)),
    "admin": Who(roles=("ROLE_ADMIN",), subrepos=()),
}  # fmt: skip


def document(version: VersionFacts) -> dict[str, object]:
    """Return what a version says of itself, by which it can be found."""
    links: dict[str, object] = {"provide": {f"given/{version.version}": "1"}, "keywords": [f"tag-{version.version}"]}
    if version.version == "dev-main":
        links["require"] = {"acme/a": "*"}
    if version.version == "1.x-dev":
        links["suggest"] = {"acme/a": "it is good"}
    return links


def enters(who: Who, repository: str, *, by_host: bool = False) -> int:
    """Return 200, or the status with which the caller is refused."""
    public = REPOSITORIES[repository][1]
    if who.refused:
        return 401
    if public or "ROLE_ADMIN" in who.roles or (who.anonymous and repository == "root"):
        return 200
    if who.anonymous:
        return 401
    return 200 if repository == "root" or repository in who.subrepos else 403 if by_host else 404


def _lines(who: Who, package: str) -> list[tuple[AclLine, GroupFacts]]:
    groups = (AUDIENCE,) if who.anonymous else who.groups
    patterns = {package, package.split("/", maxsplit=1)[0] + "/*", "*"}
    return [(line, group) for group in groups for line in group.lines if line.package in patterns]


def place(who: Who, repository: str) -> str:
    """Return the repository that the caller is in: who may not use the root is elsewhere."""
    if repository == "root" and who.subrepos and "root" not in who.subrepos and "ROLE_ADMIN" not in who.roles:
        return who.subrepos[0]
    return repository


def sees(who: Who, repository: str, package: str, *, archived: bool = False) -> bool:
    """Say if the package is there for the caller."""
    facts = PACKAGES[package]
    if package not in REPOSITORIES[place(who, repository)][0] or (facts.archived and not archived):
        return False
    if REPOSITORIES[repository][1] or who.full:
        return True
    return bool(_lines(who, package)) or (facts.visible_for_all and not who.anonymous)


def sees_version(who: Who, repository: str, package: str, version: VersionFacts, *, archived: bool = False) -> bool:
    """Say if the caller sees one version."""
    if not sees(who, repository, package, archived=archived):
        return False
    if REPOSITORIES[repository][1] or who.full:
        return True
    lines = _lines(who, package)
    dates = [group.updates_until for _, group in lines if group.updates_until is not None]
    freeze = max(dates) if dates else who.updates_until
    if freeze is not None and version.released_at is not None and freeze < version.released_at:
        return False
    if PACKAGES[package].visible_for_all and not who.anonymous:
        return True
    return any(_lets_through(line, group, version) for line, group in lines)


def seen_versions(who: Who, repository: str, package: str, *, archived: bool = False) -> list[str]:
    """Return the versions that the caller sees."""
    versions = PACKAGES[package].versions
    return [one.version for one in versions if sees_version(who, repository, package, one, archived=archived)]


def _lets_through(line: AclLine, group: GroupFacts, version: VersionFacts) -> bool:
    least = group.min_stability or "dev"
    if STABILITIES.index(version.stability) > STABILITIES.index(least):
        return False
    return line.constraint is None or version.normalized in ALLOWED[line.constraint]
