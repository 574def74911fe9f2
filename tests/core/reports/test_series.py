"""Points of diagrams."""

from datetime import date, timedelta
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from packeton.core.reports.series import AVERAGES, natural_average, series
from packeton.errors import Invalid

FIRST = date(2026, 1, 1)


class SeriesTests(TestCase):
    """Averages of days, weeks and months."""

    def test_averages(self) -> None:
        """Sums are divided by the days of their unit, and rounded up."""
        counts = {FIRST: 7, FIRST + timedelta(days=6): 1, FIRST + timedelta(days=7): 1, date(2026, 2, 1): 62}
        last = date(2026, 2, 3)
        daily = series(counts, FIRST, date(2026, 1, 8), "daily")
        self.assertEqual(([7, 0, 0, 0, 0, 0, 1, 1], "2026-01-01"), (daily.values, daily.labels[0]))
        weekly = series(counts, FIRST, last, "weekly")
        self.assertEqual((["2026-01-01", "2026-01-08", "2026-01-15", "2026-01-22", "2026-01-29"], [2, 1, 0, 0, 9]), (weekly.labels, weekly.values))
        monthly = series(counts, FIRST, last, "monthly")
        self.assertEqual((["2026-01", "2026-02"], [1, 3]), (monthly.labels, monthly.values))
        self.assertEqual([], series(counts, last, FIRST, "daily").labels)

    def test_refused(self) -> None:
        """Unknown averages and endless ranges."""
        with self.assertRaisesRegex(Invalid, "daily, weekly, monthly"):
            series({}, FIRST, FIRST, "hourly")
        with self.assertRaises(Invalid):
            series({}, date(2000, 1, 1), date(2030, 1, 1), "daily")

    def test_natural_average(self) -> None:
        """By the length of the range."""
        for days, expected in ((1, "daily"), (210, "daily"), (230, "weekly"), (1400, "weekly"), (1500, "monthly")):
            self.assertEqual(expected, natural_average(FIRST, FIRST + timedelta(days=days)))

    @given(st.integers(0, 3000), st.sampled_from(AVERAGES))
    def test_every_day_is_in_one_point(self, days: int, average: str) -> None:
        """As many labels as values, each once."""
        found = series({}, FIRST, FIRST + timedelta(days=days), average)
        self.assertEqual(len(found.labels), len(found.values))
        self.assertEqual(len(found.labels), len(set(found.labels)))
