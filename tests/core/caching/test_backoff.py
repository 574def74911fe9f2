"""Back-off with jitter, and a circuit per object."""

from datetime import UTC, datetime, timedelta
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from packeton.core.caching.backoff import Attempts, delay

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class DelayTests(TestCase):
    """How long to wait."""

    def test_doubles(self) -> None:
        """1, 2, 4 … seconds with all of the jitter, half of that with none, and never above the bound."""
        waits = [delay(n, 1.0, base=SECOND, longest=timedelta(seconds=10)).total_seconds() for n in range(1, 7)]
        self.assertEqual([1, 2, 4, 8, 10, 10], waits)
        self.assertEqual(2 * SECOND, delay(3, 0.0, base=SECOND, longest=timedelta(minutes=1)))

    @given(st.integers(0, 10**9), st.floats(0, 1), st.timedeltas(timedelta(0)), st.timedeltas(timedelta(0)))
    def test_bounds(self, failures: int, random: float, base: timedelta, longest: timedelta) -> None:
        """Any number of failures and any settings give a wait between nothing and the bound."""
        try:
            wait = delay(failures, random, base=base, longest=longest)
        except OverflowError:
            self.assertGreater(base, timedelta(days=365))
        else:
            self.assertTrue(timedelta(0) <= wait <= longest)


class AttemptsTests(TestCase):
    """Closed, open, half-open."""

    def setUp(self) -> None:
        self.attempts = Attempts(base=SECOND, longest=timedelta(seconds=8), max_keys=3)

    def test_closed(self) -> None:
        """Without a failure anybody may try, and several at once."""
        self.assertTrue(self.attempts.begin("a", NOW))
        self.assertTrue(self.attempts.begin("a", NOW))

    def test_open_then_one_probe(self) -> None:
        """After a failure nobody may until the time is over; then one may, and no second one."""
        self.attempts.failed("a", NOW, 1.0)
        self.assertFalse(self.attempts.begin("a", NOW + 0.99 * SECOND))
        self.assertTrue(self.attempts.allowed("a", NOW + SECOND))
        self.assertTrue(self.attempts.begin("a", NOW + SECOND))
        self.assertFalse(self.attempts.begin("a", NOW + SECOND))
        self.assertFalse(self.attempts.begin("a", NOW + 100 * SECOND))

    def test_probe_fails(self) -> None:
        """The next wait is longer, up to the bound."""
        now = NOW
        for seconds in (1, 2, 4, 8, 8):
            self.attempts.failed("a", now, 1.0)
            self.assertFalse(self.attempts.begin("a", now + (seconds - 0.01) * SECOND))
            now += seconds * SECOND
            self.assertTrue(self.attempts.begin("a", now))

    def test_probe_succeeds(self) -> None:
        """Closed again, and the count begins anew."""
        self.attempts.failed("a", NOW, 1.0)
        self.attempts.failed("a", NOW, 1.0)
        self.assertTrue(self.attempts.begin("a", NOW + 2 * SECOND))
        self.attempts.succeeded("a")
        self.assertTrue(self.attempts.begin("a", NOW + 2 * SECOND))
        self.attempts.failed("a", NOW, 1.0)
        self.assertTrue(self.attempts.allowed("a", NOW + SECOND))

    def test_lost_probe(self) -> None:
        """A probe that never reports does not close the way for ever."""
        self.attempts.failed("a", NOW, 1.0)
        self.assertTrue(self.attempts.begin("a", NOW + SECOND))
        later = NOW + SECOND + self.attempts.probe_for
        self.assertFalse(self.attempts.allowed("a", later - SECOND))
        self.assertTrue(self.attempts.begin("a", later))

    def test_keys_are_apart_and_bounded(self) -> None:
        """One object's failure says nothing about another; the one that failed longest ago is forgotten first."""
        for key in "abc":
            self.attempts.failed(key, NOW, 1.0)
        self.assertTrue(self.attempts.allowed("d", NOW))
        self.attempts.failed("a", NOW, 1.0)
        self.attempts.failed("d", NOW, 1.0)
        self.assertEqual([False, True, False, False], [self.attempts.allowed(key, NOW) for key in "abcd"])
