"""Submitting packages: what is said is checked, the repository is asked for the name, and a first job reads it all."""

from collections.abc import Mapping
from typing import Any

import orjson
from attrs import define, evolve

from packeton.config.settings import Secret
from packeton.core.access.identities import Identity
from packeton.core.access.repositories import Repository
from packeton.core.composer.manifest_names import validate_package_name
from packeton.core.composer.submissions import Submission, read_submission, uploads_of
from packeton.core.hooks.payloads import canonical_url
from packeton.errors import Conflict, Invalid, InvalidFields, NotFound, PacketonError, StorageFailed
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.folders import Folders
from packeton.features.packages.scheduling import Scheduling
from packeton.features.packages.uploads import Uploads
from packeton.interfaces.accounts import ISubrepoRecords
from packeton.interfaces.clocks import Now
from packeton.interfaces.credentials import ICredentialRecords
from packeton.interfaces.hooks import IHookSecrets
from packeton.interfaces.packages import IPackageRecords, Package, RepoType
from packeton.interfaces.queues import Job, Priority
from packeton.interfaces.revisions import IRevisions, Subject
from packeton.interfaces.vcs import ICheckouts

__all__ = ["Checks", "Submitting", "place_of", "secret_of"]


def place_of(url: str | None, repo_type: RepoType) -> tuple[str | None, str | None]:
    """Return host and path under which hooks find a package."""
    place = canonical_url(url) if url and repo_type.is_vcs else None
    return place if place is not None and len(place[0]) < 192 and len(place[1]) < 256 else (None, None)


@define
class Checks:
    """What must be looked up to know if a form can be used."""

    _credentials: ICredentialRecords
    _uploads: Uploads
    _folders: Folders

    async def check(self, submission: Submission, identity: Identity) -> None:
        """Raise InvalidFields when a credential or an upload is not there, or not the caller's to use."""
        wrong: dict[str, str] = {}
        if submission.credential_id is not None:
            found = await self._credentials.get(submission.credential_id)
            mine = found is not None and (
                identity.method == "console" or found.may_be_chosen_by(identity.user_id)
            )
            if not mine:
                wrong["credentials"] = "there is no such credential, or it is somebody else's"
        for number in uploads_of(submission.settings):
            try:
                await self._uploads.get(number)
            except NotFound as error:
                wrong["archives" if "archives" in submission.settings else "customVersions"] = str(error)
        if submission.settings.get("repositoryPath"):
            try:
                await self._folders.check(submission.settings["repositoryPath"])
            except Invalid as error:
                wrong["repositoryPath"] = str(error)
        if wrong:
            raise InvalidFields(wrong)

    async def manifest(self, settings: Mapping[str, Any]) -> bytes:
        """Return composer.json of the first archive of a package of type artifact. Raises PacketonError."""
        numbers = uploads_of(settings)
        if numbers:
            return await self._uploads.manifest(await self._uploads.get(numbers[0]))
        if settings.get("repositoryPath"):
            return await self._folders.first_manifest(settings["repositoryPath"])
        raise Invalid("choose an archive, or a directory of archives as repositoryPath")


@define
class Submitting:
    """Takes new packages in."""

    _packages: IPackageRecords
    _subrepos: ISubrepoRecords
    _revisions: IRevisions
    _accesses: Accesses
    _checkouts: ICheckouts
    _checks: Checks
    _uploads: Uploads
    _scheduling: Scheduling
    _now: Now
    _hook_secrets: IHookSecrets
    _local_paths: tuple[str, ...] = ()

    async def submit(
        self,
        fields: Mapping[str, Any],
        identity: Identity,
        repository: Repository | None,
        *,
        priority: Priority = Priority.NOW,
    ) -> tuple[Package, Job]:
        """
        Store a new package, which the caller maintains, and have it read.

        Args:
            priority: Of the reading; many packages at once must not hold up those that somebody waits for.

        Raises:
            InvalidFields: By field, what cannot be used: also what the repository's server says, and a taken name.
        """
        submission = await self._submitted(fields, identity)
        package = await self._named(submission, identity)
        try:
            return await self._create(package, repository, priority, secret_of(submission))
        except Conflict as error:
            where = "name" if package.url is None or package.repo_type is RepoType.PROXY else "repository"
            raise InvalidFields({where: f"A package with the name {package.name} already exists."}) from error

    async def drafted(self, fields: Mapping[str, Any], identity: Identity, *, named: bool = True) -> Package:
        """
        Return the package that `submit` would store.

        Args:
            named: False: its source is not asked for the name.

        Raises:
            InvalidFields: As `submit`.
        """
        submission = await self._submitted(fields, identity)
        return await self._named(submission, identity) if named else self._drafted(submission, "", identity)

    async def _submitted(self, fields: Mapping[str, Any], identity: Identity) -> Submission:
        kind = fields.get("repoType") or RepoType.VCS
        submission = read_submission(fields, str(kind), is_new=True, local_paths=self._local_paths)
        await self._checks.check(submission, identity)
        return submission

    async def _named(self, submission: Submission, identity: Identity) -> Package:
        drafted = self._drafted(submission, submission.name or "", identity)
        return drafted if drafted.name else evolve(drafted, name=await self._name_of(drafted))

    async def add_custom(
        self, name: str, identity: Identity, repository: Repository | None, settings: Mapping[str, Any]
    ) -> tuple[Package, Job]:
        """Store a new package whose first version was pushed. Raises InvalidFields, Conflict: the name is taken."""
        try:
            validate_package_name(name)
        except Invalid as error:
            raise InvalidFields({"name": str(error)}) from error
        submission = Submission(repo_type=RepoType.CUSTOM, name=name, settings=settings)
        return await self._create(self._drafted(submission, name, identity), repository)

    def _drafted(self, submission: Submission, name: str, identity: Identity) -> Package:
        kind, now = RepoType(submission.repo_type), self._now()
        host, path = place_of(submission.url, kind)
        return Package(
            name=name,
            repo_type=kind,
            url=submission.url,
            host=host,
            path=path,
            credential_id=submission.credential_id,
            visible_for_all=bool(submission.visible_for_all),
            settings=dict(submission.settings),
            maintainers=frozenset() if identity.user_id is None else frozenset({identity.user_id}),
            created_at=now,
            stable_modified_at=now.replace(microsecond=0),
            dev_modified_at=now.replace(microsecond=0),
        )

    async def _create(
        self,
        package: Package,
        repository: Repository | None,
        priority: Priority = Priority.NOW,
        hook_secret: Secret | None = None,
    ) -> tuple[Package, Job]:
        """Raises Conflict: the name is taken."""
        made = await self._packages.create(package)
        if hook_secret is not None:
            await self._hook_secrets.put(made.id, hook_secret)
        await self._uploads.take(uploads_of(made.settings))
        if repository is not None and not repository.holds(made.name):
            await self._subrepos.add_package(repository.id, made.name)
        await self._revisions.bump(Subject.PACKAGES)
        return made, await self._scheduling.update(made, priority=priority)

    async def _name_of(self, package: Package) -> str:
        """Ask the source for the name. Raises InvalidFields."""
        is_artifact = package.repo_type is RepoType.ARTIFACT
        in_folder = is_artifact and not uploads_of(package.settings) and package.settings.get("repositoryPath")
        where = "repositoryPath" if in_folder else "archives" if is_artifact else "repository"
        try:
            if is_artifact:
                content: bytes | None = await self._checks.manifest(package.settings)
            else:
                access = await self._accesses.of(package)
                content = (await self._checkouts.default_manifest(access, "", _nothing)).content
            return validate_package_name(_name_in(content))
        except StorageFailed:
            raise
        except PacketonError as error:
            raise InvalidFields({where: str(error)}) from error


def secret_of(submission: Submission) -> Secret | None:
    """Return the secret of hooks that was said."""
    return None if submission.hook_secret is None else Secret(submission.hook_secret)


def _name_in(content: bytes | None) -> str:
    if content is None:
        raise Invalid("there is no composer.json on the default branch")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        told = f"composer.json on the default branch is broken JSON: {error.msg.split(':')[0]} on line {error.lineno}"
        raise Invalid(told) from error
    if not isinstance(document, dict):
        raise Invalid("composer.json on the default branch is no JSON object")
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise Invalid("composer.json on the default branch has no name")
    return name


def _nothing(_: str) -> None:
    """Nobody reads the log of a check."""
