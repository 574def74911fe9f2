"""Making tokens: their secrets are returned once, and never again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from attrs import field, frozen

from packeton.core.access.accounts import Account, Token, TokenKind
from packeton.core.access.identities import Role, Scope, with_implied
from packeton.core.access.tokens import Random, accepted_secret, mint, shown, token_digest
from packeton.errors import Invalid, NotFound
from packeton.interfaces.accounts import ITokenRecords
from packeton.interfaces.clocks import Now
from packeton.interfaces.keys import Keys

__all__ = ["Issued", "TokenIssuing", "offered_scopes"]

MAX_LABEL: Final = 191
MAX_TOKENS: Final = 200
"""Tokens of one user."""
NEEDED: Final = {
    Scope.METADATA: Role.USER,
    Scope.MIRROR_READ: Role.USER,
    Scope.MIRROR_ALL: Role.USER,
    Scope.WEBHOOKS: Role.MAINTAINER,
    Scope.FEEDS: Role.MAINTAINER,
    Scope.PACKAGES_READ: Role.MAINTAINER,
    Scope.PACKAGES_ALL: Role.MAINTAINER,
    Scope.USERS: Role.ADMIN,
    Scope.GROUPS: Role.ADMIN,
}


@frozen(kw_only=True)
class Issued:
    """A new token with its secret."""

    token: Token
    secret: str = field(repr=False)


def offered_scopes(roles: Iterable[str]) -> list[Scope]:
    """Return the scopes that a user with these roles may give a token; a scope never gives a role."""
    held = with_implied(roles)
    return [scope for scope, role in NEEDED.items() if role in held]


@frozen
class TokenIssuing:
    """Makes and revokes tokens."""

    _tokens: ITokenRecords
    _keys: Keys
    _now: Now
    _random: Random

    async def api_token(self, user_id: int, secret: str | None = None) -> Issued:
        """
        Give a user a new API token in place of the old one.

        Args:
            secret: One that was made elsewhere.

        Raises:
            Invalid: *secret* cannot be used. Conflict: it is somebody's already. NotFound: no such user.
        """
        return await self._issue(TokenKind.API, "API token", secret, owner=user_id)

    async def personal(
        self,
        account: Account,
        name: str,
        scopes: Iterable[str] | None,
        expires_at: datetime | None = None,
        secret: str | None = None,
    ) -> Issued:
        """
        Make a personal access token.

        Args:
            scopes: None: whatever the owner may do. Those that the owner's roles do not offer are refused.

        Raises:
            Invalid: name, scopes, date or *secret* cannot be used. Conflict: *secret* is somebody's already.
        """
        name = self._sound(name, expires_at)
        owner = None if account.user is None else account.user.id
        if len(await self._tokens.of_owner(owner, account.name)) >= MAX_TOKENS:
            raise Invalid(f"a user has at most {MAX_TOKENS} tokens")
        return await self._issue(
            TokenKind.PERSONAL,
            name,
            secret,
            scopes=None if scopes is None else _checked(scopes, account),
            expires_at=expires_at,
            owner=owner,
            user_identifier=None if owner is not None else account.name,
        )

    async def hook(self, name: str, expires_at: datetime | None = None, secret: str | None = None) -> Issued:
        """Make a token for the hooks of a forge, which opens nothing else. Raises as `personal`."""
        name = self._sound(name, expires_at)
        if len(await self._tokens.of_hooks()) >= MAX_TOKENS:
            raise Invalid(f"there are at most {MAX_TOKENS} tokens of hooks")
        scopes = frozenset({str(Scope.WEBHOOKS)})
        return await self._issue(TokenKind.HOOK, name, secret, scopes=scopes, expires_at=expires_at, owner=None)

    async def revoke(self, token_id: int, account: Account | None = None) -> None:
        """Revoke a token, of *account* where it is given. Raises NotFound."""
        token: Token | None = await self._tokens.get(token_id)
        if token is None or (account is not None and not _belongs(token, account)):
            raise NotFound("no such token")
        await self._tokens.remove(token_id)

    def _sound(self, name: str, expires_at: datetime | None) -> str:
        """Return the name as it is kept. Raises Invalid: it, or the date, cannot be used."""
        name = name.strip()
        if not name or len(name) > MAX_LABEL or not name.isprintable():
            raise Invalid(f"a token needs a name of 1 to {MAX_LABEL} characters")
        if expires_at is not None and expires_at <= self._now():
            raise Invalid("the token would have expired already")
        return name

    async def _issue(
        self,
        kind: TokenKind,
        name: str,
        secret: str | None,
        *,
        owner: int | None,
        user_identifier: str | None = None,
        scopes: frozenset[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Issued:
        secret = mint(kind, self._random) if secret is None else accepted_secret(kind, secret)
        token = Token(
            id=0,
            kind=kind,
            name=name,
            shown=shown(secret),
            scopes=scopes,
            owner=owner,
            user_identifier=user_identifier,
            created_at=self._now(),
            expires_at=expires_at,
        )
        made = await self._tokens.create(token, token_digest(self._keys("tokens"), secret))
        return Issued(token=made, secret=secret)


def _belongs(token: Token, account: Account) -> bool:
    if account.user is None:
        return token.owner is None and token.user_identifier == account.name
    return token.owner == account.user.id


def _checked(scopes: Iterable[str], account: Account) -> frozenset[str]:
    offered = set(offered_scopes(account.roles))
    chosen = frozenset(scopes)
    for scope in sorted(chosen):
        if scope not in set(Scope):
            raise Invalid(f"{scope[:40]!r} is no scope: {', '.join(Scope)}")
        if scope not in offered:
            raise Invalid(f"the scope {scope} is not for the roles of {account.name}")
    if not chosen:
        raise Invalid("a token needs at least one scope")
    return frozenset(str(scope) for scope in chosen)
