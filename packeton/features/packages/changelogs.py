"""What was committed between two versions of a package."""

import re
from collections.abc import Sequence

from attrs import define, frozen

from packeton.core.composer.versions import stability_of, version_key
from packeton.errors import Invalid, NotFound
from packeton.features.packages.accesses import Accesses
from packeton.interfaces.packages import Package, StoredVersion
from packeton.interfaces.vcs import ICheckouts

__all__ = ["Changelog", "Changelogs"]

VERSION = re.compile(r"[A-Za-z0-9._-]{1,191}")


@frozen(kw_only=True)
class Changelog:
    """Commit subjects, newest first."""

    from_: str
    to: str
    subjects: Sequence[str]


@define
class Changelogs:
    """Reads checkouts that are there; asks no server."""

    _accesses: Accesses
    _checkouts: ICheckouts

    async def between(
        self, package: Package, versions: Sequence[StoredVersion], from_: str | None, to: str | None
    ) -> Changelog:
        """
        Return the log from one version (default: the highest stable one below *to*) to another; empty without a
        checkout.

        Raises:
            Invalid: *to* is missing, or there is nothing to begin at.
        """
        if not to:
            raise Invalid('Parameter: "to" can not be empty')
        from_ = from_ or _before(versions, to)
        if from_ is None:
            raise Invalid('Parameter: "from" can not be empty: there is no stable version below')
        if not (VERSION.fullmatch(to) and VERSION.fullmatch(from_)):
            return Changelog(from_=from_, to=to, subjects=())
        try:
            access = await self._accesses.of(package)
            ends = [_reference(versions, name) for name in (from_, to)]
            subjects = await self._checkouts.changelog(access, *ends)
        except (NotFound, Invalid):
            subjects = ()
        return Changelog(from_=from_, to=to, subjects=subjects)


def _reference(versions: Sequence[StoredVersion], name: str) -> str:
    """Return what version control calls a version: its commit, so that `1.0` finds the tag `v1.0`."""
    return next((one.reference for one in versions if one.version == name and one.reference), name)


def _before(versions: Sequence[StoredVersion], to: str) -> str | None:
    """Return the highest stable version below *to*; the versions come newest first."""
    end = next((one for one in versions if to in {one.version, one.normalized}), None)
    if end is None:
        return None
    limit = version_key(end.normalized)
    below = (
        one for one in versions
        if not one.is_dev and stability_of(one.version) == "stable" and version_key(one.normalized) < limit
    )  # fmt: skip
    found = next(below, None)
    return None if found is None else found.version
