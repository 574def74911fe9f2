"""
One package for Composer 1 and for Composer 2, and what a mirror changes of it on its way to a client.

Composer 2 reads `p2/` documents: lists of versions, branches apart from the rest, minified. Composer 1 reads one map
from pretty version to version, in which each has a `uid` that no other version of the repository has, and where the
branches `master`, `trunk` and `default` are version 9999999-dev. Keys of a document that are not `packages` go with it.
Source: Composer 2's ComposerRepository::loadAsyncPackages; Composer 1's ComposerRepository::whatProvides.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from packeton.core.composer.dists import with_built_dist, with_our_dist
from packeton.core.composer.metadata import JsonObject, reference_in_url, versions_of
from packeton.core.composer.minifier import MINIFIED, UNSET, expanded, minified
from packeton.core.composer.versions import stability_of

__all__ = ["Edits", "edited", "first_generation", "is_branch", "second_generation", "with_uid"]

DEFAULT_BRANCH = "9999999-dev"
OLD_DEFAULTS = re.compile(r"(?:dev-)?(?:master|trunk|default)", re.IGNORECASE)
Patch = Callable[[str, Sequence[JsonObject]], Sequence[JsonObject]]


@frozen(kw_only=True)
class Edits:
    """What is changed in every version of a package."""

    mirror_url: str | None = None
    """Dist URLs lead below this address; None leaves them."""
    hide_source: bool = False
    """`source` goes, where there is a dist; with `mirror_url` a version that has none gets one, built by us."""
    shasums: Mapping[tuple[str, str], str] = field(factory=dict)
    """SHA-1 of dists that we hold, by (normalised version, reference as it stands in a mirror's URL)."""
    patched: Patch | None = None

    def __bool__(self) -> bool:
        return bool(self.mirror_url is not None or self.hide_source or self.shasums or self.patched)

    def apply(self, name: str, versions: Sequence[JsonObject]) -> list[JsonObject]:
        """Return the changed versions of package *name*; the given ones stay as they are."""
        if self.patched is not None:
            versions = self.patched(name, versions)
        return [self._one(name, version) for version in versions]

    def _one(self, name: str, version: JsonObject) -> JsonObject:
        if self.mirror_url is not None:
            version = with_built_dist(version) if self.hide_source else version
            version = with_our_dist(version, name, self.mirror_url)
        dist = version.get("dist")
        if not isinstance(dist, dict):
            return version
        reference = reference_in_url(_text(dist.get("reference")))
        sha1 = self.shasums.get((_normalized(version), reference)) if self.shasums else None
        if sha1 is not None and not dist.get("shasum"):
            version = {**version, "dist": {**dist, "shasum": sha1}}
        if self.hide_source and "source" in version:
            version = {key: value for key, value in version.items() if key != "source"}
        return version


def edited(document: Mapping[str, Any], edits: Edits) -> JsonObject:
    """Return a p2, p or root document with *edits* made in every version; what was minified is so again."""
    packages = document.get("packages")
    if not isinstance(packages, Mapping):
        return dict(document)
    small = "minified" in document
    full = {name: _edited(name, packages[name], edits, small=small) for name in packages}
    return _packed({**document, "packages": full}) if small else {**document, "packages": full}


def _edited(name: str, versions: Any, edits: Edits, *, small: bool) -> Any:
    keys = list(versions) if isinstance(versions, Mapping) else None
    listed = list(versions.values()) if isinstance(versions, Mapping) else versions
    if not isinstance(listed, list) or not all(isinstance(version, dict) for version in listed):
        return versions  # nothing that Composer could read
    result = edits.apply(name, list(expanded(listed)) if small else listed)
    if keys is None or len(keys) != len(result):
        return result
    return dict(zip(keys, result, strict=True))


def _packed(document: JsonObject) -> JsonObject:
    """Return a document of full versions in its minified form; as it is where that form would lose something."""
    result: JsonObject = {}
    for name, versions in document["packages"].items():
        listed = list(versions.values()) if isinstance(versions, Mapping) else versions
        whole = isinstance(listed, list) and all(isinstance(version, dict) for version in listed)
        if not whole or any(None in version.values() or UNSET in version.values() for version in listed):
            return {key: value for key, value in document.items() if key != "minified"}
        result[name] = minified(listed)
    return {**document, "packages": result, "minified": MINIFIED}


def is_branch(version: Mapping[str, Any]) -> bool:
    """Say if a version is of stability "dev"."""
    return stability_of(_text(version.get("version")) or _text(version.get("version_normalized"))) == "dev"


def second_generation(documents: Sequence[Mapping[str, Any]], name: str, edits: Edits, *, dev: bool) -> JsonObject:
    """Return the `p2/` document of a package out of documents for Composer 1."""
    chosen = [version for document in documents for version in versions_of(document, name) if is_branch(version) is dev]
    versions = [_for_second(version) for version in chosen]
    return _packed({**_others(documents), "packages": {name: edits.apply(name, versions)}})


def first_generation(documents: Sequence[Mapping[str, Any]], name: str, edits: Edits) -> JsonObject:
    """Return the one document of a package for Composer 1 out of its `p2/` documents, the stable versions first."""
    full = [version for document in documents for version in versions_of(document, name)]
    versions = {
        _text(version.get("version")): with_uid(_for_first(version), name) for version in edits.apply(name, full)
    }
    return {**_others(documents), "packages": {name: versions}}


def with_uid(version: JsonObject, name: str) -> JsonObject:
    """
    Return a version with a `uid`, its own if it has one.

    Composer 1 takes two versions of one uid for the same; ours comes from name and version, so it is the same each
    time, and so large that none meets another (nor one of upstream's, which count from 1).
    """
    if "uid" in version:
        return version
    digest = sha256(f"{name} {version.get('version')}".encode()).digest()
    return {**version, "uid": int.from_bytes(digest[:6], "big") | 1 << 48}


def _for_second(version: JsonObject) -> JsonObject:
    result = {key: value for key, value in version.items() if key not in {"uid", "version_normalized_v2"}}
    normalized = version.get("version_normalized_v2", version.get("version_normalized"))
    if normalized == DEFAULT_BRANCH:
        pretty = _text(version.get("version"))
        normalized = pretty if pretty.startswith("dev-") else f"dev-{pretty}"
    if normalized is not None:
        result["version_normalized"] = normalized
    return result


def _for_first(version: JsonObject) -> JsonObject:
    if OLD_DEFAULTS.fullmatch(_text(version.get("version_normalized"))):
        return {**version, "version_normalized": DEFAULT_BRANCH}
    return version


def _others(documents: Iterable[Mapping[str, Any]]) -> JsonObject:
    """Return what the documents hold besides versions; of two, the first one's where both have it."""
    others: JsonObject = {}
    for document in documents:
        for key, value in document.items():
            if key not in {"packages", "minified"}:
                others.setdefault(key, value)
    return others


def _normalized(version: Mapping[str, Any]) -> str:
    return _text(version.get("version_normalized")) or _text(version.get("version"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
