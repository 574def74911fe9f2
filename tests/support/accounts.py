"""Users of our own in a database in memory, for what builds on them."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from packeton.adapters.database.audit import AuditRecords
from packeton.adapters.database.connection import Database
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.sessions import SessionRecords
from packeton.adapters.database.users import UserRecords
from packeton.core.access.accounts import Account, User
from packeton.features.access.sessions import Sessions
from tests.support.store import MemoryCache

__all__ = ["MemoryAccounts", "settled"]


class MemoryAccounts(MemoryCache):
    """Records, and sessions on them."""

    def __init__(self, elsewhere: Any = (), database: Database | None = None) -> None:
        super().__init__()
        if database is not None:
            self.database = database
        numbers = count()
        self.users = UserRecords(self.database, Revisions(self.database))
        self.session_records = SessionRecords(self.database)
        self.audit_records = AuditRecords(self.database)
        self.sessions = Sessions(
            records=self.session_records,
            users=self.users,
            elsewhere=elsewhere,
            now=self.now,
            random=lambda: f"{next(numbers):043d}",
        )

    def user(self, name: str = "ann", **fields: Any) -> Account:
        """Insert a user and return its account."""
        fields = {"email": f"{name}@example.com", "created_at": datetime(2026, 1, 1, tzinfo=UTC), **fields}
        user = settled(self.users.create(User(id=0, name=name, **fields)))
        found = settled(self.users.get(user.id))
        assert found is not None
        return found


def settled(coroutine: Any) -> Any:
    """Return what *coroutine* returns; it must not wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
