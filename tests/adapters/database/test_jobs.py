"""Jobs and locks keep their contracts on every database."""

from itertools import count

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.locks import DatabaseLocks
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
        database = self.make_database()
        self.ours, self.theirs = (DatabaseLocks(database, owner, now_of(self.clock)) for owner in ("us", "them"))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class PostgresqlLocksTests(OnPostgresql, DatabaseLocksTests):
    """On PostgreSQL."""


class MysqlLocksTests(OnMysql, DatabaseLocksTests):
    """On MariaDB."""
