"""Our cookies: which there are, and with which flags they go out."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen
from twisted.web.iweb import IRequest

__all__ = ["FORM", "REMEMBER", "SESSION", "Cookie", "read_cookie", "set_cookie", "take_cookie"]

MAX_VALUE: Final = 512


@frozen(kw_only=True)
class Cookie:
    """One of ours: never readable for scripts, and only sent encrypted where we are reached so."""

    name: str
    same_site: str
    max_age: timedelta | None = None
    """None: until the browser ends."""


SESSION: Final = Cookie(name="packeton", same_site="Strict")
FORM: Final = Cookie(name="packeton_form", same_site="Strict")
"""What the form tokens of visitors without a session are bound to."""
REMEMBER: Final = Cookie(name="pauth", same_site="Lax", max_age=timedelta(days=365))


def read_cookie(request: IRequest, cookie: Cookie) -> str | None:
    """Return the value that the client sent; None when there is none, or several that differ."""
    found = set()
    for field in request.requestHeaders.getRawHeaders(b"cookie") or ():
        for part in field.split(b";"):
            name, equals, value = part.strip().partition(b"=")
            if equals and name.decode("latin-1") == cookie.name:
                found.add(value.decode("latin-1").strip('"'))
    value = found.pop() if len(found) == 1 else None
    return value if value and len(value) <= MAX_VALUE else None


def set_cookie(request: IRequest, base: str, cookie: Cookie, value: str) -> None:
    """Send a cookie for all below *base*, our address as the client sees it."""
    _send(request, base, cookie, value, cookie.max_age)


def take_cookie(request: IRequest, base: str, cookie: Cookie) -> None:
    """Make the browser forget a cookie."""
    _send(request, base, cookie, "", timedelta(0))


def _send(request: IRequest, base: str, cookie: Cookie, value: str, max_age: timedelta | None) -> None:
    parts = urlsplit(base)
    fields = [f"{cookie.name}={value}", f"Path={parts.path or '/'}", "HttpOnly", f"SameSite={cookie.same_site}"]
    if max_age is not None:
        fields.append(f"Max-Age={int(max_age.total_seconds())}")
    if parts.scheme == "https":
        fields.append("Secure")
    request.responseHeaders.addRawHeader(b"set-cookie", "; ".join(fields).encode())
