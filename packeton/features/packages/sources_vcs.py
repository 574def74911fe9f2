"""Versions out of tags and branches: packages of type vcs, asset and mono-repo."""

from collections.abc import Mapping, Sequence

import orjson
from attrs import define
from zope.interface import implementer

from packeton.core.composer.sources import dist_reference
from packeton.errors import Invalid
from packeton.features.packages.accesses import Accesses
from packeton.interfaces.packages import Package, RepoType
from packeton.interfaces.sources import Deliver, Finding, FoundVersion, ISource, OnLog, SourceFile, SourceReport
from packeton.interfaces.vcs import CrawlPlan, ICheckouts, Reading, RefReading

__all__ = ["VcsSource", "globs_of"]

DEFAULT_BRANCH = "_defaultBranch"
"""In the package's settings, which branch was the default at the last crawl."""


@implementer(ISource)
@define
class VcsSource:
    """Reads repositories; for mono-repos all their packages at once, each version with its directory."""

    _checkouts: ICheckouts
    _accesses: Accesses

    async def read(
        self, package: Package, known: Mapping[str, str], deliver: Deliver, log: OnLog
    ) -> SourceReport:
        """Deliver all versions."""
        access = await self._accesses.of(package)
        is_child_like = package.repo_type is RepoType.MONO_REPO or bool(package.directory)

        async def on_batch(batch: Sequence[RefReading]) -> None:
            findings = [_finding(reading, with_source=not is_child_like) for reading in batch if not reading.unchanged]
            for finding in findings:
                for line in finding.skipped:
                    log(line)
            await deliver(findings)

        crawl = await self._checkouts.crawl(access, _plan(package, known), on_batch, log)
        return SourceReport(
            refs=frozenset(crawl.refs),
            default_branch=crawl.default_branch,
            names=dict(crawl.names),
            readmes={
                directory: SourceFile(path=file.path, content=file.content)
                for directory, file in crawl.readmes.items()
            },
            directories=crawl.directories,
            lock=crawl.lock,
            manifest=crawl.manifest,
        )


def globs_of(package: Package) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the patterns of a mono-repo, and what they must not find."""
    return _lines(package.settings.get("glob")), _lines(package.settings.get("excludedGlob"))


def _plan(package: Package, known: Mapping[str, str]) -> CrawlPlan:
    default = package.settings.get(DEFAULT_BRANCH)
    known_default = default if isinstance(default, str) else None
    if package.repo_type is RepoType.MONO_REPO:
        globs, excluded = globs_of(package)
        if not globs:
            raise Invalid("a mono-repo needs at least one pattern such as packages/*/composer.json")
        return CrawlPlan(
            directories=("",), globs=globs, excluded=excluded, known=known, known_default=known_default
        )
    return CrawlPlan(
        directories=(package.directory,),
        known=known,
        known_default=known_default,
        name=package.name,
        manifest=_fixed_manifest(package) if package.repo_type is RepoType.ASSET else None,
    )


def _fixed_manifest(package: Package) -> bytes:
    """Return the composer.json that an asset has for all its versions. Raises Invalid."""
    written = package.settings.get("customComposerJson") or {}
    try:
        document = orjson.loads(written) if isinstance(written, str) else dict(written)
    except (ValueError, TypeError) as error:
        raise Invalid("customComposerJson is not a JSON object") from error
    if not isinstance(document, dict):
        raise Invalid("customComposerJson is not a JSON object")
    return orjson.dumps({**document, "name": package.name})


def _finding(reading: RefReading, *, with_source: bool) -> Finding:
    ref = reading.ref
    skipped = [
        f"{where.directory}: {where.skipped}" if where.directory else where.skipped
        for where in reading.readings
        if where.skipped
    ]
    return Finding(
        ref=ref.key,
        commit=ref.commit,
        versions=tuple(
            _found(where, ref.commit, with_source=with_source)
            for where in reading.readings
            if where.version is not None
        ),
        problems=tuple(
            f"{where.directory}/composer.json: {where.invalid}" if where.directory else where.invalid
            for where in reading.readings
            if where.invalid
        ),
        skipped=(*([reading.skipped] if reading.skipped else []), *skipped),
    )


def _found(reading: Reading, commit: str, *, with_source: bool) -> FoundVersion:
    version = dict(reading.version or {})
    if not with_source and reading.directory:
        version.pop("source", None)
    source = version.get("source") or {}
    reference = source.get("reference") if isinstance(source, Mapping) else None
    reference = reference if isinstance(reference, str) else commit
    return FoundVersion(
        version=version,
        directory=reading.directory,
        tree=reading.tree,
        source_reference=reference,
        dist_reference=dist_reference(reference),
        warnings=reading.warnings,
    )


def _lines(value: object) -> tuple[str, ...]:
    """Read patterns, one a line."""
    items = value.splitlines() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(item.strip() for item in items if isinstance(item, str) and item.strip())
