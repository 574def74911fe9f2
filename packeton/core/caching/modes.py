"""What a mirror lets be seen: full or lazy, strict or not, allow-lists, and names that are ours alone."""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from attrs import field, frozen

__all__ = ["AllowList", "Mode", "ReservedVendors", "interval_of"]


class Mode(StrEnum):
    """How a mirror comes by metadata."""

    FULL = "full"
    """All of it is fetched ahead."""
    LAZY = "lazy"
    """A package's is fetched when it is first asked for; what was is kept fresh."""


def interval_of(mode: Mode, *, changes: bool, v2: bool) -> timedelta:
    """
    Return how often a mirror is synchronised when nobody said.

    Args:
        changes: Upstream tells what changed.
        v2: Upstream has a metadata-url.
    """
    if mode is Mode.FULL:
        return timedelta(days=1)
    if changes:
        return timedelta(minutes=5)
    return timedelta(minutes=30) if v2 else timedelta(hours=2)


def _set(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.lower() for value in values)


def _lowered(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)


@frozen(kw_only=True)
class AllowList:
    """Names, and shell globs over them (`*` also stands for slashes); an empty list allows everything."""

    names: frozenset[str] = field(default=(), converter=_set)
    patterns: tuple[str, ...] = field(default=(), converter=_lowered)

    def admits(self, name: str) -> bool:
        """Say if *name* (lower case) is on the list."""
        if not self:
            return True
        return name in self.names or any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def __bool__(self) -> bool:
        return bool(self.names or self.patterns)


@frozen(kw_only=True)
class ReservedVendors:
    """
    Vendors whose packages never come from a mirror, so that nobody can publish one under our name elsewhere.

    A vendor is exact (`acme`) or a glob (`acme-*`); an exception is a package name, a glob over names, or a vendor.
    """

    vendors: tuple[str, ...] = field(default=(), converter=_lowered)
    exceptions: tuple[str, ...] = field(default=(), converter=_lowered)

    def cover(self, name: str) -> bool:
        """Say if the package *name* (lower case) is ours alone."""
        vendor = name.partition("/")[0]
        if not any(fnmatchcase(vendor, reserved) for reserved in self.vendors):
            return False
        return not any(fnmatchcase(name if "/" in one else vendor, one) for one in self.exceptions)
