"""Changing, refreshing and removing packages, by who may."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import define, evolve
from twisted.logger import Logger

from packeton.core.access.identities import Identity, Scope
from packeton.core.access.repositories import Repository
from packeton.core.access.rules import (
    may_delete_package,
    may_delete_version,
    may_edit_package,
    may_update_package,
    sees_package,
)
from packeton.core.composer.submissions import read_submission, uploads_of
from packeton.errors import Denied, Invalid, NotFound, PacketonError, StorageFailed
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.audiences import facts_of
from packeton.features.packages.removals import Removals
from packeton.features.packages.scheduling import Scheduling
from packeton.features.packages.submitting import Checks, place_of, secret_of
from packeton.features.packages.updating import UpdateRequest
from packeton.features.packages.uploads import Uploads
from packeton.interfaces.clocks import Now
from packeton.interfaces.downloads import IDownloadRecords
from packeton.interfaces.hooks import IHookSecrets
from packeton.interfaces.packages import IPackageRecords, IVersionRecords, Package
from packeton.interfaces.queues import Job, Priority
from packeton.interfaces.revisions import IRevisions, Subject
from packeton.interfaces.vcs import ICheckouts

__all__ = ["Editing", "Forget"]

log = Logger()

Forget = Callable[[str, None], Awaitable[object]]
"""Takes a package's name out of lists that name packages: groups, sub-repositories."""


@define
class Editing:
    """Changes packages. What the caller may not see is NotFound, what it may not do Denied."""

    _packages: IPackageRecords
    _removals: Removals
    _counters: IDownloadRecords
    _revisions: IRevisions
    _checks: Checks
    _uploads: Uploads
    _scheduling: Scheduling
    _accesses: Accesses
    _checkouts: ICheckouts
    _now: Now
    _hook_secrets: IHookSecrets
    _versions: IVersionRecords
    _forget: Sequence[Forget] = ()
    _local_paths: tuple[str, ...] = ()

    async def seen(self, name: str, identity: Identity, repository: Repository | None) -> Package:
        """Return a package that the caller sees, also an archived one. Raises NotFound."""
        package = await self._packages.find(name)
        if package is None or (repository is not None and not repository.holds(name)):
            raise NotFound("no such package")
        facts = evolve(facts_of(package), public=repository is not None and repository.public)
        if not sees_package(identity, facts, archived=True):
            raise NotFound("no such package")
        return package

    async def edit(
        self, name: str, fields: Mapping[str, Any], identity: Identity, repository: Repository | None
    ) -> tuple[Package, Job]:
        """
        Change the fields that are given, and have the package read.

        Raises:
            NotFound, Denied. Invalid: it is read-only. InvalidFields: what cannot be used.
        """
        package = await self.seen(name, identity, repository)
        if not may_edit_package(identity, facts_of(package)):
            raise Denied("You may not edit this package.")
        if package.parent_id is not None:
            raise Invalid("Package is readonly")
        if fields.get("repoType") not in {None, str(package.repo_type)}:
            raise Invalid("the type of a package cannot be changed")
        submission = read_submission(fields, package.repo_type, is_new=False, local_paths=self._local_paths)
        await self._checks.check(submission, identity)
        changes: dict[str, Any] = {"updated_at": self._now()}
        if "repository" in submission.given:
            host, path = place_of(submission.url, package.repo_type)
            changes |= {"url": submission.url, "host": host, "path": path}
        if "credentials" in submission.given:
            changes["credential_id"] = submission.credential_id
        if submission.visible_for_all is not None:
            changes["visible_for_all"] = submission.visible_for_all

        def edited(stored: Package) -> Package:
            return evolve(stored, **changes, settings={**stored.settings, **submission.settings})

        if "hookSecret" in submission.given:
            await self._hook_secrets.put(package.id, secret_of(submission))
        return await self.store(package.id, edited)

    async def store(self, package_id: int, change: Callable[[Package], Package]) -> tuple[Package, Job]:
        """
        Change a package as it is stored now, and have it read; uploads that it no longer needs are free again.

        Raises:
            NotFound: It was removed meanwhile.
        """
        had: set[int] = set()

        def noting(stored: Package) -> Package:
            had.clear()
            had.update(uploads_of(stored.settings))
            return change(stored)

        saved = await self._packages.change(package_id, noting)
        needed = set(uploads_of(saved.settings))
        await self._uploads.take(needed)
        await self._uploads.release(had - needed)
        await self._revisions.bump(Subject.PACKAGES)
        return saved, await self._scheduling.update(saved, priority=Priority.NOW)

    async def refresh(
        self,
        name: str,
        identity: Identity,
        repository: Repository | None,
        *,
        update: bool,
        update_all: bool,
        auto_updated: bool | None,
    ) -> Job | None:
        """Have a package read, and say whether a hook keeps it up to date. NotFound also where it is not allowed."""
        package = await self.seen(name, identity, repository)
        if not may_update_package(identity, facts_of(package)):
            raise NotFound("no such package")
        if auto_updated is not None and auto_updated != package.auto_updated:
            package = await self._packages.change(package.id, lambda held: evolve(held, auto_updated=auto_updated))
        if not update:
            return None
        return await self._scheduling.update(
            package, UpdateRequest(update_equal_refs=update_all), priority=Priority.NOW
        )

    async def looked_at(self, name: str, identity: Identity, repository: Repository | None) -> None:
        """Have a package read that never was, when somebody looks at it who may edit it. Raises NotFound."""
        package = await self.seen(name, identity, repository)
        if identity.allows(Scope.PACKAGES_ALL) and may_edit_package(identity, facts_of(package)):
            try:
                await self._scheduling.first(package)
            except StorageFailed as error:  # it can be looked at all the same
                log.warn("{name} cannot be read for the first time: {why}", name=name, why=str(error))

    async def remove(self, name: str, identity: Identity, repository: Repository | None) -> Sequence[str]:
        """
        Remove a package with all that belongs to it; return the names that are gone.

        Raises:
            NotFound, Denied. Invalid: its mono-repo has versions of it.
        """
        package = await self.seen(name, identity, repository)
        totals = await self._counters.totals([package.id], self._now().date())
        if not may_delete_package(identity, facts_of(package), downloads=totals[package.id].total):
            raise Denied("You may not delete this package.")
        if package.parent_id is not None and await self._versions.index(package.id):
            raise Invalid("Package is readonly")
        gone = await self._removals.remove(package)
        await self._uploads.release(uploads_of(package.settings))
        for name_gone in gone:
            for forget in self._forget:
                await forget(name_gone, None)
        await self._forget_checkout(package)
        log.info("{name} was deleted by {who}", name=name, who=identity.name)
        return gone

    async def remove_version(self, version_id: int, identity: Identity, repository: Repository | None) -> None:
        """
        Remove one version; it comes back with the next reading if it is still there.

        Raises:
            NotFound: There is none, or the caller does not see it. Denied.
        """
        version = await self._versions.get(version_id) if version_id < 2**31 else None
        package = None if version is None else await self._packages.get(version.package_id)
        if version is None or package is None:
            raise NotFound("no such version")
        await self.seen(package.name, identity, repository)
        if not may_delete_version(identity, facts_of(package)):
            raise Denied("You may not delete versions of this package.")
        await self._removals.remove_version(package, version.normalized)
        log.info("{name} {version} was deleted by {who}", name=package.name, version=version.version, who=identity.name)

    async def _forget_checkout(self, package: Package) -> None:
        """Remove the checkout, unless another package is read from it."""
        if not package.repo_type.is_vcs or package.host is None or package.path is None:
            return
        if await self._packages.at_address(package.host, package.path):
            return
        try:
            await self._checkouts.forget(await self._accesses.of(package))
        except PacketonError as error:
            log.warn("The checkout of {name} stays: {why}", name=package.name, why=str(error))
