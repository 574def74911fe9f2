"""Stored versions → the documents of both generations. Pure; some of it takes long: off the reactor thread."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from attrs import frozen

from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.minifier import MINIFIED, minified
from packeton.core.composer.packages import as_v1
from packeton.core.composer.versions import version_key
from packeton.interfaces.packages import PackageSummary, StoredVersion, VersionDocument

__all__ = [
    "HOST",
    "DistRules",
    "addressed",
    "p2_document",
    "published",
    "v1_document",
    "v1_joined",
    "v1_piece",
]

DIST, ABANDONED = b'"dist":', b'"abandoned":'
"""Keys of a stored version that may have to be replaced."""
Stored = StoredVersion | VersionDocument
HOST = "__host_unset__"
"""Stands in documents for the address under which the client reaches us. Source: the reference."""


@frozen(kw_only=True)
class DistRules:
    """What clients are told about zips. See `packeton.archive` and `packeton.archive_options`."""

    enabled: bool = False
    replace: bool = False
    """Every version's dist is ours; otherwise only where there is no other."""
    mirror: bool = False
    """The root tells Composer to ask us first."""
    format: str = "zip"
    endpoint: str | None = None
    """The address in dist URLs, in place of the one the client used; without a slash at the end."""
    addresses: str = ""
    """Stands for the settings by which our address is found out: with another one all documents count as changed,
    because a client whose copy holds addresses of before would keep them."""

    def fingerprint(self, body: bytes) -> str:
        """Return what tells the contents of a document apart, but for the address at which they are read."""
        return sha256(body + self.addresses.encode()).hexdigest()


def published(
    stored: Stored, package: PackageSummary, rules: DistRules, checksums: Mapping[str, str]
) -> JsonObject:
    """
    Return a version as Composer 2 gets it.

    Args:
        checksums: SHA-1 of archives that were built, by `<dist reference>.<kind>`.
    """
    version: JsonObject = orjson.loads(stored.document)
    return {**version, **_ours(version.get("dist"), stored, package, rules, checksums)}


def _ours(
    own: Any, stored: Stored, package: PackageSummary, rules: DistRules, checksums: Mapping[str, str]
) -> JsonObject:
    """Return what stands in a published version in place of, or besides, what its source says."""
    ours: JsonObject = {}
    reference = stored.dist_reference
    if reference is not None and (rules.replace or package.repo_type.has_own_dist):
        ours["dist"] = _our_dist(own, package, reference, rules, checksums)
    if package.abandoned:
        ours["abandoned"] = package.replacement or True
    return ours


def _our_dist(
    own: Any, package: PackageSummary, reference: str, rules: DistRules, checksums: Mapping[str, str]
) -> JsonObject:
    kept = own if package.repo_type.has_own_dist and isinstance(own, dict) else {}
    kind = kept.get("type") or rules.format
    dist = {
        "type": kind,
        "url": f"{rules.endpoint or HOST}/zipball/{package.name}/{reference}.{kind}",
        "reference": reference,
    }
    shasum = kept.get("shasum") or checksums.get(f"{reference}.{kind}")
    return {**dist, "shasum": shasum} if shasum else dist


def p2_document(
    package: PackageSummary,
    versions: Sequence[Stored],
    rules: DistRules,
    checksums: Mapping[str, str],
    advisories: Sequence[JsonObject] = (),
) -> bytes:
    """Return a `p2/` document of these versions, newest first; without advisories it says nothing of any."""
    ordered = sorted(versions, key=lambda stored: version_key(stored.normalized), reverse=True)
    objects = [published(stored, package, rules, checksums) for stored in ordered]
    known = {"security-advisories": advisories} if advisories else {}
    return orjson.dumps({"packages": {package.name: minified(objects)}, "minified": MINIFIED, **known})


def v1_document(
    package: PackageSummary, versions: Sequence[Stored], rules: DistRules, checksums: Mapping[str, str]
) -> bytes:
    """Return a `p/` document of these versions, newest first; of equal ones, in the order in which they come."""
    ordered = sorted(versions, key=lambda stored: version_key(stored.normalized), reverse=True)
    return v1_joined(package.name, [v1_piece(stored, package, rules, checksums) for stored in ordered])


def v1_joined(name: str, pieces: Iterable[bytes]) -> bytes:
    """Return a `p/` document of rendered versions."""
    return b'{"packages":{' + orjson.dumps(name) + b":{" + b",".join(pieces) + b"}}}"


def v1_piece(
    stored: Stored, package: PackageSummary, rules: DistRules, checksums: Mapping[str, str]
) -> bytes:
    """Return a version in a `p/` document, with its key, put together out of the stored bytes where that can be."""
    return orjson.dumps(stored.version) + b":" + _v1_object(stored, package, rules, checksums)


def addressed(body: bytes, base: str) -> bytes:
    """Put our address, as this client sees it, into a document."""
    return body.replace(HOST.encode(), base.encode())


def _v1_object(
    stored: Stored, package: PackageSummary, rules: DistRules, checksums: Mapping[str, str]
) -> bytes:
    """Return a version as Composer 1 gets it; what only adds keys is appended without reading the document."""
    document = stored.document
    if stored.is_default or stored.is_dev or DIST in document or ABANDONED in document:
        return orjson.dumps(as_v1(published(stored, package, rules, checksums), stored.id))
    added = _ours(None, stored, package, rules, checksums) | {
        "version_normalized_v2": stored.normalized,
        "uid": stored.id,
    }
    return document[:-1] + b"," + orjson.dumps(added)[1:]
