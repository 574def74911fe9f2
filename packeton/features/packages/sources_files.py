"""Versions out of archives: uploaded ones, and those in directories of the server; and out of definitions."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from attrs import define, evolve, field
from zope.interface import implementer

from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.manifests import read_manifest
from packeton.core.composer.packages import version_object
from packeton.core.composer.versions import normalize
from packeton.errors import Invalid, NotFound, PacketonError
from packeton.features.packages.building import FILE_REF
from packeton.features.packages.folders import Folders
from packeton.features.packages.uploads import extension_of, read_manifest_of
from packeton.interfaces.archives import IFileStore, IUploadRecords, Upload
from packeton.interfaces.clocks import InThread
from packeton.interfaces.packages import Package
from packeton.interfaces.sources import Deliver, Finding, FoundVersion, ISource, OnLog, SourceReport

__all__ = ["ArtifactSource", "DefinitionSource"]

HELD: Final = "+"
BACK: Final = "-"


@implementer(ISource)
@define
class ArtifactSource:
    """Packages of type artifact: `archives` (ids of uploads), `repositoryPath`, and what a push said of an archive."""

    _uploads: IUploadRecords
    _store: IFileStore
    _folders: Folders
    _bounds: ArchiveBounds
    _in_thread: InThread

    async def read(
        self, package: Package, known: Mapping[str, str], deliver: Deliver, log: OnLog
    ) -> SourceReport:
        """Deliver a version for each archive."""
        refs: set[str] = set()
        turns = _Turns(known, log)
        overrides = package.settings.get("archiveOverrides") or {}
        for number in package.settings.get("archives") or ():
            upload = await self._uploads.get(int(number))
            if upload is None:
                log(f"The upload {number} is not there any more")
                continue
            override = overrides.get(str(number)) or {}
            ref, commit = f"upload:{upload.reference}", _digest([upload.sha1, override])
            refs.add(ref)
            if not turns.is_settled(ref, commit, upload.original_name):
                finding = await self._in_thread(self._of_upload, package.name, upload, override, ref, commit)
                await deliver([turns.taken(finding, upload.original_name)])
        path = package.settings.get("repositoryPath")
        if isinstance(path, str) and path:
            root = await self._folders.check(path)
            for file in await self._folders.archives(path):
                ref, commit = await self._in_thread(_ref_of, file, root)
                refs.add(ref)
                if not turns.is_settled(ref, commit, file.name):
                    finding = await self._in_thread(self._of_file, package.name, file, ref, commit)
                    await deliver([turns.taken(finding, file.name)])
        return SourceReport(refs=frozenset(refs))

    def _of_upload(
        self, name: str, upload: Upload, override: Mapping[str, Any], ref: str, commit: str
    ) -> Finding:
        path = self._store.path(upload.filename)
        dist = {"type": _dist_type(upload.extension), "shasum": upload.sha1}
        try:
            return _finding(name, path, self._bounds, ref, commit, dist, upload.reference, override, upload.created_at)
        except PacketonError as error:
            return Finding(ref=ref, commit=commit, problems=(f"{upload.original_name}: {error}",))

    def _of_file(self, name: str, file: Path, ref: str, commit: str) -> Finding:
        try:
            moment = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            dist = {"type": _dist_type(extension_of(file.name)), "shasum": _sha1(file)}
            return _finding(name, file, self._bounds, ref, commit, dist, None, {}, moment)
        except PacketonError as error:
            return Finding(ref=ref, commit=commit, problems=(f"{file.name}: {error}",))
        except OSError as error:
            return Finding(ref=ref, commit=commit, problems=(f"{file.name}: cannot be read: {error.strerror}",))


@define
class _Turns:
    """
    Which one counts where several have the same version: the first, as with tags.

    What came of a ref is in its commit, behind what changes with its content: what did not change is not opened again.
    """

    _known: Mapping[str, str]
    _log: OnLog
    _holders: dict[str, str] = field(factory=dict, init=False)

    def is_settled(self, ref: str, commit: str, name: str) -> bool:
        """Say if nothing is new at a ref: neither its content nor whose turn it is."""
        before, _, state = self._known.get(ref, "").partition(" ")
        normalized = state[1:]
        if before != commit or (normalized and (normalized in self._holders) is not state.startswith(BACK)):
            return False
        if normalized:
            self._holders.setdefault(normalized, name)
        return True

    def taken(self, finding: Finding, name: str) -> Finding:
        """Return what was found, without a version that another one has."""
        if not finding.versions:
            return finding
        normalized = finding.versions[0].version["version_normalized"]
        first = self._holders.get(normalized)
        if first is None:
            self._holders[normalized] = name
            return evolve(finding, commit=f"{finding.commit} {HELD}{normalized}")
        why = f"Skipped {name}, it conflicts with another one ({first}) as both resolve to {normalized} internally"
        self._log(why)
        return evolve(finding, commit=f"{finding.commit} {BACK}{normalized}", versions=(), skipped=(why,))


def _finding(
    name: str,
    path: Path,
    bounds: ArchiveBounds,
    ref: str,
    commit: str,
    dist: dict[str, Any],
    reference: str | None,
    override: Mapping[str, Any],
    moment: datetime,
) -> Finding:
    """Read one archive. Raises Invalid."""
    document = {**_parsed(read_manifest_of(path, bounds))}
    if override.get("version"):
        document["version"] = override["version"]
    manifest = read_manifest(orjson.dumps(document))
    if manifest.name != name:
        raise Invalid(f"composer.json names {manifest.name}, and this package is {name}")
    pretty = manifest.document.get("version")
    if not isinstance(pretty, str) or not pretty:
        raise Invalid("composer.json has no version, which a package in an archive needs")
    normalized = normalize(pretty)
    reference = reference or hashlib.sha1(f"{dist['shasum']}{normalized}".encode(), usedforsecurity=False).hexdigest()
    source = override.get("source")
    version = version_object(
        manifest.document,
        version=pretty,
        version_normalized=normalized,
        source=source if isinstance(source, Mapping) else None,
        dist={**dist, "reference": reference},
        time=moment,
    )
    found = FoundVersion(
        version=version,
        source_reference=str(path) if ref.startswith(FILE_REF) else None,
        dist_reference=reference,
        warnings=manifest.warnings,
    )
    return Finding(ref=ref, commit=commit, versions=(found,))


@implementer(ISource)
@define
class DefinitionSource:
    """Packages of type custom and virtual: `customVersions` with `version`, `dist` (id of an upload), `definition`."""

    _uploads: IUploadRecords
    _with_dists: bool
    """False for virtual ones, whose archives hold their definition and nothing else."""

    async def read(
        self, package: Package, known: Mapping[str, str], deliver: Deliver, log: OnLog
    ) -> SourceReport:
        """Deliver a version for each definition."""
        refs: set[str] = set()
        turns = _Turns(known, log)
        entries = package.settings.get("customVersions") or ()
        if not entries:
            raise Invalid("the package has no versions; at least one is needed")
        for entry in entries:
            pretty = str(entry.get("version") or "")
            ref, commit = f"custom:{pretty[:200]}", _digest(entry)
            if ref in refs or turns.is_settled(ref, commit, pretty):
                refs.add(ref)
                continue
            refs.add(ref)
            try:
                found = await self._version(package, entry, pretty)
            except PacketonError as error:
                await deliver([Finding(ref=ref, commit=commit, problems=(str(error),))])
            else:
                await deliver([turns.taken(Finding(ref=ref, commit=commit, versions=(found,)), pretty)])
        return SourceReport(refs=frozenset(refs))

    async def _version(self, package: Package, entry: Mapping[str, Any], pretty: str) -> FoundVersion:
        normalized = normalize(pretty)
        definition = entry.get("definition") or {}
        document = _parsed(definition.encode()) if isinstance(definition, str) else dict(definition)
        manifest = read_manifest(orjson.dumps({**document, "name": package.name, "version": pretty}))
        source, dist = document.get("source"), document.get("dist")
        reference: str | None = None
        if not self._with_dists:
            reference = hashlib.sha1(orjson.dumps(manifest.document), usedforsecurity=False).hexdigest()
            dist = {"type": "zip", "reference": reference}
        elif entry.get("dist"):
            upload = await self._uploads.get(int(entry["dist"]))
            if upload is None:
                raise NotFound(f"the uploaded archive of {pretty} is not there any more")
            reference = upload.reference
            dist = {"type": _dist_type(upload.extension), "reference": reference, "shasum": upload.sha1}
        else:
            _check_foreign(pretty, source, dist)
        version = version_object(
            manifest.document,
            version=pretty,
            version_normalized=normalized,
            source=source if isinstance(source, Mapping) else None,
            dist=dist if isinstance(dist, Mapping) else None,
            time=_time(document.get("time")),
        )
        return FoundVersion(version=version, dist_reference=reference, warnings=manifest.warnings)


def _check_foreign(pretty: str, source: Any, dist: Any) -> None:
    """Refuse a definition that leads nowhere, or to this machine's files. Raises Invalid."""
    places = [place for place in (source, dist) if isinstance(place, Mapping)]
    if not places:
        raise Invalid(f"{pretty} needs an uploaded archive, or a dist or source in its definition")
    for place in places:
        url = place.get("url")
        if not isinstance(url, str) or place.get("type") == "path" or url.startswith(("/", ".", "file:", "\\")):
            raise Invalid(f"{pretty}: a dist or source needs an address; local paths are not allowed")


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except ValueError as error:
        raise Invalid(f"composer.json does not contain valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Invalid("composer.json does not contain a JSON object")
    return document


def _time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _dist_type(extension: str) -> str:
    return "zip" if extension == "zip" else "tar"


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


def _ref_of(file: Path, root: Path) -> tuple[str, str]:
    """Return the ref of a file, and what changes when it does."""
    status = file.stat()
    name = hashlib.sha256(str(file.relative_to(root)).encode(errors="replace")).hexdigest()[:40]
    return f"{FILE_REF}{name}", f"{status.st_size}-{status.st_mtime_ns}"


def _sha1(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha1").hexdigest()

