"""Days as people write them: `2026-12-31`, kept as midnight UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from packeton.errors import Invalid

__all__ = ["day_text", "parse_day", "parse_end"]

DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T[0-9:.]+(?:Z|[+-]\d{2}:?\d{2})?)?")
SPAN: Final = re.compile(r"(\d{1,5})\s*(?:d|days?)")


def parse_day(text: str) -> datetime:
    """Return midnight UTC of `YYYY-MM-DD`; a time behind it does not count. Raises Invalid."""
    match = DAY.fullmatch(text.strip())
    try:
        if match is not None:
            return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise Invalid(f"{text[:40]!r} is no date of the form YYYY-MM-DD")


def parse_end(text: str, now: datetime) -> datetime:
    """Return when something ends: a day as `parse_day`, or `30d` from *now*. Raises Invalid."""
    match = SPAN.fullmatch(text.strip())
    return parse_day(text) if match is None else now + timedelta(days=int(match[1]))


def day_text(moment: datetime | None) -> str | None:
    """Return an instant as RFC 3339 has it, to the second; None for none."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
