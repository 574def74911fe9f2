"""Recognising API tokens, personal access tokens and tokens of hooks."""

from attrs import define
from zope.interface import implementer

from packeton.core.access.accounts import Account, Token, TokenKind
from packeton.core.access.identities import Identity, Role, Scope, with_implied
from packeton.core.access.tokens import SecretKind, has_checksum, recognise, token_digest
from packeton.errors import BadCredentials
from packeton.interfaces.accounts import ITokenRecords, IUserProvider, TokenOwner
from packeton.interfaces.authentication import Credentials, IAuthenticator, Verified
from packeton.interfaces.clocks import Now
from packeton.interfaces.keys import FormerKeys, Keys, no_former

__all__ = ["TokenAuthenticator"]

METHODS = {TokenKind.API: "api-token", TokenKind.PERSONAL: "token"}


@implementer(IAuthenticator)
@define
class TokenAuthenticator:
    """
    Looks a token up by its keyed digest: one query, whoever it belongs to and whether or not there is one; one more
    for each previous secret of the installation.

    `_users` says which roles users of other systems have now.
    """

    _tokens: ITokenRecords
    _users: IUserProvider
    _keys: Keys
    _now: Now
    _former: FormerKeys = no_former

    async def identify(self, credentials: Credentials) -> Verified | None:
        """Return who it is."""
        kind = recognise(credentials.username, credentials.secret)
        if kind is SecretKind.JWT:
            return None
        found = await self._found(credentials.secret)
        if found is None or found.token.kind.value != kind.value:
            raise BadCredentials("there is no such token", name=credentials.username)
        if found.token.kind is TokenKind.HOOK:
            return Verified(identity=self._of_hook(found.token), token_id=found.token.id)
        account = found.account
        if account is None and found.token.user_identifier is not None:
            account = await self._users.find(found.token.user_identifier)
        if account is None or not _is_named(credentials, kind, account):
            raise BadCredentials("the token belongs to somebody else", name=credentials.username)
        token = found.token
        if not account.is_open(self._now()):
            raise BadCredentials("the account is disabled or has expired", name=account.name)
        self._check_end(token, account.name)
        identity = account.identity(METHODS[token.kind], scopes=token.scopes, valid_until=token.expires_at)
        return Verified(identity=identity, token_id=token.id)

    def _of_hook(self, token: Token) -> Identity:
        """Return who a hook is: nobody of ours, with the reference's name and roles."""
        name = f"token_hooks{token.id}"
        self._check_end(token, name)
        return Identity(
            name=name,
            roles=with_implied({Role.MAINTAINER}),
            scopes=frozenset({Scope.WEBHOOKS}),
            method="hook",
            valid_until=token.expires_at,
        )

    def _check_end(self, token: Token, name: str) -> None:
        if token.expires_at is not None and self._now() >= token.expires_at:
            raise BadCredentials("the token has expired", name=name)

    async def _found(self, secret: str) -> TokenOwner | None:
        """Look with the key of today, then with those of before, so that a new APP_SECRET ends no token."""
        for key in (self._keys("tokens"), *self._former("tokens")):
            found: TokenOwner | None = await self._tokens.by_digest(token_digest(key, secret))
            if found is not None:
                return found
        return None


def _is_named(credentials: Credentials, kind: SecretKind, account: Account) -> bool:
    """Say if the name that was sent is the owner's; a token that tells its kind needs none."""
    if credentials.names_nobody:
        return kind is SecretKind.PERSONAL or has_checksum(credentials.secret) or credentials.username == account.name
    if kind is SecretKind.PERSONAL:
        return credentials.username == account.name
    given = (credentials.username or "").lower()
    return given == account.name.lower() or (account.user is not None and given == account.user.email.lower())
