"""Recognising and making JSON web tokens."""

from datetime import timedelta

from attrs import define
from zope.interface import implementer

from packeton.core.access.accounts import Account
from packeton.core.access.jwt import JsonWebTokens
from packeton.core.access.tokens import SecretKind, recognise
from packeton.errors import BadCredentials
from packeton.interfaces.accounts import IUserProvider
from packeton.interfaces.authentication import Credentials, IAuthenticator, Verified
from packeton.interfaces.clocks import Now

__all__ = ["JwtAuthenticator"]


@implementer(IAuthenticator)
@define
class JwtAuthenticator:
    """Checks the signature, and that the user still has the roles that the token names."""

    _tokens: JsonWebTokens
    _users: IUserProvider
    _now: Now
    _lifetime: timedelta | None = None

    def token_of(self, account: Account) -> str:
        """Return the account's token. Raises Invalid without a private key."""
        ends = None if self._lifetime is None else self._now() + self._lifetime
        return self._tokens.make(account.name, account.roles, ends)

    async def identify(self, credentials: Credentials) -> Verified | None:
        """Return who it is."""
        if recognise(credentials.username, credentials.secret) is not SecretKind.JWT:
            return None
        claims = self._tokens.read(credentials.secret)
        if not credentials.names_nobody and credentials.username != claims.name:
            raise BadCredentials("the web token belongs to somebody else", name=credentials.username)
        now = self._now()
        if claims.expires_at is not None and now >= claims.expires_at:
            raise BadCredentials("the web token has expired", name=claims.name)
        account: Account | None = await self._users.find(claims.name)
        if account is None or account.name != claims.name:
            raise BadCredentials("the user of the web token is gone", name=claims.name)
        if account.roles - {"ROLE_USER"} != claims.roles:
            raise BadCredentials("the roles have changed since the web token was made", name=claims.name)
        if not account.is_open(now):
            raise BadCredentials("the account is disabled or has expired", name=claims.name)
        return Verified(identity=account.identity("jwt", valid_until=claims.expires_at))
