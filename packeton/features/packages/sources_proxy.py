"""Versions out of somebody else's Composer repository: packages of type proxy."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from attrs import define
from zope.interface import implementer

from packeton.core.composer.archives import ArchiveBounds, verify_zip
from packeton.core.composer.configs import auth_sections
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.versions import normalize
from packeton.errors import Invalid, NotFound, PacketonError
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.archives import Order, holder_of
from packeton.features.packages.foreign import ForeignRepositories
from packeton.interfaces.clocks import InThread
from packeton.interfaces.packages import IVersionRecords, Package
from packeton.interfaces.sources import Deliver, Finding, FoundVersion, ISource, OnLog, SourceReport
from packeton.interfaces.vcs import ArchiveOrder, ICheckouts

__all__ = ["ProxyBuilder", "ProxySource"]

COMMIT = re.compile(r"[0-9a-f]{40}")
NOT_OURS = ("notification-url", "uid", "version_normalized_v2", "dist_mirrors", "source_mirrors")
BATCH = 100
MAX_ADVISORIES = 200


@implementer(ISource)
@define
class ProxySource:
    """Takes over all versions that a repository offers of the name."""

    _foreign: ForeignRepositories
    _accesses: Accesses

    async def read(
        self, package: Package, known: Mapping[str, str], deliver: Deliver, log: OnLog
    ) -> SourceReport:
        """Deliver all versions."""
        if not package.url:
            raise Invalid("the package has no repository")
        credential = await self._accesses.credential(package)
        auth = {} if credential is None else auth_sections(credential.composer_auth)
        versions = await self._foreign.versions(package.url, auth, package.name)
        log(f"{package.url} offers {len(versions)} versions of {package.name}")
        refs: set[str] = set()
        findings: list[Finding] = []
        for version in versions:
            finding = _finding(version)
            if finding.ref in refs:
                continue
            refs.add(finding.ref)
            if known.get(finding.ref) != finding.commit:
                findings.append(finding)
            if len(findings) >= BATCH:
                await deliver(findings)
                findings = []
        if findings:
            await deliver(findings)
        try:
            advisories = tuple(await self._foreign.advisories(package.url, auth, package.name))[:MAX_ADVISORIES]
        except PacketonError as error:
            log(f"{package.url} does not tell its security advisories, so what was known stays: {error}")
            return SourceReport(refs=frozenset(refs))
        return SourceReport(refs=frozenset(refs), advisories=advisories)


@define
class ProxyBuilder:
    """Archives of such packages: downloaded from where they are, or made from the source."""

    _foreign: ForeignRepositories
    _accesses: Accesses
    _checkouts: ICheckouts
    _versions: IVersionRecords
    _bounds: ArchiveBounds
    _in_thread: InThread

    async def build(self, order: Order, destination: Path) -> None:
        """Write the archive. Raises PacketonError."""
        held = await holder_of(order.known, self._versions)
        if held is None:
            raise NotFound("no version has this reference any more")
        document = orjson.loads(held.document)
        dist, source = document.get("dist"), document.get("source")
        credential = await self._accesses.credential(order.package)
        if isinstance(dist, dict) and dist.get("type") == order.format and isinstance(dist.get("url"), str):
            auth = {} if credential is None else auth_sections(credential.composer_auth)
            await self._foreign.download(order.package.url or "", auth, dist["url"], destination)
            await self._in_thread(_checked, destination, dist.get("shasum"), self._bounds)
        elif isinstance(source, dict) and source.get("type") == "git" and isinstance(source.get("url"), str):
            wanted = ArchiveOrder(reference=str(source.get("reference")), format=order.format)
            await self._checkouts.archive(self._accesses.to(source["url"], credential), wanted, destination, _ignore)
        else:
            raise NotFound("the version has no archive")


def _finding(version: JsonObject) -> Finding:
    document = {key: value for key, value in version.items() if key not in NOT_OURS}
    pretty = str(document.get("version") or "")
    commit = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]
    ref = f"version:{pretty[:200]}"
    try:
        document["version_normalized"] = document.get("version_normalized") or normalize(pretty)
    except Invalid as error:
        return Finding(ref=ref, commit=commit, problems=(str(error),))
    reference = _reference(document, pretty)
    source = document.get("source")
    of_source = source.get("reference") if isinstance(source, Mapping) else None
    found = FoundVersion(
        version=document,
        source_reference=str(of_source)[:255] if of_source else None,
        dist_reference=reference,
    )
    return Finding(ref=ref, commit=commit, versions=(found,))


def _reference(document: Mapping[str, Any], pretty: str) -> str | None:
    """Return what stands for a version in our addresses. Source: contract 01 section 6.1."""
    source, dist = document.get("source"), document.get("dist")
    of_source = source.get("reference") if isinstance(source, Mapping) else None
    if isinstance(of_source, str) and COMMIT.fullmatch(of_source):
        return of_source
    if not isinstance(dist, Mapping):
        return None
    facts = [dist.get("type"), dist.get("reference") or of_source, pretty, dist.get("url")]
    return hashlib.sha1(orjson.dumps(facts), usedforsecurity=False).hexdigest()


def _checked(path: Path, shasum: object, bounds: ArchiveBounds) -> None:
    """Look a downloaded archive through. Raises BadContent, Invalid: it is not what the metadata says."""
    with path.open("rb") as file:
        if isinstance(shasum, str) and shasum and hashlib.file_digest(file, "sha1").hexdigest() != shasum.lower():
            raise Invalid("the downloaded archive has another checksum than the metadata says")
        file.seek(0)
        if file.read(2) == b"PK":
            file.seek(0)
            verify_zip(file, bounds)


def _ignore(line: str) -> None:
    """Take a line of a log that nobody reads."""
