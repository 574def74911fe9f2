"""
The only place that says who sees what; every answer, also a 304, comes after asking here.

A package is seen when something grants it; a version, when it was not released after the freeze *and* some line that
grants the package lets it through. Nothing granted, nothing seen.

Source: the reference's ACL, with the differences that docs/access.md lists.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from operator import or_
from typing import Final

from attrs import frozen

from packeton.core.access.identities import Grant, Identity, Role, Scope
from packeton.core.access.matching import allowed_versions
from packeton.errors import Denied, NotFound, Unauthenticated

__all__ = [
    "MANY_DOWNLOADS",
    "PackageFacts",
    "VersionFacts",
    "may_delete_package",
    "may_delete_version",
    "may_edit_package",
    "may_fill_mirror",
    "may_update_package",
    "may_use_mirror",
    "sees_every_version",
    "sees_package",
    "visible_versions",
]

MANY_DOWNLOADS: Final = 100
"""A package installed more often than this is not deleted by its maintainers, but by administrators."""
STABILITIES: Final = {"stable": 0, "RC": 5, "beta": 10, "alpha": 15, "dev": 20}
"""Source: Composer, BasePackage::STABILITIES."""


@frozen(kw_only=True)
class PackageFacts:
    """What decisions need to know of a package."""

    name: str
    visible_for_all: bool = False
    """Everybody who signed in sees it."""
    archived: bool = False
    """Out of lists and metadata for everybody; its dists and its page are for those who saw it before."""
    public: bool = False
    """It is looked at through a public sub-repository: anybody sees all of it."""
    maintainers: frozenset[int] = frozenset()


@frozen
class VersionFacts:
    """What decisions need to know of a version."""

    normalized: str
    released_at: datetime | None = None
    stability: str = "stable"


@frozen
class _Line:
    """One way to see versions of a package."""

    constraint: str | None
    least: int | None
    """The stability rank up to which versions are let through; None: any."""


@frozen
class _View:
    """What one caller may see of one package."""

    frozen_at: datetime | None = None
    lines: frozenset[_Line] | None = None
    """None: all versions, but for the freeze."""


EVERYTHING: Final = _View()


def sees_package(identity: Identity, package: PackageFacts, *, archived: bool = False) -> bool:
    """Say if the package exists for this caller; an archived one does only where *archived* ones are asked for."""
    if package.archived and not archived:
        return False
    return package.public or identity.is_full or _is_for_all(identity, package) or identity.is_granted(package.name)


def visible_versions(
    identity: Identity, package: PackageFacts, versions: Sequence[VersionFacts], *, archived: bool = False
) -> list[bool]:
    """Say for each version if this caller sees it; as fast as reading the list, once a constraint was matched."""
    view = _view(identity, package) if archived or not package.archived else None
    if view is None:
        return [False] * len(versions)
    limit, lines = view.frozen_at, view.lines
    if lines is None:
        return [True] * len(versions) if limit is None else [_is_before(version, limit) for version in versions]
    passed = _passed(lines, versions)
    if limit is None:
        return passed
    return [seen and _is_before(version, limit) for seen, version in zip(passed, versions, strict=True)]


def sees_every_version(identity: Identity, package: PackageFacts) -> bool:
    """Say if nothing of the package is hidden from this caller, nor will be: what a dist of no known version needs."""
    return _view(identity, package) == EVERYTHING


def may_use_mirror(identity: Identity, alias: str, *, public: bool, any_public: bool) -> None:
    """
    Let a caller use a mirror that exists, or say why not.

    Args:
        public: Anybody may use this one.
        any_public: Anybody may use some mirror; then an anonymous caller may not learn of the others.

    Raises:
        NotFound, Unauthenticated: the caller is anonymous.
        Denied: the caller's groups do not allow it.
    """
    if public or identity.is_full or alias in identity.mirrors:
        return
    if not identity.is_anonymous:
        raise Denied("Forbidden")
    if any_public:
        raise NotFound("no such mirror")
    raise Unauthenticated("Full authentication is required to access this resource.")


def may_fill_mirror(identity: Identity) -> bool:
    """Say if a request of this caller may cause new packages to be mirrored."""
    return identity.allows(Scope.MIRROR_ALL)


def may_edit_package(identity: Identity, package: PackageFacts) -> bool:
    """Say if the caller may change the package's settings."""
    return identity.has(Role.EDIT_PACKAGES) or _maintains(identity, package)


def may_update_package(identity: Identity, package: PackageFacts) -> bool:
    """Say if the caller may have the package read anew."""
    return identity.has(Role.UPDATE_PACKAGES) or may_edit_package(identity, package)


def may_delete_package(identity: Identity, package: PackageFacts, *, downloads: int) -> bool:
    """Say if the caller may delete the package: its maintainers may, unless it was installed often."""
    return identity.has(Role.DELETE_PACKAGES) or (_maintains(identity, package) and downloads <= MANY_DOWNLOADS)


def may_delete_version(identity: Identity, package: PackageFacts) -> bool:
    """Say if the caller may delete versions of the package."""
    return identity.has(Role.DELETE_PACKAGES) or _maintains(identity, package)


def _maintains(identity: Identity, package: PackageFacts) -> bool:
    return identity.has(Role.MAINTAINER) and identity.user_id in package.maintainers


def _view(identity: Identity, package: PackageFacts) -> _View | None:
    """Return what of the package the caller may see; None: nothing, not even that it is there."""
    if package.public or identity.is_full:
        return EVERYTHING
    return _granted(identity.grants_for(package.name), _is_for_all(identity, package), identity.updates_until)


def _is_for_all(identity: Identity, package: PackageFacts) -> bool:
    return package.visible_for_all and identity.user_id is not None


@lru_cache(maxsize=10_000)
def _granted(grants: tuple[Grant, ...], for_all: bool, updates_until: datetime | None) -> _View | None:
    """Return the same by what was granted, which is the same for most packages."""
    if not grants and not for_all:
        return None
    dates = [grant.updates_until for grant in grants if grant.updates_until is not None]
    frozen_at = max(dates) if dates else updates_until
    if for_all:
        return _View(frozen_at)
    lines = frozenset(_Line(grant.constraint or None, _rank(grant.min_stability)) for grant in grants)
    return _View(frozen_at, None if _Line(None, None) in lines else lines)


def _rank(stability: str | None) -> int | None:
    """Return the rank up to which versions pass; one that is not known lets only stable versions through."""
    rank = 20 if stability is None else STABILITIES.get(stability, 0)
    return None if rank == 20 else rank


def _is_before(version: VersionFacts, limit: datetime) -> bool:
    return version.released_at is None or version.released_at <= limit


def _passed(lines: Collection[_Line], versions: Sequence[VersionFacts]) -> list[bool]:
    normalized = [version.normalized for version in versions]
    passed: list[bool] | None = None
    for line in lines:
        allowed, least = allowed_versions(line.constraint, normalized), line.least
        if least is not None:
            ranks = [STABILITIES.get(version.stability, 20) for version in versions]
            allowed = [is_allowed and rank <= least for is_allowed, rank in zip(allowed, ranks, strict=True)]
        passed = allowed if passed is None else list(map(or_, passed, allowed))
    return [False] * len(versions) if passed is None else passed
