"""
Patches of an administrator to one version of a mirrored package's metadata.

Source: contract of the reference, mirrors section 8; PHP's array_merge() and array_merge_recursive().
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson

from packeton.core.composer.manifest_rules import ManifestCheck
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.versions import normalize
from packeton.errors import Invalid

__all__ = ["PatchStrategy", "check_patch", "patched"]

MAX_BYTES = 256 * 1024
REQUIRED = ("name", "version", "version_normalized")


class PatchStrategy(Enum):
    """How a patch is put onto a version."""

    MERGE = "merge"
    """Its keys take the place of the version's."""
    MERGE_RECURSIVE = "merge_recursive"
    """Objects are merged at any depth, lists are joined, and two values become a list."""
    REPLACE = "replace"
    """It is the version."""


def patched(version: Mapping[str, Any], strategy: PatchStrategy, patch: Mapping[str, Any]) -> JsonObject:
    """Return what a patch makes of a version; values may be shared with both."""
    if strategy is PatchStrategy.REPLACE:
        return dict(patch)
    if strategy is PatchStrategy.MERGE:
        return {**version, **patch}
    merged = _merged(dict(version), dict(patch))
    return merged if isinstance(merged, dict) else {}


def check_patch(version: Mapping[str, Any], strategy: PatchStrategy, patch: object) -> JsonObject:
    """
    Return what a patch makes of a version, if that can be served.

    Raises:
        Invalid: The patch is no object or too large, or its result lacks or changes what the version is known by
            (`name`, `version_normalized`), or is not what Composer accepts; the text lists Composer's messages.
    """
    if not isinstance(patch, dict):
        raise Invalid("a patch is a JSON object")
    try:
        if len(orjson.dumps(patch)) > MAX_BYTES:
            raise Invalid(f"a patch is larger than {MAX_BYTES} bytes")
    except orjson.JSONEncodeError as error:
        raise Invalid("a patch that is nested too deeply") from error
    result = patched(version, strategy, patch)
    missing = [key for key in REQUIRED if not isinstance(result.get(key), str) or not result[key]]
    if missing:
        raise Invalid(f"after the patch there is no {' and no '.join(missing)}")
    if any(result[key] != version.get(key) for key in ("name", "version_normalized")):
        raise Invalid("a patch cannot change which version of which package it is for")
    normalize(result["version"])
    check = ManifestCheck(result)
    check.run()
    if check.errors:
        raise Invalid("\n".join(check.errors))
    return result


def _merged(left: Any, right: Any) -> Any:
    """Merge two objects or lists as array_merge_recursive() does with PHP's arrays, which are both at once."""
    if isinstance(left, list) and (isinstance(right, list) or not right):
        return [*left, *right]
    result = dict(left) if isinstance(left, dict) else {str(key): value for key, value in enumerate(left)}
    if isinstance(right, list):
        for value in right:
            _append(result, value)
        return result
    for key, value in right.items():
        if key not in result:
            result[key] = value
            continue
        ours = result[key] if isinstance(result[key], dict | list) else [result[key]]
        result[key] = _merged(ours, value if isinstance(value, dict | list) else [value])
    return result


def _append(held: dict[str, Any], value: Any) -> None:
    numbers = (int(key) for key in held if key.isascii() and key.isdigit())
    held[str(max(numbers, default=-1) + 1)] = value
