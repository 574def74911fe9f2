"""Durations and sizes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.config.units import duration, duration_text, size, size_text


class UnitTests(SynchronousTestCase):
    """Both ways."""

    @given(st.integers(0, 10**9))
    def test_durations(self, seconds: int) -> None:
        """What is written is read back."""
        self.assertEqual(timedelta(seconds=seconds), duration(duration_text(timedelta(seconds=seconds))))

    @given(st.integers(0, 2**39))
    def test_sizes(self, number: int) -> None:
        """What is written is read back."""
        self.assertEqual(number, size(size_text(number)))

    def test_refused(self) -> None:
        """Bare numbers, other units, other types."""
        for text in (5, "5", "", "m", "-1s", "1 parsec", None, "1e9s", "99999999w"):
            with self.assertRaises(ValueError):
                duration(text)
        for text in (5, "5", "5 elephants", None, "-1MB"):
            with self.assertRaises(ValueError):
                size(text)
