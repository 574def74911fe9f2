"""Looking at what somebody is about to submit: which package it would be, and what a mono-repo's patterns find."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, frozen

from packeton.core.access.identities import Identity
from packeton.core.composer.monorepos import MANIFEST_NAME, find_directories
from packeton.errors import InvalidFields, PacketonError, StorageFailed
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.sources_vcs import globs_of
from packeton.features.packages.submitting import Submitting
from packeton.interfaces.packages import IPackageRecords, RepoType
from packeton.interfaces.vcs import ICheckouts

__all__ = ["Precheck", "Prechecks"]

MAX_SIMILAR = 20
MAX_FOUND = 5000


@frozen(kw_only=True)
class Precheck:
    """What a submission would be."""

    name: str
    similar: Sequence[str]
    """Packages of other vendors whose name is the same behind the slash."""


@define
class Prechecks:
    """Answers forms before they are sent; nothing is stored."""

    _packages: IPackageRecords
    _submitting: Submitting
    _accesses: Accesses
    _checkouts: ICheckouts

    async def look(self, fields: Mapping[str, Any], identity: Identity) -> Precheck:
        """Return what submitting these fields would make. Raises InvalidFields, as submitting does."""
        package = await self._submitting.drafted(fields, identity)
        names = await self._packages.names()
        if package.name in names:
            raise InvalidFields({"name": f"A package with the name {package.name} already exists."})
        end = package.name.partition("/")[2]
        similar = [name for name in names if name.partition("/")[2] == end]
        return Precheck(name=package.name, similar=similar[:MAX_SIMILAR])

    async def found_in(self, fields: Mapping[str, Any], identity: Identity) -> Sequence[str]:
        """
        Return the composer.json files that a mono-repo's patterns find on the default branch, sorted; of a repository
        that we have a copy of without asking its server.

        Raises:
            InvalidFields: By field, what cannot be used: also what the repository's server says.
        """
        package = await self._submitting.drafted({**fields, "repoType": RepoType.MONO_REPO}, identity, named=False)
        try:
            files = await self._checkouts.list_files(await self._accesses.of(package), _nothing)
        except StorageFailed:
            raise
        except PacketonError as error:
            raise InvalidFields({"repository": str(error)}) from error
        globs, excluded = globs_of(package)
        try:
            found = find_directories(files, globs, excluded)[:MAX_FOUND]
        except PacketonError as error:
            raise InvalidFields({"glob": str(error)}) from error
        return [f"{directory}/{MANIFEST_NAME}" for directory in found]


def _nothing(_: str) -> None:
    """Nobody reads the log of a check."""
