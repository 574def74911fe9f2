"""Users of our own: made, changed, deleted, with what a form or a command line may get wrong."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import fields_dict, frozen

from packeton.core.access.accounts import Account, User
from packeton.core.access.passwords import Passwords, check_password
from packeton.errors import Invalid, InvalidFields, NotFound
from packeton.features.access.issuing import Issued, TokenIssuing
from packeton.interfaces.accounts import ISubrepoRecords, IUserRecords
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.sessions import ISessionRecords

__all__ = ["People", "fallback_email"]

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,191}")
RESERVED: Final = frozenset({"token"})
"""What clients send instead of a name."""
EMAIL: Final = re.compile(r"[^@\s\x00-\x1f<>\"(),:;\\]+@[^@\s\x00-\x1f<>\"(),:;\\]+")
MAX_EMAIL: Final = 191
ROLE: Final = re.compile(r"ROLE_[A-Z0-9_]{1,60}")


def fallback_email(name: str) -> str:
    """Return the address of a user of whom none is known, as the reference has it."""
    return f"{name}@example.com"


@frozen
class People:
    """Makes and changes users."""

    _users: IUserRecords
    _subrepos: ISubrepoRecords
    _issuing: TokenIssuing
    _passwords: Passwords
    _in_thread: InThread
    _now: Now
    _sessions: ISessionRecords

    async def create(
        self, name: str, *, password: str | None = None, api_token: str | None = None, **values: Any
    ) -> tuple[User, Issued]:
        """
        Make a user with an API token.

        Args:
            password: In clear; None: none opens the account.
            api_token: One that was made elsewhere.
            values: Other fields of `User`.

        Raises:
            InvalidFields: what cannot be used. Conflict: name or address are taken, or the token is somebody's.
        """
        values = {"email": fallback_email(name), **values}
        wrong = _wrong_fields({"name": name, **values}, password)
        if wrong:
            raise InvalidFields(wrong)
        await self._check_subrepos(values)
        hashed = None if password is None else await self._in_thread(self._passwords.hash, password)
        user = await self._users.create(User(id=0, name=name, password=hashed, created_at=self._now(), **values))
        try:
            return user, await self._issuing.api_token(user.id, api_token)
        except BaseException:
            await self._users.remove(user.id)
            raise

    async def change(
        self,
        user_id: int,
        changes: Mapping[str, Any],
        *,
        password: str | None = None,
        roles: Callable[[frozenset[str]], frozenset[str]] | None = None,
    ) -> User:
        """
        Set these fields of a user; the name stays. A new password signs the user out everywhere.

        Args:
            changes: By the names of `User`.
            password: In clear.
            roles: What becomes of the roles that the user has then.

        Raises:
            InvalidFields, NotFound, Conflict: the address is taken.
        """
        changes = {name: value for name, value in changes.items() if name != "name"}
        wrong = _wrong_fields(changes, password)
        if wrong:
            raise InvalidFields(wrong)
        await self._check_subrepos(changes)
        if password is not None:
            hashed = await self._in_thread(self._passwords.hash, password)
            changes |= {"password": hashed, "salt": None, "reset_digest": None}

        def changing(held: User) -> Mapping[str, Any]:
            if roles is None:
                return changes
            chosen = roles(changes.get("roles", held.roles))
            if unfit := _wrong_fields({"roles": chosen - held.roles}, None):
                raise InvalidFields(unfit)
            return {**changes, "roles": chosen}

        changed: User = await self._users.change(user_id, changing)
        if password is not None:
            await self._sessions.remove_all(user_id, changed.name)
        return changed

    async def remove(self, user_id: int) -> None:
        """Delete a user with all its tokens. Raises NotFound."""
        if not await self._users.remove(user_id):
            raise NotFound("no such user")

    async def named(self, name: str) -> Account:
        """Return a user by name or address. Raises NotFound, which says which name."""
        account: Account | None = await self._users.find(name)
        if account is None:
            raise NotFound(f"there is no user {name[:100]}")
        return account

    async def first(self, name: str, password: str, email: str | None) -> User | None:
        """Make an administrator unless somebody has this name; return it, or None."""
        if await self._users.find(name) is not None:
            return None
        user, _ = await self.create(
            name, password=password, email=email or fallback_email(name), roles=frozenset({"ROLE_ADMIN"})
        )
        return user

    async def _check_subrepos(self, values: Mapping[str, Any]) -> None:
        wanted = [number for number in values.get("subrepos", ()) if number != 0]
        if wanted:
            there = {one.id for one in await self._subrepos.listing()}
            missing = [number for number in wanted if number not in there]
            if missing:
                raise InvalidFields({"subReposView": f"there is no sub-repository {missing[0]}"})


def _wrong_fields(values: Mapping[str, Any], password: str | None) -> dict[str, str]:
    """Return what is wrong, by the field's name in the API."""
    wrong: dict[str, str] = {}
    unknown = set(values) - set(fields_dict(User))
    if unknown:
        raise TypeError(f"no fields of a user: {unknown}")
    name = values.get("name")
    if name is not None and (NAME.fullmatch(name) is None or name.lower() in RESERVED):
        wrong["username"] = "only letters, digits, hyphens and underscores, at most 191, and not the word token"
    email = values.get("email")
    if email is not None and "username" not in wrong and (len(email) > MAX_EMAIL or EMAIL.fullmatch(email) is None):
        wrong["email"] = "this is no e-mail address"
    for role in values.get("roles", ()):
        if ROLE.fullmatch(role) is None:
            wrong["roles"] = f"{role[:60]!r} is no role: ROLE_ and capital letters"
    if password is not None:
        try:
            check_password(password)
        except Invalid as error:
            wrong["plainPassword"] = str(error)
    return wrong
