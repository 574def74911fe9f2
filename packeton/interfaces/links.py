"""The port to what packages say of each other, and to finding them by words."""

from collections.abc import Sequence
from datetime import datetime

from attrs import field, frozen
from zope.interface import Interface

__all__ = ["DevelopmentVersion", "IFeedRecords", "ILinkRecords", "ISearchRecords", "NewPackage", "NewRelease"]


@frozen
class DevelopmentVersion:
    """A development version as it is stored."""

    package_id: int
    version: str
    normalized: str
    released_at: datetime | None
    document: bytes = field(repr=False)


class ILinkRecords(Interface):
    """What versions require. Methods may raise StorageFailed."""

    async def development(package_ids: Sequence[int]) -> Sequence[DevelopmentVersion]:
        """Return the development versions of some packages, at most a few hundred."""


class ISearchRecords(Interface):
    """Finding packages. Methods may raise StorageFailed."""

    async def matching(words: Sequence[str], type_: str | None, limit: int) -> Sequence[str]:
        """
        Return the names of packages in whose name or description all *words* stand, without regard to case: names
        that are or begin with the words first, then by installs, then by name.
        """


@frozen
class NewPackage:
    """A package, as feeds tell of it."""

    name: str
    description: str
    created_at: datetime


@frozen
class NewRelease:
    """A version, as feeds tell of it."""

    name: str
    description: str
    """Of the package."""
    version: str
    normalized: str
    released_at: datetime
    document: bytes = field(repr=False)


class IFeedRecords(Interface):
    """What is new, newest first. Methods may raise StorageFailed."""

    async def packages(skip: int, limit: int) -> Sequence[NewPackage]:
        """Return packages that are not abandoned."""

    async def releases(until: datetime, vendor: str, name: str, skip: int, limit: int) -> Sequence[NewRelease]:
        """Return versions that are no development versions: of one package, of a vendor, or with neither of all."""
