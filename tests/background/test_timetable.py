"""Work at set times."""

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.locks import DatabaseLocks
from packeton.background.timetable import Entry, Timetable, next_time
from packeton.errors import ConfigurationInvalid
from tests.support.store import MemoryCache


class NextTimeTests(SynchronousTestCase):
    """Cron expressions."""

    def test_expressions(self) -> None:
        """The moments of the reference's own table."""
        now = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
        for expression, expected in {
            "*/15 * * * *": datetime(2026, 1, 1, 0, 15, tzinfo=UTC),
            "0 0 * * *": datetime(2026, 1, 2, tzinfo=UTC),
            "40 1 */2 * *": datetime(2026, 1, 1, 1, 40, tzinfo=UTC),
            "49 0 * * *": datetime(2026, 1, 1, 0, 49, tzinfo=UTC),
        }.items():
            with self.subTest(expression):
                self.assertEqual(expected, next_time(expression, now))

    def test_wrong(self) -> None:
        """Nonsense is refused, and what never comes."""
        for expression in ("", "a b c d e", "61 * * * *", "0 0 30 2 *"):
            with self.subTest(expression), self.assertRaises(ConfigurationInvalid):
                next_time(expression, datetime(2026, 1, 1, tzinfo=UTC))


class TimetableTests(SynchronousTestCase):
    """Two nodes on one database."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.clock: Clock = self.cache.clock
        self.runs: list[str] = []
        self.waiting: Deferred[None] | None = None

    def node(self, name: str) -> Timetable:
        async def work() -> None:
            self.runs.append(name)
            if self.waiting is not None:
                await self.waiting

        locks = DatabaseLocks(self.cache.database, name, self.cache.now)
        return Timetable((Entry(name="crawl", expression="*/15 * * * *", work=work),), self.clock, locks)

    def test_once_among_all(self) -> None:
        """Each time is taken by one node; a stop leaves no timer."""
        nodes = [self.node("one"), self.node("two")]
        for node in nodes:
            node.startService()
        self.clock.pump([60] * 30)
        self.assertEqual(2, len(self.runs))
        for node in nodes:
            self.successResultOf(node.stopService())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_not_twice_at_once(self) -> None:
        """What still runs is not begun again; a stop waits for it."""
        self.waiting = Deferred()
        node = self.node("one")
        node.startService()
        self.clock.pump([60] * 45)
        self.assertEqual(["one"], self.runs)
        stopped = node.stopService()
        self.assertNoResult(stopped)
        self.waiting.callback(None)
        self.successResultOf(stopped)

    def test_goes_on_after_a_failure(self) -> None:
        """A failure is logged, and the next time comes."""

        async def fail() -> None:
            self.runs.append("failed")
            raise ZeroDivisionError

        locks = DatabaseLocks(self.cache.database, "one", self.cache.now)
        node = Timetable((Entry(name="bad", expression="* * * * *", work=fail),), self.clock, locks)
        node.startService()
        self.clock.pump([60, 60])
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.successResultOf(node.stopService())
