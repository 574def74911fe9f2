"""The ports to sessions, remembered browsers and used one-time codes. Every method may raise StorageFailed."""

from collections.abc import Callable, Sequence
from datetime import datetime

from zope.interface import Interface

from packeton.core.access.sessions import Remembered, Session

__all__ = ["ISessionRecords"]


class ISessionRecords(Interface):
    """
    Sessions and remembered browsers, by the digest of their cookies.

    They belong to a user of our own by id, or to one of another system by name; deleting a user ends them.
    """

    async def find(digest: str) -> Session | None:
        """Return a session, or None."""

    async def add(session: Session) -> None:
        """Insert one. Raises NotFound: the user is gone."""

    async def change(digest: str, change: Callable[[Session], Session]) -> Session | None:
        """
        Keep what *change* makes of a session as it is stored now; return that, or None where it has ended.

        Nobody else changes it in between. *change* is brief, and not called on the reactor's thread.
        """

    async def remove(digest: str) -> None:
        """End one, if there is one."""

    async def remove_all(user_id: int | None, name: str, *, but: str | None = None) -> int:
        """End all of a user but the one with digest *but*, and forget its browsers; return how many sessions."""

    async def of_user(user_id: int | None, name: str) -> Sequence[Session]:
        """Return a user's complete sessions, last seen first; at most 50."""

    async def listing(limit: int, offset: int = 0) -> Sequence[Session]:
        """Return complete sessions of all users, last seen first."""

    async def expire(seen_before: datetime, now: datetime) -> int:
        """Delete sessions and remembered browsers that ended; return how many."""

    async def remembered(series: str) -> Remembered | None:
        """Return a remembered browser, or None."""

    async def remember(browser: Remembered, *, was: str | None = None) -> bool:
        """Insert, or with *was* replace the one with this digest; say if that happened."""

    async def forget(series: str) -> None:
        """Forget a browser, if it is remembered."""

    async def use_code(user_id: int, counter: int) -> bool:
        """Mark a one-time code as used; say if neither it nor a later one was used before."""
