"""PeriodicService."""

from datetime import timedelta

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.background.periodic import PeriodicService
from packeton.errors import StorageFailed


class PeriodicServiceTests(SynchronousTestCase):
    """A coroutine on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.runs: list[Deferred[None]] = []
        self.service = PeriodicService("work", self.clock, timedelta(seconds=10), self.work)

    async def work(self) -> None:
        run: Deferred[None] = Deferred()
        self.runs.append(run)
        await run

    def test_never_twice_at_once(self) -> None:
        """A run that takes longer than the interval is waited for."""
        self.service.startService()
        self.clock.advance(10)
        self.clock.advance(25)
        self.assertEqual(1, len(self.runs))
        self.runs[0].callback(None)
        self.clock.advance(10)
        self.assertEqual(2, len(self.runs))
        self.runs[1].callback(None)
        self.successResultOf(self.service.stopService())

    def test_stop_waits(self) -> None:
        """Stopping fires once the run in progress has ended, and leaves no timer."""
        self.service.startService()
        self.clock.advance(10)
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.runs[0].callback(None)
        self.successResultOf(stopped)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_failures(self) -> None:
        """A failure does not end the loop; a passing trouble is no error."""
        self.service.startService()
        for error in (StorageFailed("full"), StorageFailed("full"), ValueError("bug")):
            self.clock.advance(10)
            self.runs[-1].errback(error)
        self.clock.advance(10)
        self.assertEqual(4, len(self.runs))
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.runs[-1].callback(None)
        self.successResultOf(self.service.stopService())
