"""JSON web tokens of users: good while nothing about the user changed."""

from datetime import timedelta
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.access.accounts import Account
from packeton.core.access.identities import Role
from packeton.core.access.jwt import JsonWebTokens, make_keys
from packeton.errors import BadCredentials
from packeton.features.access.web_tokens import JwtAuthenticator
from packeton.interfaces.authentication import Credentials
from tests.support.access import NEW_YEAR, MemoryAccess


class Provider:
    """Our own users, and one of another system."""

    def __init__(self, own: Any) -> None:
        self.own = own
        self.roles = frozenset({"ROLE_FULL_CUSTOMER"})

    async def find(self, name: str) -> Account | None:
        return Account(name="ldap", roles=self.roles) if name == "ldap" else await self.own.find(name)


class WebTokenTests(SynchronousTestCase):
    """With records on SQLite in memory."""

    def setUp(self) -> None:
        self.access = MemoryAccess()
        self.addCleanup(self.access.close)
        self.user = self.access.add_user("Anna", roles=frozenset({Role.MAINTAINER}))
        self.provider = Provider(self.access.users)
        keys = make_keys(None)
        self.web_tokens = JwtAuthenticator(JsonWebTokens.with_keys(None, keys.private, keys.public), self.provider, self.access.now, None)

    def identify(self, name: str | None, secret: str) -> Any:
        return self.access.done(self.web_tokens.identify(Credentials(username=name, secret=secret)))

    def account(self, name: str) -> Account:
        found: Account = self.access.done(self.provider.find(name))
        return found

    def refused(self, name: str | None, secret: str) -> str:
        with self.assertRaises(BadCredentials) as caught:
            self.identify(name, secret)
        return caught.exception.reason

    def test_good(self) -> None:
        """With the name, `token`, or none; users of other systems have their roles and no grants."""
        token = self.web_tokens.token_of(self.account("Anna"))
        for name in ("Anna", "token", None):
            identity = self.identify(name, token).identity
            self.assertEqual(("Anna", self.user.id, "jwt"), (identity.name, identity.user_id, identity.method))
        outside = self.identify("ldap", self.web_tokens.token_of(self.account("ldap"))).identity
        self.assertEqual((None, True, ()), (outside.user_id, outside.is_full, outside.grants))
        self.assertIsNone(self.identify("Anna", "an-api-token"))

    def test_ends(self) -> None:
        """With other roles, with the account, with its time, and for somebody else."""
        token = self.web_tokens.token_of(self.account("Anna"))
        self.assertIn("somebody else", self.refused("anna", token))
        self.access.change(self.user, enabled=False)
        self.assertIn("disabled", self.refused("Anna", token))
        self.access.change(self.user, enabled=True, roles=frozenset({Role.ADMIN}))
        self.assertIn("roles", self.refused("Anna", token))
        outside = self.web_tokens.token_of(self.account("ldap"))
        self.provider.roles = frozenset()
        self.assertIn("roles", self.refused("ldap", outside))
        self.web_tokens._lifetime = timedelta(minutes=5)
        short = self.web_tokens.token_of(self.account("Anna"))
        self.assertEqual(NEW_YEAR + timedelta(minutes=5), self.identify("Anna", short).identity.valid_until)
        self.access.clock.advance(300)
        self.assertIn("expired", self.refused("Anna", short))
        self.access.done(self.access.users.remove(self.user.id))
        self.web_tokens._lifetime = None
        self.assertIn("gone", self.refused("Anna", self.web_tokens.token_of(Account.of(evolve(self.user), ()))))
