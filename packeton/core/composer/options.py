"""
`options` of a Composer repository: how its own server is asked.

Both Composer's names (PHP's stream context: `header`) and those of the reference system's HTTP client (`headers`) are
read. Source: https://www.php.net/manual/context.http.php; Composer's documentation, "repositories", `options`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from packeton.errors import Invalid

__all__ = ["HttpOptions"]

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OURS = frozenset({"connection", "content-length", "host", "transfer-encoding"})
KNOWN = frozenset({"header", "headers", "proxy", "timeout", "max_duration"})
LONGEST = 24 * 3600


@frozen(kw_only=True)
class HttpOptions:
    """What one mirror asks for besides the settings of all upstreams."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent to the upstream's own host and port only."""
    proxy: str | None = field(default=None, repr=False)
    """`http://[user:password@]host:port`; "" for none, whatever the environment says."""
    timeout: timedelta | None = None
    """For the head of an answer, and for each silence in it."""
    max_duration: timedelta | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> "HttpOptions":
        """Read `options`. Raises Invalid, which names what is wrong and tells no value."""
        unknown = sorted(str(key) for key in options if key != "http")
        if unknown:
            raise Invalid(f"{unknown[0]}: not supported here; only http is")
        http = options.get("http") or {}
        if not isinstance(http, Mapping):
            raise Invalid("http: must be a map")
        unknown = sorted(str(key) for key in http if key not in KNOWN)
        if unknown:
            raise Invalid(f"http.{unknown[0]}: not known; there are {', '.join(sorted(KNOWN))}")
        return cls(
            headers=tuple(pair for key in ("header", "headers") for pair in _headers(key, http.get(key))),
            proxy=_proxy(http.get("proxy")),
            timeout=_seconds("timeout", http.get("timeout")),
            max_duration=_seconds("max_duration", http.get("max_duration")),
        )


def _headers(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        lines = [f"{name}: {text}" for name, texts in value.items() for text in _list(texts)]
    else:
        lines = [line for text in _list(value) for line in str(text).split("\r\n") if line]
    for line in lines:
        name, colon, text = line.partition(":")
        if not colon or not NAME.fullmatch(name) or not text.isprintable() or not text.isascii():
            raise Invalid(f"http.{key}: a field is `Name: value` in ASCII")
        if name.lower() in OURS:
            raise Invalid(f"http.{key}: {name} is not for you to set")
        yield name, text.strip()


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _proxy(value: Any) -> str | None:
    if value is None:
        return None
    text = re.sub(r"^tcp://", "http://", value) if isinstance(value, str) else "-"
    try:
        parts = urlsplit(text)
        usable = text == "" or (parts.scheme == "http" and parts.hostname and parts.port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise Invalid("http.proxy: must be http://[user:password@]host:port")
    return text


def _seconds(key: str, value: Any) -> timedelta | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST:
        raise Invalid(f"http.{key}: must be a number of seconds above 0")
    return timedelta(seconds=value)
