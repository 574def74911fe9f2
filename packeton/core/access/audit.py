"""
The audit trail of a user: which logins and tokens were used, from where.

Events that say the same are one entry with a count. Source: the reference's merging rules, with its retention mended.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from attrs import evolve, field, frozen
from attrs.converters import optional

__all__ = ["KEPT_PER_USER", "MAX_DOWNLOADS", "AuditEntry", "AuditEvent", "Source", "masked", "merge"]

KEPT_PER_USER: Final = 50
LOOKED_AT: Final = 4
"""Newest entries that an event may merge into."""
QUIET: Final = timedelta(seconds=10)
"""An event that soon after the same one is not counted."""
MAX_TEXT: Final = 512
MAX_DOWNLOADS: Final = 20
MIN_MASKED: Final = 8


class Source(StrEnum):
    """What was used."""

    SESSION = "New Session"
    REMEMBER_ME = "Remember me"
    API_TOKEN = "Api Token"  # noqa: S105  # the reference's word
    DOWNLOADS = "Downloads"


def _cut(text: str) -> str:
    return text[:MAX_TEXT]


@frozen(kw_only=True)
class AuditEvent:
    """One use, or one failed attempt. What comes from clients is cut to what is kept."""

    user_id: int | None
    """None: a user of another system, who is then `name`."""
    name: str
    source: str
    success: bool
    at: datetime
    address: str
    agent: str = field(default="", converter=_cut)
    token: str | None = None
    """Masked."""
    error: str | None = field(default=None, converter=optional(_cut))
    downloads: tuple[str, ...] = ()
    claimed: bool = False
    """The name is only what somebody said: to be kept where a user of ours has it, and dropped else."""

    @property
    def key(self) -> tuple[object, ...]:
        """What is equal in events that may merge."""
        return (self.user_id, self.name, self.source, self.address, self.token)


@frozen(kw_only=True)
class AuditEntry:
    """What is kept: one or several events that say the same."""

    id: int
    event: AuditEvent
    """The newest of them."""
    count: int = 1
    first_at: datetime


def masked(secret: str) -> str:
    """Return how a token is shown: its first two characters, five when it has an underscore, and the last one."""
    if len(secret) < MIN_MASKED:
        return "***"
    return f"{secret[: 5 if '_' in secret else 2]}***{secret[-1]}"


def merge(newest: Sequence[AuditEntry], event: AuditEvent) -> AuditEntry | None:
    """
    Return the entry that *event* is to be kept as: one of *newest* with its count moved, or a new one with the id 0.

    None when the same was noted less than ten seconds before.
    """
    for entry in newest[:LOOKED_AT]:
        if entry.event.key == event.key and entry.event.success == event.success:
            if event.at - entry.event.at < QUIET and not set(event.downloads) - set(entry.event.downloads):
                return None
            names = dict.fromkeys((*event.downloads, *entry.event.downloads))
            return evolve(
                entry, event=evolve(event, downloads=tuple(names)[:MAX_DOWNLOADS]), count=entry.count + 1
            )
    return AuditEntry(id=0, event=evolve(event, downloads=event.downloads[:MAX_DOWNLOADS]), first_at=event.at)
