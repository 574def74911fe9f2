"""Users, groups, tokens and sub-repositories, as they are kept."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import md5

from attrs import field, frozen

from packeton.core.access.identities import Grant, Identity, with_implied

__all__ = ["Account", "AclLine", "Group", "Subrepo", "Token", "TokenKind", "User", "earliest"]


@frozen(kw_only=True)
class User:
    """One user of our own. Days (`expires_at`, `updates_until`) are kept as midnight UTC."""

    id: int
    name: str
    """As it was chosen; unique without regard to case."""
    email: str
    """Unique without regard to case."""
    enabled: bool = True
    password: str | None = field(default=None, repr=False)
    """A hash that `core.access.passwords` reads; None: no password opens this account."""
    salt: str | None = field(default=None, repr=False)
    """Of the reference's oldest hashes."""
    roles: frozenset[str] = frozenset()
    """As given, without what they imply."""
    groups: tuple[int, ...] = ()
    expires_at: datetime | None = None
    """The end of access."""
    updates_until: datetime | None = None
    """The freeze: no versions released after it."""
    subrepos: tuple[int, ...] = (0,)
    """Sub-repositories that may be used, 0 for the root; the first one is where the user starts."""
    external_id: str | None = None
    """`alias:<remote id>` of a login by another system."""
    failure_notifications: bool = True
    totp_secret: str | None = field(default=None, repr=False)
    """Sealed."""
    totp_confirmed_at: datetime | None = None
    totp_recovery: tuple[str, ...] = field(default=(), repr=False)
    """Digests of the recovery codes that are left."""
    reset_digest: bytes | None = field(default=None, repr=False)
    """Of the token in the last reset or invitation mail."""
    reset_requested_at: datetime | None = None
    created_at: datetime
    last_login_at: datetime | None = None

    @property
    def picture(self) -> str:
        """Return the address of the user's picture at gravatar.com, as the reference gives it."""
        digest = md5(self.email.strip().lower().encode(), usedforsecurity=False).hexdigest()
        return f"https://www.gravatar.com/avatar/{digest}?d=identicon"


@frozen(kw_only=True)
class AclLine:
    """A package or pattern that a group may read, and which versions of it."""

    package: str
    """`acme/a`, `acme/*` or `*`."""
    constraint: str | None = None
    min_stability: str | None = None
    """None: the group's."""


@frozen(kw_only=True)
class Group:
    """Customers who may read the same."""

    id: int
    name: str
    updates_until: datetime | None = None
    """The freeze for the group's packages; it comes before the user's own."""
    min_stability: str | None = None
    mirrors: tuple[str, ...] = ()
    lines: tuple[AclLine, ...] = ()

    def grants(self) -> list[Grant]:
        """Return the lines with what holds for the whole group."""
        return [
            Grant(
                package=line.package,
                constraint=line.constraint,
                updates_until=self.updates_until,
                min_stability=line.min_stability or self.min_stability,
            )
            for line in self.lines
        ]


class TokenKind(StrEnum):
    """What a token is."""

    API = "api"
    """The one that belongs to a user's name, with all the user's rights."""
    PERSONAL = "personal"
    """`pat_…`: one of many, with scopes."""
    HOOK = "hook"
    """`whk_…`: of a forge, which is no user, for its hooks only."""


@frozen(kw_only=True)
class Token:
    """A credential of a user; of the secret itself only a keyed digest is kept."""

    id: int
    kind: TokenKind
    name: str
    """What its owner calls it."""
    shown: str
    """How the secret begins: enough to recognise it, too little to use it."""
    scopes: frozenset[str] | None = None
    """None: all."""
    owner: int | None = None
    """The user's id; None for a user of another system, who is then `user_identifier`, and for hooks."""
    user_identifier: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    used_count: int = 0
    used_at: datetime | None = None
    used_from: str | None = None
    used_agent: str | None = None


@frozen(kw_only=True)
class Subrepo:
    """A named subset of the packages, reached by slug, by host or by choice."""

    id: int
    name: str
    slug: str
    hosts: tuple[str, ...] = ()
    packages: frozenset[str] = frozenset()
    """Names and patterns."""
    public: bool = False
    """Anybody sees all versions of its packages."""
    markup: str | None = None
    """Of the landing page, as an administrator wrote it: sanitise before use."""


@frozen(kw_only=True)
class Account:
    """Who somebody is: a user of our own with its groups, or a name and roles that another system vouches for."""

    name: str
    roles: frozenset[str]
    user: User | None = None
    groups: tuple[Group, ...] = ()

    @classmethod
    def of(cls, user: User, groups: Sequence[Group]) -> "Account":
        """Return the account of a user of our own."""
        return cls(name=user.name, roles=user.roles, user=user, groups=tuple(groups))

    def is_open(self, now: datetime) -> bool:
        """Say if the account is enabled and has not expired."""
        user = self.user
        return user is None or (user.enabled and (user.expires_at is None or now < user.expires_at))

    def identity(
        self, method: str, *, scopes: frozenset[str] | None = None, valid_until: datetime | None = None
    ) -> Identity:
        """Return the caller that this account is, when recognised by *method*."""
        user = self.user
        return Identity(
            name=self.name,
            user_id=None if user is None else user.id,
            roles=with_implied(self.roles),
            scopes=scopes,
            grants=tuple(grant for group in self.groups for grant in group.grants()),
            updates_until=None if user is None else user.updates_until,
            mirrors=frozenset(alias for group in self.groups for alias in group.mirrors),
            subrepos=None if user is None else user.subrepos,
            method=method,
            valid_until=earliest(valid_until, None if user is None else user.expires_at),
        )


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the first of the moments that there are."""
    return min((moment for moment in moments if moment is not None), default=None)
