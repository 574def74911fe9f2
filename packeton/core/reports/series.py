"""
Installs by day → points of a diagram: daily, or averages of weeks and months.

Source: contract 02 section 7 of the reference: values are per-day averages, rounded up.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from attrs import frozen

from packeton.errors import Invalid

__all__ = ["AVERAGES", "Series", "natural_average", "series"]

AVERAGES: Final = ("daily", "weekly", "monthly")
DAYS_OF_MONTH: Final = 30.41
MAX_DAYS: Final = 20 * 366
DAILY_BELOW: Final = timedelta(days=7 * DAYS_OF_MONTH)
WEEKLY_BELOW: Final = timedelta(days=48 * DAYS_OF_MONTH)


@frozen(kw_only=True)
class Series:
    """The points of a diagram."""

    labels: Sequence[str]
    values: Sequence[int]
    average: str


def natural_average(first: date, last: date) -> str:
    """Return which average suits a range."""
    length = last - first
    return "daily" if length < DAILY_BELOW else "weekly" if length < WEEKLY_BELOW else "monthly"


def series(counts: Mapping[date, int], first: date, last: date, average: str) -> Series:
    """
    Return the points of a range, its ends among them; none where it ends before it begins.

    Raises:
        Invalid: The average is none, or the range is longer than 20 years.
    """
    if average not in AVERAGES:
        raise Invalid(f"average must be one of {', '.join(AVERAGES)}")
    if (last - first).days > MAX_DAYS:
        raise Invalid("the range is longer than 20 years")
    sums: dict[str, int] = {}
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        label = _label(day, first, average)
        sums[label] = sums.get(label, 0) + counts.get(day, 0)
    divisor = {"daily": 1.0, "weekly": 7.0, "monthly": DAYS_OF_MONTH}[average]
    return Series(
        labels=list(sums), values=[math.ceil(total / divisor) for total in sums.values()], average=average
    )


def _label(day: date, first: date, average: str) -> str:
    if average == "monthly":
        return day.strftime("%Y-%m")
    if average == "weekly":
        return (day - timedelta(days=(day - first).days % 7)).isoformat()
    return day.isoformat()
