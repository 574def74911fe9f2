"""The Gate: who passes where, and what the others are told."""

from unittest import TestCase

from packeton.core.access.accounts import TokenKind
from packeton.core.access.identities import Grant, Role, Scope
from packeton.errors import BadCredentials, Denied, NotFound, Unauthenticated
from packeton.web.access import Audience, Caller, SessionCaller
from tests.support.access import MemoryAccess, basic, make_request

SECRET = "a-secret-of-somebody"
OPEN = Audience(metadata=True, dists=True, grants=(Grant(package="open/*"),))


class GateTestCase(TestCase):
    """Records on SQLite in memory."""

    def setUp(self) -> None:
        self.accounts = MemoryAccess()
        self.addCleanup(self.accounts.close)
        self.gate = self.accounts.gate

    def user(self, name: str, role: str | None = None, **fields: object) -> dict[str, str]:
        """Make a user; return the header fields it sends."""
        user = self.accounts.add_user(name, roles=frozenset([role] if role else []), **fields)
        self.accounts.add_token(user, f"{SECRET}-{name}")
        return basic(name, f"{SECRET}-{name}")

    def ask(self, call: object) -> Caller:
        caller: Caller = self.accounts.done(call)
        return caller

    def outcome(self, call: object) -> str:
        """Return where the caller is, or why it is not."""
        try:
            caller = self.ask(call)
        except (Denied, NotFound, Unauthenticated) as error:
            return type(error).__name__
        return "root" if caller.repository is None else caller.repository.slug


class CallerTests(GateTestCase):
    """Roles, scopes, anonymous callers."""

    def test_roles(self) -> None:
        """Nobody 401, too little 403, enough passes."""
        admin, customer = self.user("admin", Role.ADMIN), self.user("customer")
        for headers, expected in ((None, "Unauthenticated"), (customer, "Denied"), (admin, "root")):
            self.assertEqual(expected, self.outcome(self.gate.caller(make_request("/", headers), role=Role.MAINTAINER)))
        self.assertEqual("192.0.2.1", self.ask(self.gate.caller(make_request("/", admin))).address)

    def test_bad_credentials(self) -> None:
        """They are refused also where anybody may pass."""
        for gate in (self.gate, self.accounts.gate_with(audience=OPEN)):
            for call in (gate.reader, gate.downloader, gate.mirror_user):
                with self.assertRaises(BadCredentials):
                    self.accounts.done(call(make_request("/", basic("u", "wrong-secret"))))
            with self.assertRaises(BadCredentials):
                self.accounts.done(gate.caller(make_request("/x?token=u:wrong-secret"), anonymous=True))

    def test_scopes(self) -> None:
        """A token opens what it is for, the wider scope the narrower; what names no scope is closed to it."""
        admin = self.accounts.add_user("admin", roles=frozenset({Role.ADMIN}))
        for number, scopes in enumerate(({"mirror:all"}, {"metadata"}, {"packages:read"})):
            self.accounts.add_token(admin, f"pat_{number:060d}", TokenKind.PERSONAL, scopes=frozenset(scopes))

        def outcome(number: int, scope: Scope | None) -> str:
            request = make_request("/", {"Authorization": f"Bearer pat_{number:060d}"})
            return self.outcome(self.gate.caller(request, scope=scope, anonymous=True))

        self.assertEqual("root", outcome(0, Scope.MIRROR_READ))
        self.assertEqual("Unauthenticated", outcome(1, Scope.MIRROR_READ))
        self.assertEqual("root", outcome(2, Scope.PACKAGES_READ))
        self.assertEqual("Unauthenticated", outcome(2, Scope.PACKAGES_ALL))
        self.assertEqual("Unauthenticated", outcome(1, None))
        with self.assertRaisesRegex(Unauthenticated, "no access to this route"):
            self.accounts.done(self.gate.reader(make_request("/", {"Authorization": f"Bearer pat_{0:060d}"})))

    def test_anonymous(self) -> None:
        """Each of the two switches opens its own routes, with the grants of the audience and no others."""
        request = make_request("/")
        self.assertEqual("Unauthenticated", self.outcome(self.gate.reader(request)))
        self.assertEqual("Unauthenticated", self.outcome(self.gate.downloader(request)))
        self.assertEqual((), self.ask(self.gate.caller(request, anonymous=True)).identity.grants)
        metadata = self.accounts.gate_with(audience=Audience(metadata=True, grants=OPEN.grants))
        self.assertEqual(OPEN.grants, self.ask(metadata.reader(request)).identity.grants)
        self.assertEqual("Unauthenticated", self.outcome(metadata.downloader(request)))
        dists = self.accounts.gate_with(audience=Audience(dists=True, grants=OPEN.grants))
        self.assertEqual(OPEN.grants, self.ask(dists.downloader(request)).identity.grants)
        self.assertEqual("Unauthenticated", self.outcome(dists.reader(request)))
        customer = self.user("customer")
        self.assertEqual((), self.ask(metadata.reader(make_request("/", customer))).identity.grants)

    def test_sessions(self) -> None:
        """A session counts for reading only, and after credentials."""
        admin = self.user("admin", Role.ADMIN)
        identity = self.ask(self.gate.caller(make_request("/", admin))).identity

        class Sessions:
            async def caller(self, request: object) -> SessionCaller:
                return SessionCaller(identity=identity)

        gate = self.accounts.gate_with(sessions=Sessions())
        self.assertEqual("root", self.outcome(gate.caller(make_request("/"))))
        self.assertEqual("root", self.outcome(gate.caller(make_request("/", method="HEAD"))))
        for method in ("POST", "PUT", "DELETE"):
            self.assertEqual("Unauthenticated", self.outcome(gate.caller(make_request("/", method=method))))
        self.assertEqual("BadCredentials", self.outcome(gate.caller(make_request("/", basic("admin", "nonsense-one")))))

    def test_nothing_is_looked_up_for_nobody(self) -> None:
        """A public mirror works where the database does not."""
        before = self.accounts.queries
        self.assertTrue(self.accounts.done(self.gate.mirror_user(make_request("/"))).is_anonymous)
        self.assertEqual(before, self.accounts.queries)


class RepositoryTests(GateTestCase):
    """Sub-repositories by path, host and session, and who may enter."""

    def setUp(self) -> None:
        super().setUp()
        self.team = self.accounts.add_subrepo("team", "acme/a", hosts=("team.example.com",))
        self.public = self.accounts.add_subrepo("public", "acme/p", public=True, hosts=("public.example.com",))
        self.other = self.accounts.add_subrepo("other", "acme/o")

    def test_by_path(self) -> None:
        """Grant, none, public, unknown, administrator, anonymous; on all kinds of routes."""
        none, granted = self.user("none"), self.user("granted", subrepos=(0, self.team.id))
        admin, full = self.user("admin", Role.ADMIN), self.user("full", Role.FULL_CUSTOMER)
        table = {
            "team": ("Unauthenticated", "NotFound", "team", "team", "NotFound"),
            "public": ("public", "public", "public", "public", "public"),
            "missing": ("NotFound", "NotFound", "NotFound", "NotFound", "NotFound"),
        }
        for slug, outcomes in table.items():
            for headers, expected in zip((None, none, granted, admin, full), outcomes, strict=True):
                for call in (self.gate.reader, self.gate.downloader):
                    with self.subTest(slug=slug, headers=headers, call=call):
                        self.assertEqual(expected, self.outcome(call(make_request("/", headers, slug=slug))))
        repository = self.ask(self.gate.reader(make_request("/", granted, slug="team"))).repository
        assert repository is not None
        self.assertTrue(repository.by_path)
        self.assertTrue(repository.holds("acme/a"))
        self.assertFalse(repository.holds("acme/b"))

    def test_by_host(self) -> None:
        """The host chooses, without a slug in addresses; without a grant it is 403, for nobody 401."""
        none, granted = self.user("none"), self.user("granted", subrepos=(self.team.id,))

        def at(host: str, headers: dict[str, str] | None = None, slug: str | None = None) -> str:
            request = make_request("/", headers, slug=slug)
            request.requestHeaders.setRawHeaders(b"host", [host.encode()])
            return self.outcome(self.gate.reader(request))

        self.assertEqual("team", at("team.example.com", granted))
        self.assertEqual("team", at("Team.example.com:8080", granted))
        self.assertEqual("Denied", at("team.example.com", none))
        self.assertEqual("Unauthenticated", at("team.example.com"))
        self.assertEqual("public", at("public.example.com"))
        self.assertEqual("public", at("public.example.com", none))
        self.assertEqual("public", at("team.example.com", granted, "public"))

    def test_by_session(self) -> None:
        """The session's choice comes before the host, the root too."""
        admin = self.user("admin", Role.ADMIN)
        identity = self.ask(self.gate.caller(make_request("/", admin))).identity
        for chosen, expected in ((self.team.id, "team"), (0, "root"), (None, "public"), (999, "root")):

            class Sessions:
                async def caller(self, request: object, chosen: int | None = chosen) -> SessionCaller:
                    return SessionCaller(identity=identity, subrepo=chosen)

            request = make_request("/")
            request.requestHeaders.setRawHeaders(b"host", [b"public.example.com"])
            self.assertEqual(expected, self.outcome(self.accounts.gate_with(sessions=Sessions()).reader(request)))

    def test_without_root(self) -> None:
        """Who may not use the root starts in the first of its list; dists reach all of the list; nothing left, nothing seen."""
        headers = self.user("a", subrepos=(self.other.id, self.team.id))
        self.assertEqual("other", self.outcome(self.gate.reader(make_request("/", headers))))
        repository = self.ask(self.gate.downloader(make_request("/", headers))).repository
        assert repository is not None
        self.assertEqual([True, True, False], [repository.holds(name) for name in ("acme/a", "acme/o", "acme/p")])
        self.assertEqual("root", self.outcome(self.gate.reader(make_request("/", self.user("b", subrepos=())))))
        self.accounts.done(self.accounts.subrepos.remove(self.other.id))
        self.assertEqual("team", self.outcome(self.gate.reader(make_request("/", headers))))
        self.accounts.done(self.accounts.subrepos.remove(self.team.id))
        self.assertEqual("Denied", self.outcome(self.gate.reader(make_request("/", headers))))
