"""Sessions and remembered browsers."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.adapters.database.tables.accounts import sessions
from packeton.core.access.accounts import Account
from packeton.errors import StorageFailed
from packeton.interfaces.sessions import ISessionRecords
from tests.support.accounts import MemoryAccounts, settled
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite

HERE = {"address": "192.0.2.1", "agent": "Browser/1"}


class Elsewhere:
    """Another system with users."""

    def __init__(self) -> None:
        self.roles: dict[str, frozenset[str]] = {"eva": frozenset({"ROLE_USER"})}
        self.down = False
        self.asked = 0

    async def find(self, name: str) -> Account | None:
        self.asked += 1
        if self.down:
            raise StorageFailed("away")
        return Account(name=name, roles=self.roles[name]) if name in self.roles else None


class SessionContract:
    """Mix into a TestCase; `make_database` gives an empty one."""

    def setUp(self) -> None:
        self.elsewhere = Elsewhere()
        self.store = MemoryAccounts([self.elsewhere], self.make_database())
        self.addCleanup(self.store.close)
        self.sessions, self.clock = self.store.sessions, self.store.clock
        self.ann = self.store.user("ann")

    def open(self, account: Account | None = None, **options: object) -> str:
        return settled(self.sessions.open(account or self.ann, **HERE, method="password", **options))

    def name(self, cookie: str) -> str | None:
        found = settled(self.sessions.find(cookie))
        return None if found is None else found.account.name

    def advance(self, **time: float) -> None:
        self.clock.advance(timedelta(**time).total_seconds())

    def test_interface(self) -> None:
        """The records are what the port wants."""
        verifyObject(ISessionRecords, self.store.session_records)

    def test_open_and_close(self) -> None:
        """A session is found by its cookie until it is closed; the cookie itself is not kept."""
        cookie = self.open()
        self.assertEqual("ann", self.name(cookie))
        [session] = settled(self.sessions.of_account(self.ann))
        self.assertEqual(("192.0.2.1", "Browser/1", "password"), (session.address, session.agent, session.method))
        everything = settled(self.store.database.run(lambda one: repr(one.execute(sessions.select()).all())))
        self.assertIn(session.digest, everything)
        self.assertNotIn(cookie, everything)
        settled(self.sessions.close(cookie))
        self.assertIsNone(self.name(cookie))

    def test_nonsense(self) -> None:
        """Other cookies find nothing."""
        self.open()
        for cookie in ("", "x", "y" * 43, "z" * 5000, "\ud800" * 43):
            self.assertIsNone(self.name(cookie))

    def test_idle(self) -> None:
        """A session that is used stays, up to its end; one that is not ends."""
        used, unused = self.open(), self.open()
        for _ in range(4):
            self.advance(hours=6)
            self.assertEqual("ann", self.name(used))
        self.assertIsNone(self.name(unused))
        for _ in range(27):
            self.advance(hours=6)
            last = self.name(used)
        self.assertIsNone(last)
        settled(self.sessions.expire())
        self.assertIsNone(settled(self.store.session_records.find("")))
        self.assertEqual([], settled(self.store.session_records.listing(10)))

    def test_user_changes(self) -> None:
        """Disabling, expiry and deletion end a session at once; a role shows at once."""
        cookie = self.open()
        user_id = self.ann.user.id
        settled(self.store.users.change(user_id, {"roles": frozenset({"ROLE_ADMIN"})}))
        self.assertIn("ROLE_ADMIN", settled(self.sessions.find(cookie)).account.roles)
        settled(self.store.users.change(user_id, {"enabled": False}))
        self.assertIsNone(self.name(cookie))
        settled(self.store.users.change(user_id, {"enabled": True, "expires_at": self.store.now() + timedelta(hours=1)}))
        self.assertEqual("ann", self.name(cookie))
        self.advance(hours=1)
        self.assertIsNone(self.name(cookie))
        settled(self.store.users.change(user_id, {"expires_at": None}))
        self.assertEqual("ann", self.name(cookie))
        settled(self.store.users.remove(user_id))
        self.assertIsNone(self.name(cookie))

    def test_new_password(self) -> None:
        """Whoever changes the password, sessions and remembered browsers end; closing all but one keeps that one."""
        user_id = self.ann.user.id
        here, there = self.open(), self.open()
        browser = settled(self.sessions.remember(self.ann, **HERE))
        settled(self.store.users.change(user_id, {"password": "$argon2id$another"}))
        self.assertIsNone(self.name(there))
        self.assertIsNone(settled(self.sessions.recall(browser, **HERE)))
        settled(self.sessions.close_all(self.ann, but=here))
        self.assertEqual("ann", self.name(here))

    def test_pending(self) -> None:
        """A session that waits for the second factor opens nothing, and not for long."""
        cookie = self.open(pending=True, remember=True)
        self.assertIsNone(self.name(cookie))
        self.assertTrue(settled(self.sessions.find_pending(cookie)).session.remember)
        self.assertIsNone(settled(self.sessions.find_pending(self.open())))
        self.assertEqual(1, len(settled(self.sessions.of_account(self.ann))))
        self.advance(minutes=10)
        self.assertIsNone(settled(self.sessions.find_pending(cookie)))

    def test_everywhere(self) -> None:
        """Signing out everywhere leaves this session, other users, and no remembered browser of this user."""
        bob = self.store.user("bob")
        here, there, other = self.open(), self.open(), self.open(bob)
        browser = settled(self.sessions.remember(self.ann, **HERE))
        others = settled(self.sessions.remember(bob, **HERE))
        settled(self.sessions.close_all(self.ann, but=here))
        self.assertEqual(["ann", None, "bob"], [self.name(one) for one in (here, there, other)])
        self.assertIsNone(settled(self.sessions.recall(browser, **HERE)))
        self.assertIsNotNone(settled(self.sessions.recall(others, **HERE)))

    def test_closed_is_not_saved_again(self) -> None:
        """A request that saw the session before it was closed does not bring it back."""
        session = settled(self.sessions.find(self.open())).session
        settled(self.store.session_records.remove(session.digest))
        self.assertIsNone(settled(self.store.session_records.change(session.digest, lambda held: held)))
        self.assertIsNone(settled(self.store.session_records.find(session.digest)))

    def test_repository(self) -> None:
        """The chosen sub-repository stays with the session."""
        cookie = self.open()
        settled(self.sessions.choose_repository(cookie, 7))
        self.assertEqual(7, settled(self.sessions.find(cookie)).session.repository)
        settled(self.sessions.choose_repository("n" * 43, 7))

    def test_elsewhere(self) -> None:
        """Another system is asked again each minute; its users go with it, and stay while it is away."""
        eva = settled(self.elsewhere.find("eva"))
        cookie = self.open(eva)
        self.assertEqual("eva", self.name(cookie))
        self.assertEqual(1, self.elsewhere.asked)
        self.advance(minutes=1)
        self.elsewhere.roles["eva"] = frozenset({"ROLE_ADMIN"})
        self.assertEqual({"ROLE_ADMIN"}, settled(self.sessions.find(cookie)).account.roles)
        self.elsewhere.down = True
        self.advance(minutes=2)
        self.assertEqual({"ROLE_ADMIN"}, settled(self.sessions.find(cookie)).account.roles)
        self.elsewhere.down = False
        del self.elsewhere.roles["eva"]
        self.assertIsNone(self.name(cookie))
        self.elsewhere.roles["eva"] = frozenset()
        self.assertIsNone(self.name(cookie))

    def test_no_mixing(self) -> None:
        """A user of another system with the name of one of ours is somebody else."""
        self.elsewhere.roles["ann"] = frozenset({"ROLE_USER"})
        cookie = self.open(settled(self.elsewhere.find("ann")))
        ours = self.open()
        settled(self.sessions.close_all(self.ann))
        self.assertIsNone(self.name(ours))
        self.assertIsNone(settled(self.sessions.find(cookie)).account.user)

    def test_recall(self) -> None:
        """Each use of a remembered browser gives it another cookie, good for a year more."""
        cookie = settled(self.sessions.remember(self.ann, **HERE))
        for _ in range(3):
            self.advance(days=300)
            account, fresh = settled(self.sessions.recall(cookie, **HERE))
            self.assertEqual("ann", account.name)
            self.assertNotEqual(cookie, fresh)
            cookie = fresh
        self.advance(days=365)
        self.assertIsNone(settled(self.sessions.recall(cookie, **HERE)))

    def test_together(self) -> None:
        """Requests that were on their way together are all good; one of them brings the new cookie."""
        cookie = settled(self.sessions.remember(self.ann, **HERE))
        first, second = (settled(self.sessions.recall(cookie, **HERE)) for _ in range(2))
        self.assertIsNotNone(first[1])
        self.assertEqual(("ann", None), (second[0].name, second[1]))

    def test_stolen(self) -> None:
        """An old cookie that is used again ends the new one too, and all sessions: one of them may be the thief's."""
        cookie = settled(self.sessions.remember(self.ann, **HERE))
        _, fresh = settled(self.sessions.recall(cookie, **HERE))
        thief = settled(self.sessions.open(self.ann, **HERE, method="remembered"))
        self.advance(minutes=2)
        self.assertIsNone(settled(self.sessions.recall(cookie, **HERE)))
        self.assertIsNone(settled(self.sessions.recall(fresh, **HERE)))
        self.assertIsNone(settled(self.sessions.find(thief)))

    def test_recall_nothing(self) -> None:
        """Disabled users, forgotten browsers and nonsense are not signed in."""
        cookie = settled(self.sessions.remember(self.ann, **HERE))
        for wrong in ("", ".", "a.b", "x" * 43 + "." + "y" * 43, cookie[:-1], cookie.split(".")[0] + "." + "y" * 42):
            self.assertIsNone(settled(self.sessions.recall(wrong, **HERE)))
        settled(self.store.users.change(self.ann.user.id, {"enabled": False}))
        self.assertIsNone(settled(self.sessions.recall(cookie, **HERE)))
        settled(self.store.users.change(self.ann.user.id, {"enabled": True}))
        settled(self.sessions.forget(cookie))
        self.assertIsNone(settled(self.sessions.recall(cookie, **HERE)))

    def test_codes(self) -> None:
        """A one-time code is used once, and no older one after it."""
        user_id = self.ann.user.id
        answers = [settled(self.sessions.use_code(user_id, counter)) for counter in (10, 10, 9, 11)]
        self.assertEqual([True, False, False, True], answers)


class SqliteSessionTests(OnSqlite, SessionContract, SynchronousTestCase):
    """On SQLite."""


class PostgresqlSessionTests(OnPostgresql, SessionContract, SynchronousTestCase):
    """On PostgreSQL."""


class MysqlSessionTests(OnMysql, SessionContract, SynchronousTestCase):
    """On MariaDB."""
