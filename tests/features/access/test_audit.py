"""The audit trail."""

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.core.access.audit import AuditEvent, Source, masked
from packeton.errors import StorageFailed
from packeton.features.access.audit import AuditTrail
from packeton.interfaces.audit import IAuditRecords, IAuditTrail
from tests.support.accounts import MemoryAccounts, settled
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class AuditContract:
    """Merging, masking and retention; mix into a TestCase; `make_database` gives an empty one."""

    def setUp(self) -> None:
        self.store = MemoryAccounts(database=self.make_database())
        self.addCleanup(self.store.close)
        self.records = self.store.audit_records
        self.trail = AuditTrail(self.records)
        self.ann = self.store.user("ann").user.id

    def note(self, seconds: float = 0, **facts: Any) -> None:
        base = AuditEvent(
            user_id=self.ann, name="ann", source=Source.API_TOKEN, success=True, at=NOW, address="192.0.2.1", agent="A"
        )
        self.trail.note(evolve(base, at=NOW + timedelta(seconds=seconds), **facts))

    def entries(self) -> list[Any]:
        settled(self.trail.flush())
        return settled(self.records.of_user(self.ann, "ann"))

    def test_interfaces(self) -> None:
        """They are what the ports want."""
        verifyObject(IAuditRecords, self.records)
        verifyObject(IAuditTrail, self.trail)

    def test_merge(self) -> None:
        """The same again counts up, unless it comes within ten seconds; agent and error do not make a difference."""
        self.note()
        self.note(9)
        [entry] = self.entries()
        self.assertEqual((1, NOW), (entry.count, entry.event.at))
        self.note(11, agent="B")
        [entry] = self.entries()
        self.assertEqual((2, NOW, "B"), (entry.count, entry.first_at, entry.event.agent))
        self.assertEqual(NOW + timedelta(seconds=11), entry.event.at)

    def test_what_differs(self) -> None:
        """Another address, source, token or outcome is another entry."""
        self.note()
        self.note(address="192.0.2.2")
        self.note(source=Source.SESSION)
        self.note(token="pat_1***z")
        self.note(success=False, error="wrong password")
        self.assertEqual(5, len(self.entries()))

    def test_last_four(self) -> None:
        """What came before the newest four entries is not merged into."""
        self.note(address="192.0.2.99")
        for number in range(4):
            self.note(20 + number, address=f"192.0.2.{number}")
        self.note(60, address="192.0.2.3")
        self.note(61, address="192.0.2.99")
        found = [(entry.event.address[-2:], entry.count) for entry in self.entries()]
        self.assertEqual([("99", 1), (".3", 2), (".2", 1), (".1", 1), (".0", 1), ("99", 1)], found)

    def test_retention(self) -> None:
        """The newest 50 of each user stay, always 50, and other users lose nothing."""
        bob = self.store.user("bob").user.id
        self.note(user_id=bob, name="bob")
        for number in range(120):
            self.note(number, address=f"10.0.0.{number}")
            if number % 7 == 0:
                settled(self.trail.flush())
        entries = self.entries()
        self.assertEqual([f"10.0.0.{number}" for number in range(119, 69, -1)], [one.event.address for one in entries])
        self.assertEqual(1, len(settled(self.records.of_user(bob, "bob"))))
        self.assertEqual(51, len(settled(self.records.newest(100))))

    def test_elsewhere(self) -> None:
        """A user of another system has a trail of its own, by name."""
        self.note(user_id=None, name="ann")
        self.note()
        self.assertEqual(1, len(self.entries()))
        self.assertEqual(1, len(settled(self.records.of_user(None, "ann"))))

    def test_downloads(self) -> None:
        """New names of downloads are added, also within ten seconds; the entry is bounded."""
        self.note(source=Source.DOWNLOADS, downloads=("acme/a 1.0",))
        self.note(1, source=Source.DOWNLOADS, downloads=("acme/b 1.0",))
        [entry] = self.entries()
        self.assertEqual(("acme/b 1.0", "acme/a 1.0"), entry.event.downloads)
        self.note(30, source=Source.DOWNLOADS, downloads=tuple(f"acme/p{number} 1" for number in range(100)))
        self.assertEqual(20, len(self.entries()[0].event.downloads))

    def test_deleted_user(self) -> None:
        """Events of a user that was deleted meanwhile are dropped, with its trail, and harm no others."""
        bob = self.store.user("bob").user.id
        self.note(user_id=bob, name="bob")
        self.note()
        settled(self.store.users.remove(bob))
        self.assertEqual(1, len(self.entries()))
        self.assertEqual([], settled(self.records.of_user(bob, "bob")))

    def test_bounded(self) -> None:
        """Only so many events wait for the database, and a broken one loses them without an error."""
        class Broken:
            async def add(self, events: Any) -> None:
                raise StorageFailed("the disk is full")

        self.trail = AuditTrail(Broken())
        for number in range(3000):
            self.note(number * 20)
        self.assertEqual(2000, len(self.trail._waiting))
        settled(self.trail.flush())
        self.assertEqual([], self.trail._waiting)
        self.note(agent="x" * 5000, address="a", error="e" * 5000)
        self.assertEqual({512}, {len(self.trail._waiting[0].agent), len(self.trail._waiting[0].error)})

    def test_claimed(self) -> None:
        """A name that was only claimed is kept under the user who has it, and dropped where nobody has."""
        self.note(user_id=None, name="ANN", success=False, error="no such token", claimed=True)
        self.note(user_id=None, name="nobody", success=False, error="no such token", claimed=True)
        [entry] = self.entries()
        self.assertEqual(("ann", self.ann), (entry.event.name, entry.event.user_id))
        self.assertEqual(1, len(settled(self.records.newest(10))))

    def test_masked(self) -> None:
        """Two characters, five with an underscore, and the last one; nothing of a short one."""
        self.assertEqual("ab***j", masked("abcdefghij"))
        self.assertEqual("pat_x***9", masked("pat_xsecret9"))
        self.assertEqual("***", masked("secret1"))


class SqliteAuditTests(OnSqlite, AuditContract, SynchronousTestCase):
    """On SQLite."""


class PostgresqlAuditTests(OnPostgresql, AuditContract, SynchronousTestCase):
    """On PostgreSQL."""


class MysqlAuditTests(OnMysql, AuditContract, SynchronousTestCase):
    """On MariaDB."""
