"""Two callers at once: what one read before the other wrote undoes nothing, and is good for nothing twice."""

from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.queues.throttles import LocalThrottle
from packeton.core.access import totp
from packeton.core.access.accounts import AclLine, Group, Subrepo, User
from packeton.core.access.attempts import LoginThrottle
from packeton.core.access.passwords import Passwords
from packeton.core.access.sealing import Sealer
from packeton.errors import Conflict, Invalid, NotFound
from packeton.features.access.audiences import Groups, Subrepositories
from packeton.features.access.audit import AuditTrail
from packeton.features.access.chain import UserChain
from packeton.features.access.factors import SecondFactors
from packeton.features.access.recovery import PasswordRecovery
from packeton.features.access.signing_in import Opened, SigningIn, Visitor
from packeton.interfaces.mail import Mail
from tests.support.accounts import MemoryAccounts, settled

OLD, CHEAP = Passwords(time_cost=2, memory_kib=64), Passwords(time_cost=1, memory_kib=64)
HERE = Visitor(address="192.0.2.1", agent="Browser/1")


class Nobody:
    """Sends no mail."""

    enabled = False

    async def send(self, mail: Mail) -> None:
        raise AssertionError(mail)


class RaceTests(SynchronousTestCase):
    """On a database in memory; hashing waits where a test wants it to."""

    def setUp(self) -> None:
        self.store = MemoryAccounts()
        self.addCleanup(self.store.close)
        self.revisions = Revisions(self.store.database)
        self.meanwhile: Callable[[], object] | None = None
        numbers = count(1)
        sealer = Sealer(["key"], lambda size: b"n" * size)
        self.factors = SecondFactors(self.store.users, self.store.sessions, lambda: sealer, self.store.now, lambda size: next(numbers).to_bytes(size))
        self.sign_in = SigningIn(
            users=self.store.users, chain=UserChain(self.store.users, [], False), sessions=self.store.sessions, factors=self.factors,
            audit=AuditTrail(self.store.audit_records), passwords=CHEAP, hash_in_thread=self.hash, throttle=LocalThrottle(LoginThrottle(), self.store.now),
            now=self.store.now, wait=self.wait,
        )  # fmt: skip

    async def hash(self, work: Any, /, *args: object) -> Any:
        """Hash; what the test wants to happen meanwhile happens once."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return work(*args)

    async def wait(self, _time: object) -> None:
        pass

    def user(self, number: int) -> User:
        account = settled(self.store.users.get(number))
        assert account is not None
        assert account.user is not None
        return account.user

    def code(self, secret: str) -> str:
        return totp.code_at(secret, int(self.store.now().timestamp()) // 30)

    def test_old_password(self) -> None:
        """An old password that is being hashed anew at a login does not come back over the new one."""
        ann = self.store.user(password=OLD.hash("the old one"))
        new = CHEAP.hash("the new one")
        hashes = iter((None, lambda: settled(self.store.users.change(ann.user.id, {"password": new}))))

        async def hash_in_thread(work: Any, /, *args: object) -> Any:
            meanwhile = next(hashes)
            if meanwhile is not None:
                meanwhile()
            return work(*args)

        self.sign_in.hash_in_thread = hash_in_thread
        self.assertIsInstance(settled(self.sign_in.by_password("ann", "the old one", HERE)), Opened)
        self.assertEqual(new, self.user(ann.user.id).password)

    def test_rehash(self) -> None:
        """Otherwise it is hashed anew."""
        ann = self.store.user(password=OLD.hash("the one"))
        settled(self.sign_in.by_password("ann", "the one", HERE))
        self.assertNotEqual(ann.user.password, self.user(ann.user.id).password)

    def test_recovery_codes(self) -> None:
        """A recovery code is good once, however many try it; two codes that are used together are both gone."""
        ann = self.store.user()
        secret = settled(self.factors.propose(ann.user))
        self.assertEqual(secret, settled(self.factors.propose(ann.user)))
        user = self.user(ann.user.id)
        codes = settled(self.factors.confirm(user, self.code(secret)))
        user = self.user(ann.user.id)
        self.failureResultOf(Deferred.fromCoroutine(self.factors.propose(user)), Conflict)
        self.assertEqual([True, False, True], [settled(self.factors.check(user, code)) for code in (codes[0], codes[0], codes[1])])
        self.assertEqual(len(codes) - 2, len(self.user(ann.user.id).totp_recovery))

    def test_another_secret(self) -> None:
        """A code of a secret that another tab replaced meanwhile turns nothing on."""
        ann = self.store.user()
        secret = settled(self.factors.propose(ann.user))
        user = self.user(ann.user.id)
        settled(self.store.users.change(user.id, {"totp_secret": "another"}))
        confirming = Deferred.fromCoroutine(self.factors.confirm(user, self.code(secret)))
        self.failureResultOf(confirming, Invalid)
        self.assertFalse(self.factors.is_on(self.user(user.id)))

    def test_reset(self) -> None:
        """A token sets one password, also when two come with it at once."""
        ann = self.store.user()
        recovery = PasswordRecovery(
            users=self.store.users, sessions=self.store.sessions, signing_in=self.sign_in, mailer=Nobody(), now=self.store.now, random_hex=lambda: "a" * 40,
            throttle=LocalThrottle(LoginThrottle(), self.store.now),
        )
        settled(recovery.invite(ann.user.id, "https://x.example"))
        token = "invite" + "a" * 40
        self.meanwhile = lambda: settled(recovery.set_password(token, "the first of two"))
        self.failureResultOf(Deferred.fromCoroutine(recovery.set_password(token, "the second of two")), NotFound)
        self.assertTrue(CHEAP.verify(self.user(ann.user.id).password, "the first of two", None))
        self.failureResultOf(Deferred.fromCoroutine(recovery.invite(99, "")), NotFound)

    def test_sessions(self) -> None:
        """A request that saw a session before its password changed does not end it by noting that it was used."""
        ann = self.store.user(password="x")
        cookie = settled(self.store.sessions.open(ann, address="", agent="", method="password"))
        seen = settled(self.store.sessions.find(cookie)).session
        settled(self.store.users.change(ann.user.id, {"password": "y"}))
        settled(self.store.sessions.close_all(ann, but=cookie))
        settled(self.store.session_records.change(seen.digest, lambda held: evolve(held, seen_at=self.store.now())))
        self.assertIsNotNone(settled(self.store.sessions.find(cookie)))

    def test_groups(self) -> None:
        """Two who edit a group at once both get what they wanted."""
        records = GroupRecords(self.store.database, self.revisions)
        groups = Groups(records, self.is_package, ("m",))
        made = settled(groups.create(Group(id=0, name="g")))
        tried = []

        def mine(held: Group) -> Group:
            if not tried:
                settled(groups.change(made.id, lambda now: evolve(now, mirrors=("m",))))
            tried.append(held)
            return evolve(held, lines=(AclLine(package="acme/a"),))

        changed = settled(groups.change(made.id, mine))
        self.assertEqual((2, ("m",), "acme/a"), (len(tried), changed.mirrors, changed.lines[0].package))
        self.assertEqual(changed, settled(records.get(made.id)))

        def never(held: Group) -> Group:
            settled(groups.change(made.id, lambda now: evolve(now, name=now.name + "x")))
            return held

        self.failureResultOf(Deferred.fromCoroutine(groups.change(made.id, never)), Conflict)
        self.failureResultOf(Deferred.fromCoroutine(groups.change(99, never)), NotFound)

    def test_subrepositories(self) -> None:
        """A package that is put in while the form is checked stays in."""
        records = SubrepoRecords(self.store.database, self.revisions)
        subrepos = Subrepositories(records, self.is_package)
        made = settled(subrepos.create(Subrepo(id=0, name="S", slug="s")))
        tried = []

        def mine(held: Subrepo) -> Subrepo:
            if not tried:
                settled(records.add_package(made.id, "acme/a"))
            tried.append(held)
            return evolve(held, public=True)

        changed = settled(subrepos.change(made.id, mine))
        self.assertEqual((2, True, {"acme/a"}), (len(tried), changed.public, changed.packages))

    async def is_package(self, _name: str) -> bool:
        return True
