"""Conditional requests, from clients and to origins. Source: RFC 9110 section 13, RFC 9111 section 4.3."""

import re
from datetime import datetime
from enum import Enum

from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import Fields, end_to_end, read_date, values_of, without

__all__ = ["Outcome", "evaluate", "range_still_applies", "updated_headers", "validators"]

CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})
ENTITY_TAG = re.compile(r'[^,"]*(?:"[^"]*"[^,"]*)*')
"""One member of If-None-Match: inside an entity tag a backslash escapes nothing. Source: RFC 9110 section 8.8.3."""
NOT_UPDATED = frozenset({"content-length", "content-encoding", "content-md5", "content-range", "etag"})
"""Fields of a 304 that describe another body than the stored one. Source: RFC 9111 section 3.2."""


class Outcome(Enum):
    """What the conditions of a request come to."""

    PROCEED = 200
    NOT_MODIFIED = 304


def _same(one: str, other: str) -> bool:
    """Compare weakly. Source: RFC 9110 section 8.8.3.2."""
    return one.removeprefix("W/") == other.removeprefix("W/")


def evaluate(request: Fields, *, etag: str | None, last_modified: datetime | None) -> Outcome:
    """
    Evaluate what a cache answers itself: If-None-Match, and without it If-Modified-Since.

    Source: RFC 9110 section 13.2.2, RFC 9111 section 4.3.2.
    """
    lines = values_of(request, "if-none-match")
    tags = [tag.strip() for line in lines for tag in ENTITY_TAG.findall(line) if tag.strip()]
    if tags:
        matched = any(tag == "*" or (etag is not None and _same(tag, etag)) for tag in tags)
        return Outcome.NOT_MODIFIED if matched else Outcome.PROCEED
    since = values_of(request, "if-modified-since")
    moment = read_date(since[0]) if len(since) == 1 else None
    if moment is not None and last_modified is not None and last_modified <= moment:
        return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def range_still_applies(request: Fields, *, etag: str | None, last_modified: str | None) -> bool:
    """Say if If-Range lets a range be served: strong comparison, or the exact date. Source: RFC 9110 section 13.1.5."""
    condition = next(iter(values_of(request, "if-range")), None)
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return not condition.startswith("W/") and condition == etag
    return last_modified is not None and condition.strip() == last_modified.strip()


def validators(entry: CacheEntry, request: Fields) -> tuple[tuple[str, str], ...]:
    """Return *request* with the stored response's validators in place of its own conditions."""
    fields = without(request, CONDITIONS | {"range"})
    etag, modified = entry.header("etag"), entry.header("last-modified")
    if etag is not None:
        fields = (*fields, ("If-None-Match", etag))
    if modified is not None:
        fields = (*fields, ("If-Modified-Since", modified))
    return fields


def updated_headers(stored: Fields, fresh: Fields) -> tuple[tuple[str, str], ...]:
    """
    Return stored fields replaced by those of a 304. A stored Age goes, since age counts from the last validation.

    Source: RFC 9111 sections 3.2, 4.2.3 and 4.3.4.
    """
    new = without(end_to_end(fresh), NOT_UPDATED)
    return (*without(stored, {"age", *(name.lower() for name, _ in new)}), *new)
