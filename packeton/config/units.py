"""Durations and sizes with their units."""

import re
from datetime import timedelta
from typing import Final

__all__ = ["duration", "duration_text", "size", "size_text"]

DURATIONS: Final = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
SIZES: Final = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
NUMBER = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)\s*")
LONGEST = timedelta(days=36500)


def duration(text: object) -> timedelta:
    """Read "15m", "30 s", "2h", "7d". Raises ValueError; a bare number is refused."""
    number, unit = _split(text, 'a duration with its unit, such as "30s", "15m" or "7d"')
    if unit.lower() not in DURATIONS:
        raise ValueError(f"must be a duration with its unit ({', '.join(DURATIONS)})")
    seconds = number * DURATIONS[unit.lower()]
    if seconds > LONGEST.total_seconds():
        raise ValueError("must be at most 36500d")
    return timedelta(seconds=seconds)


def duration_text(value: timedelta) -> str:
    """Return a duration in the largest unit that gives a whole number; `duration` reads it back."""
    seconds = value.total_seconds()
    for unit in ("d", "h", "m", "s"):
        if seconds % DURATIONS[unit] == 0:
            return f"{int(seconds // DURATIONS[unit])}{unit}"
    return f"{round(seconds * 1000)}ms"


def size(text: object) -> int:
    """Read "512MiB", "10GB", "0B" as bytes. Raises ValueError; a bare number is refused."""
    number, unit = _split(text, 'a size with its unit, such as "512MiB" or "10GB"')
    if unit.lower() not in SIZES:
        raise ValueError("must be a size with its unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)")
    return int(number * SIZES[unit.lower()])


def size_text(value: int) -> str:
    """Return a size in the largest unit that gives a whole number; `size` reads it back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % SIZES[unit.lower()] == 0:
            return f"{value // SIZES[unit.lower()]}{unit}"
    return f"{value}B"


def _split(text: object, wanted: str) -> tuple[float, str]:
    match = NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None or not match[2]:
        raise ValueError(f"must be {wanted}")
    return float(match[1]), match[2]
