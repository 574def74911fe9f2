"""Sessions of the web pages, and the cookie that outlives them, as they are kept."""

import hashlib
from datetime import datetime

from attrs import field, frozen

from packeton.core.access.accounts import User

__all__ = ["MAX_AGENT", "Remembered", "Session", "cookie_digest", "password_mark"]

MAX_AGENT = 512


def cookie_digest(value: str) -> str:
    """Return what is kept of a cookie: it has 256 random bits, so a fast hash hides it."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def password_mark(user: User | None) -> str:
    """
    Return what stands for the user's password: sessions with another mark are over.

    So whoever sets a password, on whatever way, signs the user out everywhere.
    """
    stored = "" if user is None else user.password or ""
    return hashlib.sha256(f"mark {stored}".encode()).hexdigest()[:16]


@frozen(kw_only=True)
class Session:
    """Somebody who signed in on the pages."""

    digest: str = field(repr=False)
    """Of the cookie."""
    user_id: int | None
    """None: a user of another system, who is then `name`."""
    name: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    """The end, whatever happens."""
    address: str
    agent: str
    method: str = "password"
    """`password`, `remembered` or the name of another system."""
    pending: bool = False
    """The password was right and the second factor is still to come: this opens nothing."""
    remember: bool = False
    """Of a pending one: to be remembered once complete."""
    roles: tuple[str, ...] = ()
    """Of a user of another system, as last heard."""
    heard_at: datetime | None = None
    """When the other system was last asked for the roles."""
    mark: str = field(default="", repr=False)
    """`password_mark` of the user when the session began."""
    repository: int | None = None
    """The sub-repository that was chosen, 0 for the root; None: none was."""


@frozen(kw_only=True)
class Remembered:
    """A browser that may sign in without a password. Each use gives it a new secret."""

    series: str
    """Stays, so that an old secret of it is recognised: that is a stolen cookie."""
    digest: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    """The digest before the last use; good for a moment more, for requests that were on their way together."""
    rotated_at: datetime
    user_id: int | None
    name: str
    mark: str = field(default="", repr=False)
    """`password_mark` of the user when the browser was remembered."""
    expires_at: datetime
    address: str
    agent: str
