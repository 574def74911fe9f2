"""
Archives that build servers push: each one becomes a version of a package of type custom or artifact.

Source: contract 02 section 12 of the reference; unlike there, who pushes must be allowed to edit the package, and the
archive must be of the package that the address names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from attrs import define, evolve, frozen

from packeton.core.access.identities import Identity
from packeton.core.access.repositories import Repository
from packeton.core.access.rules import may_edit_package
from packeton.core.composer.manifest_names import validate_package_name
from packeton.core.composer.versions import normalize
from packeton.errors import BadContent, Conflict, Denied, Invalid, NotFound
from packeton.features.packages.audiences import facts_of
from packeton.features.packages.editing import Editing
from packeton.features.packages.submitting import Submitting
from packeton.features.packages.uploads import Received, Uploads
from packeton.interfaces.archives import Upload
from packeton.interfaces.packages import IPackageRecords, Package, RepoType
from packeton.interfaces.queues import Job

__all__ = ["Push", "Pushing"]

SOURCE_TYPES = frozenset({"git", "hg", "svn"})
MAX_TEXT = 2048


@frozen(kw_only=True)
class Push:
    """What was pushed, besides the archive."""

    name: str
    version: str
    source_type: str | None = None
    source_url: str | None = None
    source_reference: str | None = None

    @property
    def source(self) -> Mapping[str, str] | None:
        """Return where the archive's content came from; None when that was not said."""
        if not self.source_url or not self.source_reference:
            return None
        kind = self.source_type or "git"
        if kind not in SOURCE_TYPES or max(len(self.source_url), len(self.source_reference)) > MAX_TEXT:
            raise Invalid("src-type, src-url or src-ref cannot be used")
        return {"type": kind, "url": self.source_url, "reference": self.source_reference}


@define
class Pushing:
    """Takes pushed archives."""

    _packages: IPackageRecords
    _editing: Editing
    _submitting: Submitting
    _uploads: Uploads

    async def push(
        self, push: Push, received: Received, identity: Identity, repository: Repository | None
    ) -> Job:
        """
        Make a version of an archive; the draft is gone afterwards, and nothing is kept of an archive that is refused.

        Raises:
            Invalid, InvalidFields: It cannot be used. Denied: The caller may not edit the package.
        """
        upload: Upload | None = None
        try:
            await self.check(push.name, push.version, identity, repository)
            upload = await self._uploads.add(received)
            document = _document(await self._uploads.manifest(upload), push)
            job = await self._store(push, upload, document, identity, repository)
        except BadContent as error:
            raise Invalid(str(error)) from error
        finally:
            received.draft.unlink(missing_ok=True)
            if upload is not None:
                await self._forget_unused(upload)
        return job

    async def check(
        self, name: str, version: str, identity: Identity, repository: Repository | None
    ) -> Package | None:
        """Return the package that is pushed to; None: it will be a new one. Raises Invalid, Denied."""
        normalize(version)
        validate_package_name(name)
        package = await self._packages.find(name)
        if package is None:
            return None
        if repository is not None and not repository.holds(name):
            raise Denied("You may not push to this package.")
        if not may_edit_package(identity, facts_of(package)):
            raise Denied("You may not push to this package.")
        if package.repo_type not in {RepoType.CUSTOM, RepoType.ARTIFACT}:
            raise Invalid(f"{name} is of type {package.repo_type}: only custom and artifact packages can be pushed to")
        return package

    async def _store(
        self, push: Push, upload: Upload, document: dict[str, Any], identity: Identity, repository: Repository | None
    ) -> Job:
        """Add the version to the package as it is then, so that pushes that come together all become versions."""
        package = await self.check(push.name, push.version, identity, repository)
        if package is None:
            settings = {"customVersions": [_entry(push, upload, document)]}
            try:
                return (await self._submitting.add_custom(push.name, identity, repository, settings))[1]
            except Conflict:  # somebody else made it meanwhile
                package = await self.check(push.name, push.version, identity, repository)
                if package is None:
                    raise
        change = _into_custom if package.repo_type is RepoType.CUSTOM else _into_artifact

        def pushed(stored: Package) -> Package:
            return evolve(stored, settings=change(stored.settings, push, upload, document))

        return (await self._editing.store(package.id, pushed))[1]

    async def _forget_unused(self, upload: Upload) -> None:
        """Remove an upload that no package came to need."""
        try:
            if not (await self._uploads.get(upload.id)).used:
                await self._uploads.remove(upload.id)
        except (NotFound, Conflict):
            return


def _document(content: bytes, push: Push) -> dict[str, Any]:
    """Return composer.json with the version of the address, without what tells where to push. Raises Invalid."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid("composer.json in the archive is broken JSON") from error
    if not isinstance(document, dict):
        raise Invalid("composer.json in the archive is no JSON object")
    name = document.get("name")
    if name != push.name:
        raise Invalid(f"composer.json in the archive names {name or 'nothing'}, not {push.name}")
    extra = document.get("extra")
    if isinstance(extra, dict):
        document["extra"] = {key: value for key, value in extra.items() if key != "push"}
        if not document["extra"]:
            del document["extra"]
    if "source" not in document and push.source is not None:
        document["source"] = push.source
    return {**document, "version": push.version}


def _entry(push: Push, upload: Upload, document: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": push.version, "dist": upload.id, "definition": orjson.dumps(document).decode()}


def _into_custom(
    settings: Mapping[str, Any], push: Push, upload: Upload, document: Mapping[str, Any]
) -> dict[str, Any]:
    """Replace the entry of the same version."""
    wanted = normalize(push.version)
    kept = [entry for entry in settings.get("customVersions") or () if not _is(entry.get("version"), wanted)]
    return {**settings, "customVersions": [*kept, _entry(push, upload, document)]}


def _into_artifact(
    settings: Mapping[str, Any], push: Push, upload: Upload, document: Mapping[str, Any]
) -> dict[str, Any]:
    """Append the archive; those that gave the same version before go."""
    wanted = normalize(push.version)
    overrides: Mapping[str, Any] = settings.get("archiveOverrides") or {}
    replaced = {number for number, override in overrides.items() if _is(override.get("version"), wanted)}
    archives: Sequence[int] = settings.get("archives") or ()
    override: dict[str, Any] = {"version": push.version}
    if isinstance(document.get("source"), dict):
        override["source"] = document["source"]
    return {
        **settings,
        "archives": [*(number for number in archives if str(number) not in replaced), upload.id],
        "archiveOverrides": {
            **{number: value for number, value in overrides.items() if number not in replaced},
            str(upload.id): override,
        },
    }


def _is(version: object, normalized: str) -> bool:
    try:
        return isinstance(version, str) and normalize(version) == normalized
    except Invalid:
        return False
