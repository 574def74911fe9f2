"""Heads of answers: dates, validators, 304, and which coding the client takes."""

import re
from datetime import datetime

from twisted.web.iweb import IRequest

from packeton.core.caching.conditions import Outcome, evaluate
from packeton.core.caching.fields import Fields
from packeton.core.texts import legible

__all__ = ["accepts_gzip", "not_modified", "request_fields", "send_bytes", "set_head", "user_agent"]


def request_fields(request: IRequest) -> Fields:
    """Return the header fields of a request, in order."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
    )


def user_agent(request: IRequest) -> str:
    """Return what the client calls itself, in characters that can be stored and logged; "" when it does not say."""
    return legible((request.requestHeaders.getRawHeaders(b"user-agent") or [b""])[0].decode("latin-1"))


def accepts_gzip(request: IRequest) -> bool:
    """Say if the client takes gzip. Source: RFC 9110 section 12.5.3."""
    fields = b",".join(request.requestHeaders.getRawHeaders(b"accept-encoding") or ()).decode("latin-1").lower()
    for part in fields.split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return not re.fullmatch(r"\s*q=0(\.0{0,3})?\s*", weight)
    return False


def not_modified(request: IRequest, *, etag: str, last_modified: datetime) -> bool:
    """Say if the client's copy is the current one: If-None-Match, and without it If-Modified-Since."""
    return evaluate(request_fields(request), etag=etag, last_modified=last_modified) is Outcome.NOT_MODIFIED


def set_head(request: IRequest, fields: dict[str, str]) -> None:
    """Set header fields of the answer."""
    for name, value in fields.items():
        request.setHeader(name.encode(), value.encode())


def send_bytes(request: IRequest, body: bytes, content_type: str) -> bytes:
    """Set the head for a whole small body and return what is to be written."""
    set_head(request, {"Content-Type": content_type, "Content-Length": str(len(body))})
    return b"" if request.method == b"HEAD" else body
