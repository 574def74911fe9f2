"""What all routes of the API share: JSON bodies in and out, queries, bounded figures."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import orjson
from twisted.web.iweb import IRequest

from packeton.errors import Invalid, InvalidFields, TooLarge
from packeton.web.responses import send_bytes

__all__ = ["MAX_PAGE", "Query", "failed", "query_of", "reply"]

MAX_QUERY_BYTES = 4096
MAX_PAGE = 100_000
PRIVATE = b"private, no-store"


class Query:
    """The query of an address; each name may stand several times."""

    def __init__(self, text: bytes) -> None:
        try:
            self._values = parse_qs(
                text[:MAX_QUERY_BYTES].decode("latin-1"), keep_blank_values=True, max_num_fields=100
            )
        except ValueError as error:
            raise Invalid("the query cannot be read") from error

    def __or__(self, fields: Mapping[str, str]) -> "Query":
        """Return one that also has these, of a form; they come last."""
        both = Query(b"")
        both._values = {**self._values, **{name: [*self._values.get(name, ()), text] for name, text in fields.items()}}
        return both

    def text(self, name: str) -> str | None:
        """Return the last value under *name*; None: there is none."""
        values = self._values.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> Sequence[str]:
        """Return all values under *name* or `name[]`, or `name[0]` …"""
        found = [*self._values.get(name, ()), *self._values.get(f"{name}[]", ())]
        for key, values in self._values.items():
            if key.startswith(f"{name}[") and key[len(name) + 1 : -1].isdecimal():
                found += values
        return found

    def number(self, name: str, default: int, *, most: int, least: int = 1) -> int:
        """Return a figure. Raises Invalid: it is none, or out of bounds."""
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise Invalid(f"{name} must be a number from {least} to {most}")
        return int(text)

    def flag(self, name: str) -> bool | None:
        """Return yes or no; None: it does not stand there."""
        text = self.text(name)
        return None if text is None else text.lower() not in {"", "0", "false", "off", "no"}


def query_of(request: IRequest) -> Query:
    """Return the query of a request."""
    return Query(request.uri.partition(b"?")[2])


def reply(request: IRequest, document: Any, status: int = 200) -> bytes:
    """Answer with JSON that no cache keeps: it is for this caller."""
    request.setResponseCode(status)
    request.setHeader(b"cache-control", PRIVATE)
    return send_bytes(request, orjson.dumps(document), "application/json")


def failed(request: IRequest, error: Invalid, status: int = 406) -> bytes:
    """
    Answer with what is wrong with an input: by field where that is known. Source: the reference's 406.

    Raises:
        TooLarge: That is it, and has a status of its own.
    """
    if isinstance(error, TooLarge):
        raise error
    message: Any = error.fields if isinstance(error, InvalidFields) else str(error)
    return reply(request, {"status": "error", "message": message}, status)
