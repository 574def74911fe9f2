"""
The ports to users, groups, tokens and sub-repositories.

Every method may raise StorageFailed. Every change moves `Subject.ACCESS` in the same transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from zope.interface import Interface

from packeton.core.access.accounts import Account, Group, Subrepo, Token, TokenKind, User

__all__ = [
    "IGroupRecords",
    "ISubrepoRecords",
    "ITokenRecords",
    "IUserProvider",
    "IUserRecords",
    "TokenOwner",
    "TokenUse",
    "UserChange",
]


UserChange = Mapping[str, Any] | Callable[[User], Mapping[str, Any]]


class IUserProvider(Interface):
    """Somewhere that users come from: our database, LDAP."""

    async def find(name: str) -> Account | None:
        """Return who has this name, or None; with our own users also by e-mail address."""


class IUserRecords(IUserProvider):
    """Our own users. Names and e-mail addresses are compared without regard to case."""

    async def find(name: str) -> Account | None:
        """Return the user by e-mail address if the text looks like one, else (or if none) by name; or None."""

    async def get(user_id: int) -> Account | None:
        """Return the user with its groups, or None."""

    async def by_reset(digest: bytes) -> Account | None:
        """Return the user whose reset or invitation token has this digest, or None."""

    async def listing(
        limit: int = 25, offset: int = 0, *, without_admins: bool = False, search: str | None = None
    ) -> Sequence[User]:
        """Return users by id; *search* is looked for in names and addresses."""

    async def count(*, without_admins: bool = False) -> int:
        """Return how many there are."""

    async def create(user: User) -> User:
        """Insert; the id of *user* does not count. Raises Conflict: name or address are taken. Invalid: no group."""

    async def change(user_id: int, changes: UserChange) -> User:
        """
        Set these fields (of `User`; also `groups`), and return the user.

        A function gets the user as it is stored now, and nobody else changes it in between; it is brief, not called on
        the reactor's thread, and what it raises leaves all as it was.

        Raises NotFound, Conflict: name or address are taken. Invalid: a group that is not there.
        """

    async def remove(user_id: int) -> bool:
        """Delete a user with its tokens; say if there was one."""

    async def noted_login(user_id: int, at: datetime) -> None:
        """Set `last_login_at`; moves no revision."""


class IGroupRecords(Interface):
    """Customer groups."""

    async def get(group_id: int) -> Group | None:
        """Return one, or None."""

    async def find(name: str) -> Group | None:
        """Return one by its exact name, or None."""

    async def listing(limit: int = 25, offset: int = 0) -> Sequence[Group]:
        """Return groups by id."""

    async def of_package(package: str) -> Sequence[Group]:
        """Return the groups with a line of exactly this package, by id."""

    async def members(group_id: int) -> Sequence[User]:
        """Return the users in it, by id."""

    async def create(group: Group) -> Group:
        """Insert; the id of *group* does not count. Raises Conflict: the name is taken."""

    async def replace(before: Group, after: Group) -> bool:
        """
        Put *after*, with lines and mirrors, in the place of what is stored under its id.

        Returns False when that is not *before* any more; nothing happens then. Raises Conflict: the name is taken.
        """

    async def remove(group_id: int) -> bool:
        """Delete one; say if there was one."""

    async def rename_package(old: str, new: str | None) -> int:
        """Give the lines of exactly the package *old* its new name, or drop them; return how many there were."""


@frozen(kw_only=True)
class TokenOwner:
    """A token, and whose it is."""

    token: Token
    account: Account | None
    """None: the owner is a user of another system, by `token.user_identifier`; or it is a hook's."""


@frozen(kw_only=True)
class TokenUse:
    """What happened to a token since it was last told."""

    token_id: int
    count: int
    at: datetime
    address: str
    agent: str


class ITokenRecords(Interface):
    """API tokens, personal access tokens and tokens of hooks, by keyed digest."""

    async def by_digest(digest: bytes) -> TokenOwner | None:
        """Return the token with its owner, or None; one query whether or not there is one."""

    async def get(token_id: int) -> Token | None:
        """Return one, or None."""

    async def of_owner(owner: int | None, user_identifier: str | None = None) -> Sequence[Token]:
        """Return the tokens of a user, by id."""

    async def of_hooks() -> Sequence[Token]:
        """Return the tokens of hooks, by id."""

    async def create(token: Token, digest: bytes) -> Token:
        """
        Insert; the id of *token* does not count. An API token takes the place of its owner's former one.

        Raises Conflict: there is a token with this digest. NotFound: there is no such owner.
        """

    async def remove(token_id: int) -> bool:
        """Revoke one; say if there was one."""

    async def remove_all(owner: int, kind: TokenKind | None = None) -> int:
        """Revoke all of a user, or those of a kind; return how many."""

    async def used(uses: Iterable[TokenUse]) -> None:
        """Add up what was used; moves no revision."""


class ISubrepoRecords(Interface):
    """Sub-repositories."""

    async def get(subrepo_id: int) -> Subrepo | None:
        """Return one, or None."""

    async def find(slug: str) -> Subrepo | None:
        """Return one by its slug, or None."""

    async def listing() -> Sequence[Subrepo]:
        """Return all, by id."""

    async def create(subrepo: Subrepo) -> Subrepo:
        """Insert; the id of *subrepo* does not count. Raises Conflict: slug or host are taken."""

    async def replace(before: Subrepo, after: Subrepo) -> bool:
        """
        Put *after* in the place of what is stored under its id.

        Returns False when that is not *before* any more; nothing happens then. Raises Conflict: slug or host are taken.
        """

    async def remove(subrepo_id: int) -> bool:
        """Delete one; say if there was one."""

    async def add_package(subrepo_id: int, package: str) -> None:
        """Put a package in. Raises NotFound."""

    async def rename_package(old: str, new: str | None) -> int:
        """Give the package its new name wherever it is listed by name, or drop it; return in how many."""
