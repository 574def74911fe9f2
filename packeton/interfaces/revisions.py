"""The port to numbers that move when something changed, so that every process notices within a second."""

from enum import StrEnum

from zope.interface import Interface

__all__ = ["IRevisions", "Subject"]


class Subject(StrEnum):
    """What may change."""

    ACCESS = "access"
    """Users, groups, tokens, sub-repositories."""
    PACKAGES = "packages"
    CACHE = "cache"
    """What is stored of upstreams."""


class IRevisions(Interface):
    """
    One number a subject. What was derived from a subject holds while its number stays.

    Read the number *before* reading what is derived from it: a change in between is then noticed.
    """

    def current(subject: str) -> int:
        """Return the number as last seen: at most a second old, and never behind a change made in this process."""

    async def bump(subject: str) -> int:
        """Move the number on, for everybody; return it. Raises StorageFailed."""

    async def refresh() -> None:
        """Look at what other processes changed. Raises StorageFailed."""
