"""Signing in: the chain of providers, and what failures tell."""

from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.queues.throttles import LocalThrottle
from packeton.core.access.accounts import Account
from packeton.core.access.attempts import LoginThrottle
from packeton.core.access.passwords import Passwords
from packeton.features.access.audit import AuditTrail
from packeton.features.access.chain import UserChain
from packeton.features.access.factors import SecondFactors
from packeton.features.access.signing_in import Opened, Refused, SigningIn, Visitor
from packeton.interfaces.identity import DirectoryFailed
from tests.support.accounts import MemoryAccounts, settled

CHEAP = Passwords(time_cost=1, memory_kib=64)
HERE = Visitor(address="192.0.2.1", agent="Browser/1")


class Directory:
    """Knows people and their passwords."""

    def __init__(self, name: str, role: str, **people: str) -> None:
        self.name, self.role, self.people, self.down = name, role, people, False
        self.asked: list[str] = []

    async def find(self, name: str) -> Account | None:
        self._ask()
        return Account(name=name, roles=frozenset({self.role})) if name in self.people else None

    async def verify(self, account: Account, password: str) -> bool:
        self._ask()
        self.asked.append(account.name)
        return bool(password) and self.people.get(account.name) == password

    def _ask(self) -> None:
        if self.down:
            raise DirectoryFailed("away")


class SigningInTests(SynchronousTestCase):
    """On a clock that stands still; hashing takes as long as `hashing` says."""

    def setUp(self) -> None:
        self.one, self.other = Directory("one", "ROLE_ONE", eva="eva's", both="one's"), Directory("other", "ROLE_OTHER", both="other's")
        self.store = MemoryAccounts([self.one, self.other])
        self.addCleanup(self.store.close)
        self.waited: list[timedelta] = []
        self.hashing = 0.03
        self.held: list[Deferred[Any]] = []
        self.hold = False
        self.ann = self.store.user("ann", password=CHEAP.hash("ann's one"))
        self.sign_in = self.make()

    def make(self, *, first: bool = False) -> SigningIn:
        store = self.store
        return SigningIn(
            users=store.users,
            chain=UserChain(store.users, [self.one, self.other], first),
            sessions=store.sessions,
            factors=SecondFactors(store.users, store.sessions, lambda purpose: b"k" * 32, store.now, lambda count: b"r" * count),
            audit=AuditTrail(store.audit_records),
            passwords=CHEAP,
            hash_in_thread=self.hash,
            throttle=LocalThrottle(LoginThrottle(), store.now),
            now=store.now,
            wait=self.wait,
        )

    async def hash(self, work: Any, /, *args: object) -> Any:
        if self.hold:
            self.held.append(Deferred())
            await self.held[-1]
        self.store.clock.advance(self.hashing)
        return work(*args)

    async def wait(self, time: timedelta) -> None:
        self.waited.append(time)
        self.store.clock.advance(time.total_seconds())

    def roles(self, name: str, password: str, sign_in: SigningIn | None = None) -> set[str] | None:
        outcome = settled((sign_in or self.sign_in).by_password(name, password, HERE))
        return set(outcome.account.roles) if isinstance(outcome, Opened) else None

    def test_time(self) -> None:
        """Whatever goes wrong, and however long hashing took, the answer comes at a whole half second."""
        for hashing, seconds in ((0.03, 0.5), (0.3, 0.5), (0.7, 1.0)):
            for name in ("ann", "nobody", "\0", ""):
                self.hashing = hashing
                began = self.store.clock.seconds()
                self.assertIsNone(self.roles(name, "wrong"))
                self.assertAlmostEqual(seconds, self.store.clock.seconds() - began, 3, (hashing, name))

    def test_success_does_not_wait(self) -> None:
        """Who is right goes on at once."""
        self.assertIsNotNone(self.roles("ann", "ann's one"))
        self.assertEqual([], self.waited)

    def test_chain(self) -> None:
        """The provider that knows the name checks the password; another's password for the same name is no good."""
        self.assertEqual({"ROLE_ONE"}, self.roles("eva", "eva's"))
        self.assertEqual({"ROLE_ONE"}, self.roles("both", "one's"))
        self.assertIsNone(self.roles("both", "other's"))
        self.assertEqual([], self.other.asked)

    def test_own_user(self) -> None:
        """A user of ours may use any directory's password, or our own; the roles are ours."""
        self.store.user("both", password=CHEAP.hash("local one"), roles=frozenset({"ROLE_LOCAL"}))
        for password in ("one's", "other's", "local one"):
            self.assertEqual({"ROLE_LOCAL"}, self.roles("both", password))
        self.assertIsNone(self.roles("both", "nobody's"))

    def test_directories_first(self) -> None:
        """With directories first, our row for a name that they know does not count."""
        self.store.user("eva", password=CHEAP.hash("local one"), roles=frozenset({"ROLE_ADMIN"}))
        sign_in = self.make(first=True)
        self.assertEqual({"ROLE_ONE"}, self.roles("eva", "eva's", sign_in))
        self.assertIsNone(self.roles("eva", "local one", sign_in))
        self.assertEqual(set(), self.roles("ann", "ann's one", sign_in))

    def test_outage(self) -> None:
        """A directory that is away is passed over, wherever it stands."""
        self.one.down = self.other.down = True
        for sign_in in (self.make(), self.make(first=True)):
            self.assertEqual(set(), self.roles("ann", "ann's one", sign_in))
            self.assertIsNone(self.roles("eva", "eva's", sign_in))
        self.other.down = False
        self.assertEqual({"ROLE_OTHER"}, self.roles("both", "other's"))

    def test_too_many_at_once(self) -> None:
        """Fifty passwords are checked at a time; whoever comes then is asked to come again, and nothing piles up."""
        self.hold = True
        started = [
            Deferred.fromCoroutine(self.sign_in.by_password("ann", "ann's one", Visitor(address=f"10.0.0.{number}", agent="")))
            for number in range(50)
        ]
        refused = settled(self.sign_in.by_password("ann", "ann's one", Visitor(address="10.0.1.1", agent="")))
        self.assertIsInstance(refused, Refused)
        self.assertIsNotNone(refused.retry_after)
        self.hold = False
        for held in self.held:
            held.callback(None)
        self.assertEqual({Opened}, {type(self.successResultOf(one)) for one in started})
        self.assertIsNotNone(self.roles("ann", "ann's one"))

    def test_rehash(self) -> None:
        """A hash of other costs is good, and is replaced by the login."""
        settled(self.store.users.change(self.ann.user.id, {"password": Passwords(1, 72).hash("ann's one")}))
        self.assertIsNotNone(self.roles("ann", "ann's one"))
        self.assertFalse(CHEAP.needs_rehash(settled(self.store.users.get(self.ann.user.id)).user.password))
