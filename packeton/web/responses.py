"""Heads of answers: dates, validators, 304, and which coding the client takes."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from twisted.web.iweb import IRequest

__all__ = ["accepts_gzip", "http_date", "not_modified", "send_bytes", "set_head"]


def http_date(moment: datetime) -> bytes:
    """Return an IMF-fixdate. Source: RFC 9110 section 5.6.7."""
    return format_datetime(moment.astimezone(UTC), usegmt=True).encode()


def accepts_gzip(request: IRequest) -> bool:
    """Say if the client takes gzip. Source: RFC 9110 section 12.5.3."""
    fields = b",".join(request.requestHeaders.getRawHeaders(b"accept-encoding") or ()).decode("latin-1").lower()
    for part in fields.split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return not re.fullmatch(r"\s*q=0(\.0{0,3})?\s*", weight)
    return False


def not_modified(request: IRequest, *, etag: str, last_modified: datetime, now: datetime) -> bool:
    """
    Say if the client's copy is the current one.

    If-None-Match wins over If-Modified-Since; a date that is not exactly ours counts only when it is not in the
    future, since Composer trusts a 304 blindly. Source: RFC 9110 sections 13.1.2, 13.1.3 and 13.2.2.
    """
    tags = b",".join(request.requestHeaders.getRawHeaders(b"if-none-match") or ()).decode("latin-1")
    if tags:
        wanted = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in wanted or etag.removeprefix("W/") in wanted
    since = request.requestHeaders.getRawHeaders(b"if-modified-since")
    if not since or len(since) > 1:
        return False
    if since[0] == http_date(last_modified):
        return True
    try:
        moment = parsedate_to_datetime(since[0].decode("latin-1"))
    except ValueError:
        return False
    return moment.tzinfo is not None and last_modified <= moment <= now


def set_head(request: IRequest, fields: dict[str, str]) -> None:
    """Set header fields of the answer."""
    for name, value in fields.items():
        request.setHeader(name.encode(), value.encode())


def send_bytes(request: IRequest, body: bytes, content_type: str) -> bytes:
    """Set the head for a whole small body and return what is to be written."""
    set_head(request, {"Content-Type": content_type, "Content-Length": str(len(body))})
    return b"" if request.method == b"HEAD" else body
