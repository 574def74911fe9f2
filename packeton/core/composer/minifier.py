"""
Composer's minified metadata, "composer/2.0".

Each version lists only what differs from the version before it; a key that went away is the string `__unset`.
Source: composer/metadata-minifier, MetadataMinifier.php.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["MINIFIED", "UNSET", "expanded", "minified"]

MINIFIED = "composer/2.0"
UNSET = "__unset"
MISSING: Final = object()


def expanded(versions: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each version in full; the yielded dicts are the caller's, their values are shared with *versions*."""
    current: dict[str, Any] = {}
    for version in versions:
        current = {key: value for key, value in {**current, **version}.items() if value != UNSET}
        yield dict(current)


def minified(versions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return what each version adds to, changes in and takes from the one before it; the first in full.

    The inverse of expanded() for versions whose values are neither None, which this form cannot tell from nothing, nor
    `__unset`. Values are shared with *versions*.
    """
    differences: list[dict[str, Any]] = []
    known: dict[str, Any] = {}
    for version in versions:
        if not known:
            known = dict(version)
            differences.append(dict(version))
            continue
        difference = {
            key: value for key, value in version.items() if value is None or not _same(known.get(key, MISSING), value)
        }
        known.update(difference)
        for key in [key for key in known if version.get(key) is None]:
            difference[key] = UNSET
            del known[key]
        differences.append(difference)
    return differences


def _same(left: Any, right: Any) -> bool:
    """Compare as PHP's `===`: 1, 1.0 and true differ, and so does the order of keys."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(_same, left.values(), right.values()))
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
