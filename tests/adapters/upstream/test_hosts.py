"""Turns and silence, on a clock of the test's own."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.upstream.hosts import MAX_HOSTS, MAX_WAITING, Hosts, Turns, retry_after
from packeton.errors import UpstreamBusy

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class RetryAfterTests(SynchronousTestCase):
    """Source: RFC 9110 section 10.2.3."""

    def test_values(self) -> None:
        """Seconds and dates, never below nothing nor above 5 minutes; nonsense is no wish."""
        for value, wish in (
            (None, None), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("0", timedelta(0)),
            ("60", MINUTE), (" 60 ", MINUTE), ("9" * 400, 5 * MINUTE),
            (format_datetime(NOW + MINUTE, usegmt=True), MINUTE), (format_datetime(NOW - MINUTE, usegmt=True), timedelta(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 5 * MINUTE), ("Fri, 02 Jan 2026 03:05:05 -0000", MINUTE),
            ("Fri, 31 Dec 9999 23:59:59 -9900", None),
        ):  # fmt: skip
            self.assertEqual(wish, retry_after(value, NOW), value)

    @given(st.text(st.characters(max_codepoint=255)))
    def test_any(self, value: str) -> None:
        """Any field value gives a bounded wish or none."""
        wish = retry_after(value, NOW)
        self.assertTrue(wish is None or timedelta(0) <= wish <= 5 * MINUTE)


class HostsTests(SynchronousTestCase):
    """Turns by host, silence by host and credential."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.hosts = Hosts(self.clock, 2)

    def enter(self, origin: str = "h", realm: str = "") -> "Deferred[Turns]":
        return Deferred.fromCoroutine(self.hosts.enter(origin, realm))

    def test_turns(self) -> None:
        """Two at once, the others in order of arrival; another host is not concerned."""
        first, _, third, fourth = (self.enter() for _ in range(4))
        self.successResultOf(self.enter("other"))
        self.assertNoResult(third)
        self.successResultOf(first).release()
        self.successResultOf(third)
        self.assertNoResult(fourth)

    def test_given_up(self) -> None:
        """One that waits and is cancelled leaves the queue; its turn is not lost."""
        held = [self.successResultOf(self.enter()) for _ in range(2)]
        waiting, last = self.enter(), self.enter()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        held[0].release()
        self.successResultOf(last).release()
        held[1].release()
        self.assertTrue(held[0].idle)

    def test_queue_is_bounded(self) -> None:
        """Above the bound it says so at once, and when to come back."""
        waiting = [self.enter() for _ in range(2 + MAX_WAITING)]
        refusal = self.failureResultOf(self.enter(), UpstreamBusy).value
        self.assertGreater(refusal.retry_after, timedelta(0))
        self.successResultOf(waiting[0])

    def test_silence(self) -> None:
        """Refused at once and for as long as asked, 5 minutes at most, for this credential only."""
        self.hosts.silence("h", MINUTE, "mine")
        refusal = self.failureResultOf(self.enter("h", "mine"), UpstreamBusy).value
        self.assertEqual(MINUTE, refusal.retry_after)
        self.assertIn("h asked to be left alone", str(refusal))
        self.successResultOf(self.enter("h", "yours"))
        self.clock.advance(60)
        self.successResultOf(self.enter("h", "mine"))
        self.hosts.silence("h", timedelta(days=1))
        self.clock.advance(299)
        self.failureResultOf(self.enter(), UpstreamBusy)
        self.clock.advance(1)
        self.hosts.silence("h", timedelta(0))
        self.assertNoResult(self.enter())  # both turns are taken, and nobody is refused

    def test_silence_reaches_those_that_wait(self) -> None:
        """2000 that wait are all refused once silence was asked for, without a deep stack, and no turn is lost."""
        held = [self.successResultOf(self.enter()) for _ in range(2)]
        waiting = [self.enter() for _ in range(MAX_WAITING)]
        self.hosts.silence("h", MINUTE)
        held[0].release()
        for one in waiting:
            self.failureResultOf(one, UpstreamBusy)
        held[1].release()
        self.assertTrue(held[0].idle)

    def test_tables_are_bounded(self) -> None:
        """However many hosts redirects lead to."""
        held = self.successResultOf(self.enter("held"))
        for number in range(2 * MAX_HOSTS):
            self.successResultOf(self.enter(f"h{number}")).release()
            self.hosts.silence(f"h{number}", MINUTE)
        self.assertLessEqual(len(self.hosts._turns), MAX_HOSTS)
        self.assertLessEqual(len(self.hosts._silent_until), MAX_HOSTS)
        self.successResultOf(self.enter("held"))
        self.assertNoResult(self.enter("held"))
        held.release()
