"""Jobs and locks keep their contracts on every database."""

from datetime import timedelta
from itertools import count

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.locks import DatabaseLocks
from packeton.adapters.database.tables.jobs import locks
from packeton.interfaces.clocks import now_of
from tests.contracts.queues import JobRecordsContract, LocksContract
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite


class JobRecordsTests(OnSqlite, JobRecordsContract, SynchronousTestCase):
    """On SQLite."""

    def setUp(self) -> None:
        numbers = count(1)
        self.records = JobRecords(self.make_database(), lambda: f"{next(numbers):040x}")


class PostgresqlJobRecordsTests(OnPostgresql, JobRecordsTests):
    """On PostgreSQL."""


class MysqlJobRecordsTests(OnMysql, JobRecordsTests):
    """On MariaDB."""


class DatabaseLocksTests(OnSqlite, LocksContract, SynchronousTestCase):
    """On SQLite."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.database = self.make_database()
        self.ours, self.theirs = (DatabaseLocks(self.database, owner, now_of(self.clock)) for owner in ("us", "them"))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def test_forgotten(self) -> None:
        """Locks of the timetable, whose names never come back, do not pile up."""
        for number in range(5):
            self.assertTrue(self.ok(self.ours.take(f"cron:{number}", timedelta(minutes=5))))
            self.pass_time(24 * 3600)
        rows = self.ok(self.database.read(lambda connection: connection.execute(locks.select()).all()))
        self.assertEqual({"cron:3", "cron:4"}, {row.name for row in rows})


class PostgresqlLocksTests(OnPostgresql, DatabaseLocksTests):
    """On PostgreSQL."""


class MysqlLocksTests(OnMysql, DatabaseLocksTests):
    """On MariaDB."""
