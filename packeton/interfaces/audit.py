"""The ports to the audit trail: where events go, and what keeps them."""

from collections.abc import Sequence

from zope.interface import Interface

from packeton.core.access.audit import AuditEntry, AuditEvent

__all__ = ["IAuditRecords", "IAuditTrail"]


class IAuditTrail(Interface):
    """Takes events on the hot path: returns at once, and never fails."""

    def note(event: AuditEvent) -> None:
        """Keep *event* soon; when too many are waiting, or the same was just noted, it is dropped."""

    async def flush() -> None:
        """Write down what was noted: before somebody looks."""


class IAuditRecords(Interface):
    """The trail in the database. Every method may raise StorageFailed."""

    async def add(given: Sequence[AuditEvent]) -> None:
        """Keep events, oldest first, merged into the entries there are; each user keeps its newest 50."""

    async def of_user(user_id: int | None, name: str) -> Sequence[AuditEntry]:
        """Return a user's entries, newest first."""

    async def newest(limit: int) -> Sequence[AuditEntry]:
        """Return entries of all users, newest first."""
