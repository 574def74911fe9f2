"""What an audience sees of a package."""

from collections.abc import Sequence
from itertools import compress

from attrs import frozen

from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Index
from packeton.interfaces.packages import PackageSummary

__all__ = ["View", "view_of"]


@frozen
class View:
    """The versions of a package that are seen. Two of the same `key` are of the same versions."""

    package: PackageSummary
    index: Index
    mask: bytes
    """Stands for `seen`, in few bytes."""
    seen: bytes
    """1 for each version of the index that is seen, else 0."""

    @property
    def key(self) -> tuple[object, ...]:
        """Tell it apart from all others, of this moment and of earlier ones."""
        return (self.package.id, self.package.revision, self.mask)

    @property
    def is_empty(self) -> bool:
        """Say if no version is seen."""
        return 1 not in self.seen

    def ids(self, *, dev: bool | None = None) -> Sequence[int]:
        """Return the ids of the versions that are seen; only of development ones, or only of the others."""
        chosen = compress(self.index.versions, self.seen)
        return [version.id for version in chosen if dev is None or version.is_dev == dev]


def view_of(audience: Audience, package: PackageSummary, index: Index) -> View:
    """Ask what *audience* sees of a package."""
    mask, seen = audience.mask(package, index.facts)
    return View(package, index, mask, seen)
