"""
Composer's minified metadata, "composer/2.0".

Each version lists only what differs from the version before it; a key that went away is the string `__unset`.
Source: composer/metadata-minifier, MetadataMinifier.php.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["MINIFIED", "UNSET", "expanded"]

MINIFIED = "composer/2.0"
UNSET = "__unset"


def expanded(versions: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each version in full; the yielded dicts are the caller's, their values are shared with *versions*."""
    current: dict[str, Any] = {}
    for version in versions:
        current = {key: value for key, value in {**current, **version}.items() if value != UNSET}
        yield dict(current)
