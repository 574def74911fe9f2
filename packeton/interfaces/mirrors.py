"""The ports to what is decided about mirrors, and to the state of their synchronisation."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum

from zope.interface import Interface

from packeton.core.caching.decisions import (
    Choices,
    Listed,
    MirrorCounts,
    MirrorPackage,
    MirrorPatch,
    SyncState,
    Wish,
)

__all__ = ["IMirrorRecords", "ISyncRecords", "Which"]


class Which(Enum):
    """A kind of packages of a mirror."""

    ALL = "all"
    ENABLED = "enabled"
    APPROVED = "approved"
    WAITING = "waiting"
    """Asked for, and not approved."""


class IMirrorRecords(Interface):
    """
    Choices, packages and patches by a mirror's alias. Every method may raise StorageFailed.

    Names are lower case and at most 191 characters. Whatever changes what is served moves the mirror's revision.
    """

    async def revisions() -> Mapping[str, int]:
        """Return the revision of every mirror that has one; cheap, made to be called every second."""

    async def choices(alias: str) -> Choices:
        """Return what was chosen, or the defaults."""

    async def choose(alias: str, choices: Choices) -> None:
        """Keep choices."""

    async def find(alias: str, name: str) -> MirrorPackage | None:
        """Return one package, or None."""

    async def packages(alias: str, which: Which, after: str = "", limit: int = 1000) -> Sequence[MirrorPackage]:
        """Return at most *limit* packages of a kind, by name, past *after*."""

    async def counts(alias: str) -> MirrorCounts:
        """Count packages."""

    async def enable(alias: str, names: Iterable[str], at: datetime) -> int:
        """Note that these are used; return how many were not before. Moves no revision."""

    async def approve(alias: str, names: Iterable[str], at: datetime) -> int:
        """Approve (and enable) these; return how many were not approved before."""

    async def disapprove(alias: str, names: Iterable[str]) -> int:
        """Take approvals back; return how many there were. The packages stay enabled."""

    async def remove(alias: str, names: Iterable[str]) -> int:
        """Forget these packages: neither enabled, approved nor waiting; return how many there were."""

    async def requested(alias: str, requests: Mapping[str, int], at: datetime) -> None:
        """Note how often names were asked for in vain."""

    async def patches(alias: str) -> Sequence[MirrorPatch]:
        """Return all patches, by name and version."""

    async def patch(alias: str, patch: MirrorPatch) -> None:
        """Insert or replace by name and version."""

    async def unpatch(alias: str, name: str, version: str | None = None) -> int:
        """Remove the patch of a version, or all of a package; return how many there were."""


class ISyncRecords(Interface):
    """The state of synchronisations, and upstream's names. Every method may raise StorageFailed."""

    async def state(alias: str) -> SyncState:
        """Return the state; the initial one where there is none."""

    async def save(alias: str, state: SyncState) -> None:
        """Keep the state."""

    async def claim(alias: str, owner: str, now: datetime, lease: timedelta) -> str | None:
        """
        Take the mirror's lock, or keep it, for *lease*.

        Returns:
            None when *owner* has it now; else who has it.
        """

    async def holder(alias: str, now: datetime) -> str | None:
        """Return who has the lock."""

    async def release(alias: str, owner: str) -> None:
        """Give the lock back, if *owner* has it."""

    async def wish(alias: str, wish: Wish) -> None:
        """Ask whoever synchronises for a run; a reset is not weakened by an update."""

    async def wishes(*, take: bool) -> Mapping[str, Wish]:
        """Return what is asked for, by alias; with *take* they are taken back."""

    async def listed(alias: str, run: int, names: Sequence[Listed]) -> None:
        """Note that upstream lists these in this run; at most some thousand a call. What was fetched stays noted."""

    async def drop_unlisted(alias: str, run: int) -> int:
        """Forget names that upstream did not list in this run; return how many there were."""

    async def due(alias: str, run: int, after: str = "", limit: int = 500) -> Sequence[Listed]:
        """Return names past *after*, in order, whose digest is not the fetched one, or that have none."""

    async def fetched(alias: str, run: int, names: Sequence[Listed]) -> None:
        """Note that the metadata of these was fetched."""

    async def totals(alias: str, run: int) -> tuple[int, int]:
        """Return how many names upstream lists, and how many of them are due."""

    async def names(alias: str, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Return names that upstream lists, in order, past *after*."""

    async def forget(alias: str) -> None:
        """Forget upstream's names and what was fetched of them."""
