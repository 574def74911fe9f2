"""Jobs and locks in the database."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.locks import DatabaseLocks
from tests.contracts.queues import JobRecordsContract, LocksContract
from tests.support.store import MemoryCache


class JobRecordsTests(JobRecordsContract, SynchronousTestCase):
    """SQLite in memory."""

    def setUp(self) -> None:
        cache = MemoryCache()
        self.addCleanup(cache.close)
        numbers = count(1)
        self.records = JobRecords(cache.database, lambda: f"{next(numbers):040x}")


class DatabaseLocksTests(LocksContract, SynchronousTestCase):
    """SQLite in memory."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.ours, self.theirs = (DatabaseLocks(self.cache.database, owner, self.cache.now) for owner in ("us", "them"))

    def pass_time(self, seconds: float) -> None:
        self.cache.clock.advance(seconds)
