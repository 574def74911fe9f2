"""Header fields that caching turns on: parsed strictly where it matters, forgiving where caches should be."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from attrs import field, frozen

__all__ = [
    "Directives", "Fields", "age_of", "end_to_end", "first_of", "http_date", "list_members", "read_date", "values_of",
    "without",
]  # fmt: skip

Fields = Sequence[tuple[str, str]]

LONGEST_SECONDS = 2**31
DIRECTIVE = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*)))?\s*(?:,|$)')
MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[^,"])++', re.DOTALL)
"""One member; a quote that is never closed goes on to the end. Possessive, so that it is linear for any input."""
HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
IMF = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun), (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt", re.ASCII)
RFC850 = re.compile(r"[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt", re.ASCII)
ASCTIME = re.compile(r"[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})", re.ASCII)


def values_of(fields: Fields, name: str) -> list[str]:
    """Return the values of all lines of a field."""
    return [value for key, value in fields if key.lower() == name]


def first_of(fields: Fields, name: str) -> str | None:
    """Return the value of the first line of a field; None without one."""
    return next((value for key, value in fields if key.lower() == name), None)


def list_members(fields: Fields, name: str) -> Iterator[str]:
    """Yield the members of a list field over all its lines, outside quotes. Source: RFC 9110 section 5.6.1."""
    for value in values_of(fields, name):
        for member in MEMBER.findall(value):
            if member.strip():
                yield member.strip()


@frozen
class Directives:
    """
    Cache-Control, of a request or a response.

    Names are case-insensitive; of a repeated one the first counts, but for durations the shortest. A value that cannot
    be read makes the response stale. Source: RFC 9111 sections 5.2 and 4.2.1.
    """

    _values: Mapping[str, list[str | None]] = field(factory=dict)

    @classmethod
    def read(cls, fields: Fields, name: str = "cache-control") -> "Directives":
        """Parse all lines of the field."""
        found: dict[str, list[str | None]] = {}
        for line in values_of(fields, name):
            at = 0
            while at < len(line):
                match = DIRECTIVE.match(line, at)
                if match is None:  # nonsense up to the next comma
                    comma = line.find(",", at)
                    at = len(line) if comma < 0 else comma + 1
                    continue
                value = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
                found.setdefault(match[1].lower(), []).append(value)
                at = match.end() if match.end() > at else len(line)
        return cls(found)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __bool__(self) -> bool:
        return bool(self._values)

    def seconds(self, name: str) -> timedelta | None:
        """Return a duration; None when absent, zero when it cannot be read. Larger than 2^31 s is 2^31 s."""
        if name not in self._values:
            return None
        read = [_delta_seconds(value) for value in self._values[name]]
        return min(value if value is not None else timedelta(0) for value in read)

    def names(self, name: str) -> frozenset[str]:
        """
        Return the field names that a directive is limited to, lower case; empty when it is not limited.

        Of a directive that stands there with and without names, the one without counts: it forbids more.
        """
        values = self._values.get(name, [])
        if not all(values):
            return frozenset()
        listed = ",".join(value or "" for value in values)
        return frozenset(part.strip().lower() for part in listed.split(",") if part.strip())


def _delta_seconds(text: str | None) -> timedelta | None:
    """Read delta-seconds. Source: RFC 9111 section 1.2.2."""
    if text is None or not re.fullmatch(r"[0-9]+", text):
        return None
    return timedelta(seconds=min(LONGEST_SECONDS, int(text[-20:]) if len(text) < 20 else LONGEST_SECONDS))


def age_of(fields: Fields) -> timedelta:
    """
    Return the Age of a response; zero when it is absent.

    Of a list in one line the first member counts. What is no number, stands in several lines or repeats itself was made
    by something broken on the way, and counts as too old to be fresh. Source: RFC 9111 section 5.1.
    """
    lines = values_of(fields, "age")
    if not lines:
        return timedelta(0)
    members = [member.strip() for member in lines[0].split(",")]
    ages = [_delta_seconds(member) for member in members]
    if len(lines) > 1 or None in ages or len(set(ages)) < len(ages):
        return timedelta(seconds=LONGEST_SECONDS)
    return ages[0] or timedelta(0)


def read_date(text: str | None) -> datetime | None:
    """Read an HTTP date in any of its three forms; None for anything else. Source: RFC 9110 section 5.6.7."""
    if text is None:
        return None
    lower = text.strip().lower()
    if match := IMF.fullmatch(lower):
        day, month, year, *clock = match.groups()
    elif match := RFC850.fullmatch(lower):
        day, month, short, *clock = match.groups()
        year = str(int(short) + (1900 if int(short) >= 70 else 2000))
    elif match := ASCTIME.fullmatch(lower):
        month, day, *clock, year = match.groups()
    else:
        return None
    try:
        hour, minute, second = (int(part) for part in clock)
        return datetime(int(year), MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def http_date(moment: datetime) -> str:
    """Write an HTTP date."""
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = MONTHS[moment.month - 1].capitalize()
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def end_to_end(fields: Fields) -> tuple[tuple[str, str], ...]:
    """Return the fields without those of one connection. Source: RFC 9110 section 7.6.1."""
    listed = {member.lower() for member in list_members(fields, "connection")}
    return tuple((name, value) for name, value in fields if name.lower() not in HOP_BY_HOP | listed)


def without(fields: Fields, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the fields but for these names, given in lower case."""
    left_out = frozenset(names)
    return tuple((name, value) for name, value in fields if name.lower() not in left_out)
