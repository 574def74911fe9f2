"""The version objects that repositories of ours publish, in the form of Composer 2 and of Composer 1."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.metadata import JsonObject
from packeton.core.texts import legible

__all__ = ["UNSET", "apply_require_patch", "as_v1", "cleaned_constraint", "version_object"]

PLAIN_KEYS: Final = ("autoload", "extra", "target-dir")
LINK_KEYS: Final = ("require", "require-dev", "suggest", "conflict", "provide", "replace")
OTHER_KEYS: Final = ("support", "funding", "php-ext", "archive")
AUTHOR_KEYS: Final = ("name", "email", "homepage", "role")
DEFAULT_BRANCHES: Final = frozenset({"dev-master", "dev-main", "dev-default", "dev-trunk"})
DEFAULT_BRANCH_V1: Final = "9999999-dev"
UNSET: Final = "unset"
MAX_CHARACTERS: Final = 4096

FLAGGED_BOUND = re.compile(r"([><]=?\s*[^@]+?)@([a-z]+)", re.ASCII | re.IGNORECASE)


def version_object(
    manifest: Mapping[str, Any],
    *,
    version: str,
    version_normalized: str,
    source: Mapping[str, Any] | None,
    dist: Mapping[str, Any] | None,
    time: datetime | None,
    default_branch: bool = False,
) -> JsonObject:
    """
    Return one version as metadata lists it, in the form of Composer 2, without `uid`.

    Args:
        manifest: The document of a validated Manifest.
        version: As the tag or branch is called, `v1.2.0` or `dev-main`.
        source: Left out where None (children of a mono-repository, artifacts).
        dist: Left out where None.
        time: Aware; when it was released.
    """
    result: JsonObject = {
        "name": _text(manifest, "name"),
        "description": legible(_text(manifest, "description")),
        "keywords": [str(keyword) for keyword in _list(manifest.get("keywords"))],
        "homepage": _text(manifest, "homepage"),
        "version": version,
        "version_normalized": version_normalized,
        "license": [str(license_id) for license_id in _list(manifest.get("license"))],
        "authors": _authors(manifest.get("authors")),
        "type": legible(_text(manifest, "type")).lower() or "library",
    }
    for key, place in (("source", source), ("dist", dist)):
        if place is not None:
            result[key] = dict(place)
    if time is not None:
        result["time"] = time.astimezone(UTC).replace(microsecond=0).isoformat()
    lists = {
        "include-path": _list(manifest.get("include-path")),
        "bin": [str(path).lstrip("/") for path in _list(manifest.get("bin"))],
    }
    candidates = {
        **{key: manifest.get(key) for key in PLAIN_KEYS},
        **lists,
        **{key: _links(manifest.get(key), clean=key != "suggest") for key in LINK_KEYS},
        **{key: manifest.get(key) for key in OTHER_KEYS},
    }
    result.update({key: value for key, value in candidates.items() if value})
    if default_branch:
        result["default-branch"] = True
    return result


def _text(manifest: Mapping[str, Any], key: str) -> str:
    value = manifest.get(key)
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    """Return what may be one thing, a list, or an object that stands for a list."""
    if isinstance(value, str):
        return [value] if value else []
    held = list(value.values()) if isinstance(value, dict) else value
    return [one for one in held if isinstance(one, str | int)] if isinstance(held, list) else []


def _authors(value: object) -> list[dict[str, str]]:
    people = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    authors = [
        {key: person[key] for key in AUTHOR_KEYS if isinstance(person.get(key), str) and person[key].strip()}
        for person in people
        if isinstance(person, dict)
    ]
    return [author for author in authors if author]


def _links(value: object, *, clean: bool) -> dict[str, str]:
    links = value.items() if isinstance(value, dict) else ()
    if not clean:
        return {name: text for name, text in links if isinstance(text, str)}
    return {name.lower(): cleaned_constraint(text) for name, text in links if isinstance(text, str)}


def cleaned_constraint(constraint: str) -> str:
    """
    Return a constraint of several parts with `>=1.0@beta` as `>=1.0-beta`, and `@stable` left out.

    Source: contract of the reference; Packagist's Updater.
    """
    if "," not in constraint or "@" not in constraint or len(constraint) > MAX_CHARACTERS:
        return constraint
    return FLAGGED_BOUND.sub(lambda match: match[1] if match[2] == "stable" else f"{match[1]}-{match[2]}", constraint)


def apply_require_patch(version: Mapping[str, Any], patches: Mapping[str, Mapping[str, str]]) -> JsonObject:
    """
    Return a version whose `require` was changed by the first patch that is for it.

    Args:
        patches: Constraint on the version → package → its new constraint, or "unset" to take it out.
    Raises:
        Invalid: A constraint on the version does not parse.
    """
    normalized = str(version["version_normalized"])
    patch = next((patch for text, patch in patches.items() if parse_constraints(text).allows(normalized)), None)
    if patch is None:
        return dict(version)
    require = {**version.get("require", {}), **patch}
    require = {name: constraint for name, constraint in require.items() if constraint != UNSET}
    if "require" not in version:
        return {**version, "require": require} if require else dict(version)
    patched = {key: require if key == "require" else value for key, value in version.items()}
    return {key: value for key, value in patched.items() if key != "require" or value}


def as_v1(version: Mapping[str, Any], uid: int) -> JsonObject:
    """
    Return the form for Composer 1, which knows a default branch as 9999999-dev and wants a number for each version.

    Args:
        uid: Unique in the whole repository.
    """
    result: JsonObject = {}
    for key, value in version.items():
        if key == "version_normalized":
            result[key] = DEFAULT_BRANCH_V1 if value in DEFAULT_BRANCHES else value
            result["version_normalized_v2"] = value
        else:
            result[key] = value
    return {**result, "uid": uid}
