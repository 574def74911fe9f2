"""Which stored response answers which request. Source: RFC 9111 section 4.1."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import Fields, list_members, values_of

__all__ = ["choose", "selecting_fields", "variant_of"]

LISTS = frozenset({"accept", "accept-charset", "accept-encoding", "accept-language"})


def selecting_fields(request: Fields, response: Fields) -> tuple[tuple[str, str], ...]:
    """Return the request's fields that the response's Vary names, normalised; "" for an absent one."""
    names = sorted({member.lower() for member in list_members(response, "vary")})
    return tuple((name, _normalised(name, values_of(request, name))) for name in names)


def variant_of(selecting: Sequence[tuple[str, str]]) -> str:
    """Return the secondary key; "" where nothing selects."""
    return sha256(repr(tuple(selecting)).encode()).hexdigest()[:32] if selecting else ""


def choose(entries: Iterable[CacheEntry], request: Fields) -> CacheEntry | None:
    """Return the most recent stored response that matches *request*."""
    for entry in sorted(entries, key=lambda entry: entry.received_at, reverse=True):
        if all(value == _normalised(name, values_of(request, name)) for name, value in entry.selecting):
            return entry
    return None


def _normalised(name: str, values: Sequence[str]) -> str:
    """
    Return lines as one, without white space around separators; lists of codings and the like in lower case.

    What holds a quoted string is left as it is, since spaces count inside.
    """
    text = ",".join(values).strip()
    if '"' not in text:
        text = "".join(part.strip() for part in re.split(r"([,;=])", text))
    return text.lower() if name in LISTS else text
