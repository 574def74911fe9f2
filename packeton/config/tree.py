"""The tree that configuration files merge into, with where each value came from."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from packeton.errors import ConfigurationInvalid

__all__ = ["Tree"]

SECRETIVE: Final = re.compile(r"(?i)passw|token|secret|auth|basic|url|proxy|key|logo|dsn|\boptions\b|header")


@define
class Tree:
    """Merged configuration: plain values, and `file:line` by dotted path."""

    values: dict[str, Any] = field(factory=dict)
    origins: dict[str, str] = field(factory=dict)
    from_environment: set[str] = field(factory=set)
    """Paths of values that environment variables are part of: what they hold is not told."""

    def merge(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        """Merge *values* over what is there: maps deeply, everything else replaces."""
        _merge(self.values, values)
        self.origins.update(origins)

    def merge_below(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        """Merge what is there over *values*."""
        below = Tree()
        below.merge(values, origins)
        below.merge(self.values, self.origins)
        self.values, self.origins = below.values, below.origins

    def is_secret(self, path: str) -> bool:
        """Say if what stands at *path* must not be repeated, going by its names and where it or a part came from."""
        return SECRETIVE.search(path.partition(".")[2]) is not None or any(
            _is_within(path, other) or _is_within(other, path) for other in self.from_environment
        )

    def invalid(self, path: str, message: str) -> ConfigurationInvalid:
        """Return the error for what stands at *path*, with its file and line."""
        place = self.origins.get(path)
        return ConfigurationInvalid(f"{path}: {message}" + (f" ({place})" if place else ""))

    def mapping(self, path: str, value: Any) -> dict[str, Any]:
        """Return *value*, which stands at *path*; {} for nothing. Raises ConfigurationInvalid: it is no map."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.invalid(path, "must be a map")
        return value


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
