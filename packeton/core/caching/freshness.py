"""
May a response be stored, how old is it, how long is it fresh, and what may be done with it now.

The rules of a shared cache; times are arguments. Source: RFC 9111, RFC 5861.
"""

from datetime import datetime, timedelta
from enum import Enum

from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import Directives, Fields, age_of, read_date, values_of

__all__ = ["Verdict", "current_age", "judge", "lifetime", "may_be_stored", "may_serve_after_failure"]

ZERO = timedelta(0)
HEURISTIC = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be cached without being told. Source: RFC 9110 section 15.1."""
UNDERSTOOD = HEURISTIC | {302, 303, 307, 400, 401, 403, 406, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504}
"""Statuses whose caching rules we follow. Source: RFC 9111 section 5.2.2.3."""
HEURISTIC_PART = 0.1
LONGEST_HEURISTIC = timedelta(days=1)


class Verdict(Enum):
    """What to do for a request that a stored response matches."""

    SERVE = "serve"
    SERVE_AND_REVALIDATE = "serve and revalidate behind"
    REVALIDATE = "revalidate"


def _first(fields: Fields, name: str) -> str | None:
    return next(iter(values_of(fields, name)), None)


def may_be_stored(method: str, request: Fields, status: int, response: Fields) -> bool:
    """Say if a shared cache may keep this response. Source: RFC 9111 section 3."""
    asked, told = Directives.read(request), Directives.read(response)
    if method != "GET" or status < 200 or status in {206, 304}:
        return False
    if "must-understand" in told and status not in UNDERSTOOD:
        return False
    if "no-store" in told or "no-store" in asked or ("private" in told and not told.names("private")):
        return False
    shared = any(name in told for name in ("public", "s-maxage", "must-revalidate"))
    if values_of(request, "authorization") and not shared:
        return False
    if any(value.strip() == "*" for line in values_of(response, "vary") for value in line.split(",")):
        return False
    explicit = any(name in told for name in ("max-age", "s-maxage", "public")) or values_of(response, "expires")
    return bool(explicit) or status in HEURISTIC


def lifetime(status: int, response: Fields, received_at: datetime) -> timedelta:
    """Return how long a response is fresh, from its generation on. Source: RFC 9111 sections 4.2.1 and 4.2.2."""
    told = Directives.read(response)
    for name in ("s-maxage", "max-age"):
        seconds = told.seconds(name)
        if seconds is not None:
            return seconds
    date = read_date(_first(response, "date")) or received_at
    expires = values_of(response, "expires")
    if expires:
        moment = read_date(expires[0]) if len(expires) == 1 else None
        return ZERO if moment is None else max(ZERO, moment - date)
    modified = read_date(_first(response, "last-modified"))
    if modified is None or modified > date or not (status in HEURISTIC or "public" in told):
        return ZERO
    return min(LONGEST_HEURISTIC, (date - modified) * HEURISTIC_PART)


def current_age(entry: CacheEntry, now: datetime) -> timedelta:
    """Return the age of a stored response. Source: RFC 9111 section 4.2.3."""
    date = read_date(entry.header("date")) or entry.received_at
    apparent = max(ZERO, entry.received_at - date)
    corrected = age_of(entry.headers) + (entry.received_at - entry.requested_at)
    return max(apparent, corrected) + max(ZERO, now - entry.received_at)


def judge(entry: CacheEntry, request: Fields, now: datetime) -> Verdict:
    """Decide what may be done with a stored response that matches. Source: RFC 9111 sections 4 and 5.2, RFC 5861."""
    asked, told = Directives.read(request), Directives.read(entry.headers)
    if "no-cache" in asked or (not asked and "no-cache" in Directives.read(request, "pragma")):
        return Verdict.REVALIDATE
    if "no-cache" in told and not told.names("no-cache"):
        return Verdict.REVALIDATE
    age, fresh = current_age(entry, now), lifetime(entry.status, entry.headers, entry.received_at)
    limit = asked.seconds("max-age")
    if limit is not None and age > limit:
        return Verdict.REVALIDATE
    if age + (asked.seconds("min-fresh") or ZERO) < fresh:
        return Verdict.SERVE
    if _must_revalidate(told) or "min-fresh" in asked:
        return Verdict.REVALIDATE
    if "max-stale" in asked and (not asked.names("max-stale") or age - fresh <= (asked.seconds("max-stale") or ZERO)):
        return Verdict.SERVE
    behind = told.seconds("stale-while-revalidate")
    if behind is not None and age < fresh + behind and limit is None:
        return Verdict.SERVE_AND_REVALIDATE
    return Verdict.REVALIDATE


def may_serve_after_failure(entry: CacheEntry, request: Fields, now: datetime) -> bool:
    """
    Say if a stale response may be served because its revalidation failed: only where stale-if-error allows it.

    Source: RFC 9111 section 4.2.4, RFC 5861 section 4.
    """
    asked, told = Directives.read(request), Directives.read(entry.headers)
    if _must_revalidate(told) or "no-cache" in told or "no-cache" in asked:
        return False
    staleness = current_age(entry, now) - lifetime(entry.status, entry.headers, entry.received_at)
    allowed = told.seconds("stale-if-error")
    if allowed is None:
        allowed = asked.seconds("stale-if-error")
    return allowed is not None and staleness <= allowed


def _must_revalidate(told: Directives) -> bool:
    return "must-revalidate" in told or "proxy-revalidate" in told or "s-maxage" in told

