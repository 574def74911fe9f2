"""Who calls: roles, scopes and what was granted, as far as decisions need them."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Final

from attrs import frozen

__all__ = ["ANONYMOUS", "Grant", "Identity", "Role", "Scope", "with_implied"]


class Role(StrEnum):
    """The roles that decisions know; other names are kept as labels."""

    USER = "ROLE_USER"
    FULL_CUSTOMER = "ROLE_FULL_CUSTOMER"
    MAINTAINER = "ROLE_MAINTAINER"
    ADMIN = "ROLE_ADMIN"
    SUPER_ADMIN = "ROLE_SUPER_ADMIN"
    UPDATE_PACKAGES = "ROLE_UPDATE_PACKAGES"
    EDIT_PACKAGES = "ROLE_EDIT_PACKAGES"
    DELETE_PACKAGES = "ROLE_DELETE_PACKAGES"


class Scope(StrEnum):
    """What a personal access token opens."""

    METADATA = "metadata"
    MIRROR_READ = "mirror:read"
    MIRROR_ALL = "mirror:all"
    WEBHOOKS = "webhooks"
    FEEDS = "feeds"
    PACKAGES_READ = "packages:read"
    PACKAGES_ALL = "packages:all"
    USERS = "users"
    GROUPS = "groups"


IMPLIED: Final[dict[str, tuple[str, ...]]] = {
    "ROLE_SUPERADMIN": (Role.ADMIN,),  # as the reference's own configuration spells it
    Role.SUPER_ADMIN: (Role.ADMIN,),
    Role.ADMIN: (Role.MAINTAINER, Role.EDIT_PACKAGES, Role.DELETE_PACKAGES),
    Role.MAINTAINER: (Role.FULL_CUSTOMER, Role.UPDATE_PACKAGES),
    Role.FULL_CUSTOMER: (Role.USER,),
}
WIDER: Final[dict[str, str]] = {Scope.MIRROR_READ: Scope.MIRROR_ALL, Scope.PACKAGES_READ: Scope.PACKAGES_ALL}
"""The scope that holds another one."""


def with_implied(roles: Iterable[str]) -> frozenset[str]:
    """Return *roles* and all that they imply; everybody who signed in is a USER."""
    found: set[str] = {Role.USER}
    waiting = list(roles)
    while waiting:
        role = waiting.pop()
        found.add(str(role))
        waiting += IMPLIED.get(role, ())
    return frozenset(found)


@frozen(kw_only=True, cache_hash=True)
class Grant:
    """One line of a customer group: a package, or a pattern of packages, and which versions of it."""

    package: str
    """`acme/a`, `acme/*` or `*`."""
    constraint: str | None = None
    """A Composer constraint; None: all versions."""
    updates_until: datetime | None = None
    """The group's freeze: no versions released after it."""
    min_stability: str | None = None


@frozen(kw_only=True, slots=False)
class Identity:
    """A caller, as verified."""

    name: str
    user_id: int | None = None
    roles: frozenset[str] = frozenset()
    """With all that they imply; empty only for anonymous callers."""
    scopes: frozenset[str] | None = None
    """None: the credential is not limited."""
    grants: tuple[Grant, ...] = ()
    updates_until: datetime | None = None
    """The user's own freeze."""
    mirrors: frozenset[str] = frozenset()
    """Aliases that the user's groups allow."""
    subrepos: tuple[int, ...] | None = None
    """Ids of sub-repositories that may be used, 0 for the root; None: nothing was said."""
    method: str = "anonymous"
    """How they were recognised: anonymous, session, api-token, token, jwt, hook."""
    valid_until: datetime | None = None
    """When the account or the credential ends; the day itself does not count any more."""

    @property
    def is_anonymous(self) -> bool:
        """Say if nobody signed in."""
        return not self.roles

    def has(self, role: str) -> bool:
        """Say if the caller has *role*, directly or by another that implies it."""
        return role in self.roles

    @cached_property
    def is_full(self) -> bool:
        """Say if the caller sees every version of every package."""
        return Role.FULL_CUSTOMER in self.roles

    @cached_property
    def acl_class(self) -> str:
        """A short text; callers with the same one see the same packages and versions at the same moment."""
        if self.is_full:
            return "full"
        if self.is_anonymous and not self.grants:
            return "anonymous"
        kind = "anonymous" if self.is_anonymous else "external" if self.user_id is None else "user"
        facts = repr((kind, sorted(set(self.grants), key=repr), self.updates_until))
        return sha256(facts.encode()).hexdigest()[:24]

    def allows(self, scope: str) -> bool:
        """Say if the credential opens what needs *scope*; a wider scope holds the narrower one."""
        return self.scopes is None or scope in self.scopes or WIDER.get(scope) in self.scopes

    def grants_for(self, package: str) -> tuple[Grant, ...]:
        """Return the grants whose package or pattern is, or covers, the package of this name."""
        index = self._index
        if not index:
            return ()
        vendor = package.partition("/")[0]
        return index.get(package, ()) + index.get(f"{vendor}/*", ()) + index.get("*", ())

    def is_granted(self, package: str) -> bool:
        """Say if `grants_for` the package of this name has any; asked of all packages for each list of them."""
        index = self._index
        return package in index or "*" in index or f"{package.partition('/')[0]}/*" in index

    @cached_property
    def _index(self) -> dict[str, tuple[Grant, ...]]:
        index: dict[str, tuple[Grant, ...]] = {}
        for grant in dict.fromkeys(self.grants):
            index[grant.package] = (*index.get(grant.package, ()), grant)
        return index


ANONYMOUS = Identity(name="")
