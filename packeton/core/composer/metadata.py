"""Per-package metadata documents (`p2/`): reading them without losing a key, and finding a version's dist."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import md5
from typing import Any

import orjson
from attrs import frozen

from packeton.core.composer.minifier import expanded
from packeton.errors import BadContent

__all__ = [
    "DistSource",
    "JsonObject",
    "VersionSource",
    "check_object",
    "check_package",
    "check_versions",
    "check_writable",
    "find_dist",
    "read_object",
    "read_package",
    "reference_in_url",
    "version_in_url",
    "versions_of",
]

JsonObject = dict[str, Any]


@frozen(kw_only=True)
class VersionSource:
    """Where a version lies under version control."""

    type: str
    url: str
    reference: str


@frozen(kw_only=True)
class DistSource:
    """Where the zip of one version comes from."""

    package: str
    version: str
    """Normalised."""
    pretty_version: str
    type: str
    url: str
    """"" where the version has no dist."""
    reference: str
    shasum: str
    """Hex SHA-1, or "" where upstream gives none."""
    source: VersionSource | None = None
    """Its source at the commit that is wanted."""


def read_object(content: bytes) -> JsonObject:
    """Parse a JSON object. Raises BadContent saying what is wrong with it, without its content."""
    try:
        document = orjson.loads(content)
    except ValueError as error:
        kind = "an HTML page" if content.lstrip()[:1] == b"<" else "broken JSON"
        raise BadContent(f"{kind} instead of a JSON document") from error
    if not isinstance(document, dict):
        raise BadContent("a JSON document that is not an object")
    return document


def check_writable(document: JsonObject) -> None:
    """See that a document can be written again when we change it. Blocking; raises BadContent."""
    try:
        orjson.dumps(document)
    except TypeError as error:  # reading takes 1024 levels, writing 254
        raise BadContent("a JSON document that is nested too deeply") from error


def check_object(content: bytes) -> None:
    """See that this is a JSON object that we could change. Blocking; raises BadContent."""
    check_writable(read_object(content))


def check_package(content: bytes) -> None:
    """See that this is a document of packages that we could change. Blocking; raises BadContent."""
    document = read_package(content)
    check_writable(document)
    check_versions(document.get("packages") or {})


def check_versions(packages: Mapping[str, Any]) -> None:
    """See that packages have versions that are objects. Raises BadContent."""
    for versions in packages.values():
        listed = versions.values() if isinstance(versions, dict) else versions
        if not isinstance(listed, Iterable) or not all(isinstance(version, dict) for version in listed):
            raise BadContent("a JSON document with versions that are no objects")


def read_package(content: bytes) -> JsonObject:
    """Parse a `p2/` document: an object with `packages`. Raises BadContent."""
    document = read_object(content)
    packages = document.get("packages")
    if packages == []:  # PHP's empty map
        return document
    if not isinstance(packages, dict):
        raise BadContent("a JSON document without packages")
    for versions in packages.values():
        if not isinstance(versions, list | dict):
            raise BadContent("a JSON document whose packages hold no versions")
    return document


def versions_of(document: Mapping[str, Any], name: str) -> Iterator[JsonObject]:
    """Yield the versions of package *name* in full, from a p2, p or root document; entries that are no objects not."""
    packages = document.get("packages")
    versions = packages.get(name, ()) if isinstance(packages, Mapping) else ()
    listed: Sequence[Any] = list(versions.values()) if isinstance(versions, Mapping) else list(versions)
    objects = [version for version in listed if isinstance(version, dict)]
    yield from expanded(objects) if "minified" in document else (dict(version) for version in objects)


def version_in_url(version: str) -> str:
    """
    Return the form in which Composer puts a version into a mirror URL: an MD5 where it has a slash.

    Source: Composer's Util/ComposerMirror.php.
    """
    return md5(version.encode(), usedforsecurity=False).hexdigest() if "/" in version else version


def reference_in_url(reference: str) -> str:
    """Return the form in which Composer puts a reference into a mirror URL: an MD5 where it is not hexadecimal."""
    if not reference or all(character in "0123456789abcdefABCDEF" for character in reference):
        return reference
    return md5(reference.encode(), usedforsecurity=False).hexdigest()


def find_dist(versions: Iterable[Mapping[str, Any]], version: str, reference: str) -> DistSource | None:
    """
    Find the dist that a mirror URL means, by the values as they stand in it.

    The order of preference: dist reference and version; source reference and version; dist reference; source
    reference; version. Where only the version fits (an older commit of a branch, from a lock file), the URL is kept
    only if the wanted reference can be put into it in the other's place: never are bytes of one commit given for
    another. A version without a dist is found by its source.
    """
    found: list[tuple[int, Mapping[str, Any]]] = []
    for candidate in versions:
        dist = candidate.get("dist")
        if not isinstance(dist, dict) or not isinstance(dist.get("url"), str):
            dist = {}
        if dist or isinstance(candidate.get("source"), dict):
            rank = _rank(candidate, dist, version, reference)
            if rank is not None:
                found.append((rank, candidate))
    if not found:
        return None
    rank, best = min(found, key=lambda pair: pair[0])
    return _dist_source(best, reference, by_version_only=rank == VERSION_ONLY)


VERSION_ONLY = 4
DEFAULT_BRANCH = "9999999-dev"
DEFAULT_BRANCHES = frozenset({"dev-master", "dev-trunk", "dev-default"})


def _rank(candidate: Mapping[str, Any], dist: Mapping[str, Any], version: str, reference: str) -> int | None:
    source = candidate.get("source")
    normalized = str(candidate.get("version_normalized") or candidate.get("version") or "")
    names = {normalized, str(candidate.get("version") or "")}
    if names & DEFAULT_BRANCHES:
        names |= {DEFAULT_BRANCH}  # what Composer 1 takes them for
    same_version = version in names or version in map(version_in_url, names)
    of_dist = reference == reference_in_url(_text(dist, "reference"))
    source_reference = reference_in_url(_text(source, "reference")) if isinstance(source, dict) else ""
    of_source = bool(reference) and reference == source_reference
    if of_dist and same_version:
        return 0
    if of_source and same_version:
        return 1
    if reference and of_dist:
        return 2
    if of_source:
        return 3
    return VERSION_ONLY if same_version else None


def _dist_source(version: Mapping[str, Any], reference: str, *, by_version_only: bool) -> DistSource | None:
    told = version.get("dist")
    dist: Mapping[str, Any] = told if isinstance(told, dict) else {}
    url, own = _text(dist, "url"), _text(dist, "reference")
    shasum = _text(dist, "shasum")
    if by_version_only and reference:
        url, shasum = url.replace(own, reference) if own and own in url else "", ""
    source = _source_at(version.get("source"), reference or own)
    if not url and source is None:
        return None
    return DistSource(
        package=_text(version, "name"),
        version=str(version.get("version_normalized") or version.get("version") or ""),
        pretty_version=_text(version, "version"),
        type=_text(dist, "type") or "zip",
        url=url,
        reference=reference or own,
        shasum=shasum.lower(),
        source=source,
    )


def _source_at(source: Any, reference: str) -> VersionSource | None:
    """Return a version's source at the commit that *reference* means, as it stands in a URL; None where none does."""
    if not isinstance(source, dict) or not isinstance(source.get("url"), str):
        return None
    own = _text(source, "reference")
    if reference in {"", reference_in_url(own)}:
        reference = own
    elif not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", reference):
        return None
    return VersionSource(type=_text(source, "type"), url=source["url"], reference=reference) if reference else None


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
