"""Credentials → Identity: who is recognised, who is not, and what that costs."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.revisions import Revisions
from packeton.core.access.accounts import AclLine, TokenKind
from packeton.core.access.identities import Identity, Role
from packeton.core.access.keys import derived_key
from packeton.core.access.tokens import mint
from packeton.errors import BadCredentials
from packeton.features.access.tokens import TokenAuthenticator
from packeton.interfaces.authentication import Credentials
from tests.support.access import NEW_YEAR, MemoryAccess, day

OLD_TOKEN = "oldtokenofreference1"
OLD_PAT = "pat_" + "0123456789abcdef" * 4
OLD_HOOK = "whk_" + "0123456789" * 4


class AuthenticationTests(SynchronousTestCase):
    """With records on SQLite in memory."""

    def setUp(self) -> None:
        self.accounts = MemoryAccess()
        self.addCleanup(self.accounts.close)
        group = self.accounts.add_group("g", AclLine(package="acme/a", constraint="^1.0"), mirrors=("packagist",), updates_until=day(2025))
        self.user = self.accounts.add_user("Anna", groups=(group.id,), updates_until=day(2024), subrepos=(0, 3))
        self.api = mint(TokenKind.API, lambda n: 5)
        self.accounts.add_token(self.user, self.api)

    def identify(self, username: str | None, secret: str) -> Identity:
        credentials = Credentials(username=username, secret=secret)
        identity: Identity = self.accounts.done(self.accounts.authentication.identify(credentials, address="192.0.2.1", agent="Composer"))
        return identity

    def refused(self, username: str | None, secret: str) -> str:
        with self.assertRaises(BadCredentials) as caught:
            self.identify(username, secret)
        self.assertEqual("Bad credentials.", str(caught.exception))
        return caught.exception.reason

    def test_api_token(self) -> None:
        """By name without regard to case, by address, and by itself when it is one of ours; with everything decisions need."""
        for name in ("Anna", "anna", "anna@example.com", "token", None):
            identity = self.identify(name, self.api)
            self.assertEqual(("Anna", self.user.id, "api-token"), (identity.name, identity.user_id, identity.method))
        self.assertEqual(frozenset({Role.USER}), identity.roles)
        self.assertEqual([("acme/a", "^1.0", day(2025))], [(one.package, one.constraint, one.updates_until) for one in identity.grants])
        self.assertEqual((day(2024), frozenset({"packagist"}), (0, 3), None), (identity.updates_until, identity.mirrors, identity.subrepos, identity.scopes))

    def test_old_tokens(self) -> None:
        """The reference's 20 characters need the name; its personal tokens the exact one, or `token`."""
        self.accounts.add_token(self.user, OLD_TOKEN)
        self.accounts.add_token(self.user, OLD_PAT, TokenKind.PERSONAL, scopes=frozenset({"metadata"}))
        self.assertEqual("Anna", self.identify("anna", OLD_TOKEN).name)
        self.refused("token", OLD_TOKEN)
        self.refused(None, OLD_TOKEN)
        for name in ("Anna", "token", None):
            self.assertEqual({"metadata"}, self.identify(name, OLD_PAT).scopes)
        self.refused("anna", OLD_PAT)
        self.refused("Anna", self.api)  # replaced

    def test_hooks(self) -> None:
        """The token of a forge's hooks is no user's: a maintainer for hooks only; nothing with a user's name, or after its end."""
        token = self.accounts.add_token(None, OLD_HOOK, TokenKind.HOOK, scopes=frozenset({"webhooks"}), expires_at=day(2027))
        for name in ("token", None):
            identity = self.identify(name, OLD_HOOK)
        self.assertEqual((f"token_hooks{token.id}", None, "hook", {"webhooks"}), (identity.name, identity.user_id, identity.method, identity.scopes))
        self.assertTrue(identity.has(Role.MAINTAINER))
        self.assertFalse(identity.has(Role.ADMIN))
        self.refused("Anna", OLD_HOOK)
        self.refused("token", "whk_" + "f" * 40)
        self.accounts.clock.advance(366 * 86400)
        self.assertIn("expired", self.refused("token", OLD_HOOK))

    def test_new_secret(self) -> None:
        """A token of before the installation got another secret is good as long as the former one is known."""
        def new(purpose: str) -> bytes:
            return derived_key(b"new secret", purpose)
        credentials = Credentials(username="Anna", secret=self.api)
        parts = (self.accounts.tokens, self.accounts.users, new, self.accounts.now)
        verified = self.accounts.done(TokenAuthenticator(*parts, lambda purpose: [b"x" * 32, self.accounts.key(purpose)]).identify(credentials))
        self.assertEqual("Anna", verified.identity.name)
        with self.assertRaises(BadCredentials):
            self.accounts.done(TokenAuthenticator(*parts).identify(credentials))

    def test_wrong(self) -> None:
        """Unknown, somebody else's, a password-like text, over-long: the client learns the same."""
        other = self.accounts.add_user("Otto")
        self.assertEqual("the token belongs to somebody else", self.refused("Otto", self.api))
        for name, secret in (("Anna", "wrong"), ("nobody", "wrong-token"), ("Anna", self.api[:-1] + "x"), ("Anna", "x" * 5000), ("x" * 300, "secret"),
                             ("token", "pk_jwt_" + "x" * 40), ("token", "whk_something")):  # fmt: skip
            self.refused(name, secret)
        self.assertEqual(other.id, self.accounts.add_user("Last").id - 1)

    def test_same_work(self) -> None:
        """A name that is there and one that is not cost the same queries."""
        self.identify("Anna", self.api)
        counts = []
        for name in ("Anna", "nobody"):
            before = self.accounts.queries
            self.refused(name, "wrong-token")
            counts.append(self.accounts.queries - before)
        self.assertEqual([1, 1], counts)

    def test_closed_accounts(self) -> None:
        """Disabled, expired (its day is over), token expired: generic to the client, the reason to the audit."""
        self.accounts.change(self.user, enabled=False)
        self.assertIn("disabled", self.refused("Anna", self.api))
        self.accounts.change(self.user, enabled=True, expires_at=NEW_YEAR)
        self.assertIn("expired", self.refused("Anna", self.api))
        self.accounts.change(self.user, expires_at=None)
        self.accounts.add_token(self.user, OLD_PAT, TokenKind.PERSONAL, expires_at=NEW_YEAR)
        self.assertIn("token has expired", self.refused("Anna", OLD_PAT))
        self.assertIn("token has expired", self.accounts.attempts[-1].problem or "")
        self.assertEqual("pat_01", self.accounts.attempts[-1].shown)

    def test_remembered(self) -> None:
        """A verified credential costs no query for a minute; a wrong one is asked about each time."""
        self.identify("Anna", self.api)
        before = self.accounts.queries
        for _ in range(5):
            self.identify("Anna", self.api)
            self.accounts.clock.advance(10)
        self.assertEqual((before, 1), (self.accounts.queries, len(self.accounts.attempts)))
        self.accounts.clock.advance(10)
        self.identify("Anna", self.api)
        self.assertEqual(before + 1, self.accounts.queries)
        self.refused("Anna", "wrong-one")
        self.refused("Anna", "wrong-one")
        self.assertEqual(before + 3, self.accounts.queries)

    def test_clock_set_back(self) -> None:
        """A clock that is set back by a day does not make a credential good for a day."""
        self.identify("Anna", self.api)
        before = self.accounts.queries
        self.accounts.clock.rightNow -= 86_400
        self.identify("Anna", self.api)
        self.assertEqual(before + 1, self.accounts.queries)

    def test_expiry_by_the_clock(self) -> None:
        """What is remembered ends with the account and with the token, not a minute later."""
        self.accounts.change(self.user, expires_at=NEW_YEAR + timedelta(seconds=20))
        self.accounts.add_token(self.user, OLD_PAT, TokenKind.PERSONAL, expires_at=NEW_YEAR + timedelta(seconds=10))
        self.identify("Anna", OLD_PAT)
        self.identify("Anna", self.api)
        self.accounts.clock.advance(10)
        self.refused("Anna", OLD_PAT)
        self.identify("Anna", self.api)
        self.accounts.clock.advance(10)
        self.refused("Anna", self.api)

    def test_changes_at_once(self) -> None:
        """Roles, groups, expiry, revocation and deletion hold for the next request."""
        token = self.accounts.done(self.accounts.tokens.of_owner(self.user.id))[0]
        self.assertFalse(self.identify("Anna", self.api).is_full)
        self.accounts.change(self.user, roles=frozenset({Role.ADMIN}))
        self.assertTrue(self.identify("Anna", self.api).has(Role.ADMIN))
        self.accounts.change(self.user, groups=())
        self.assertEqual((), self.identify("Anna", self.api).grants)
        self.accounts.done(self.accounts.tokens.remove(token.id))
        self.refused("Anna", self.api)
        self.accounts.add_token(self.user, self.api)
        self.identify("Anna", self.api)
        self.accounts.done(self.accounts.users.remove(self.user.id))
        self.refused("Anna", self.api)

    def test_other_processes(self) -> None:
        """A change made elsewhere is noticed with the next look at the revisions."""
        from packeton.adapters.database.tokens import TokenRecords

        self.identify("Anna", self.api)
        elsewhere = TokenRecords(self.accounts.database, Revisions(self.accounts.database))
        self.accounts.done(elsewhere.remove_all(self.user.id))
        self.identify("Anna", self.api)
        self.accounts.done(self.accounts.revisions.refresh())
        self.refused("Anna", self.api)

    def test_bounded(self) -> None:
        """No more than ten thousand are remembered."""
        from packeton.features.access import authentication

        self.patch(authentication, "MAX_HELD", 3)
        for number in range(5):
            secret = f"pat_{number:060d}"
            self.accounts.add_token(self.user, secret, TokenKind.PERSONAL)
            self.identify("Anna", secret)
        self.assertEqual(3, len(self.accounts.authentication._held))

    def test_usage(self) -> None:
        """Uses are counted, remembered ones too, and written down together."""
        for _ in range(3):
            self.identify("Anna", self.api)
        self.accounts.done(self.accounts.usage.flush())
        self.identify("Anna", self.api)
        self.accounts.done(self.accounts.usage.flush())
        token = self.accounts.done(self.accounts.tokens.of_owner(self.user.id))[0]
        self.assertEqual((4, NEW_YEAR, "192.0.2.1", "Composer"), (token.used_count, token.used_at, token.used_from, token.used_agent))
        self.identify("Anna", self.api)
