"""What the routes of the REST interface share: documents, pages of lists, and errors by field."""

import json
from typing import Any
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest

from packeton.errors import Invalid, InvalidFields, Taken
from packeton.web.responses import send_bytes

__all__ = ["PAGE", "page_of", "send_fields", "send_json", "send_nothing"]

PAGE = 25
"""Rows of a list in one answer."""
MAX_PAGE = 1_000_000


def send_json(request: IRequest, document: Any, status: int = 200) -> bytes:
    """Set the head and return a document for nobody else's cache."""
    request.setResponseCode(status)
    request.setHeader(b"cache-control", b"private, no-store")
    return send_bytes(request, json.dumps(document, ensure_ascii=False).encode(), "application/json")


def send_nothing(request: IRequest) -> bytes:
    """Set the head of an answer without a body."""
    request.setResponseCode(204)
    return b""


def send_fields(request: IRequest, error: InvalidFields | Taken) -> bytes:
    """Answer 400 with what is wrong with each field, as the reference does."""
    fields = {error.field: str(error)} if isinstance(error, Taken) else error.fields
    return send_json(request, fields, 400)


def page_of(request: IRequest) -> int:
    """Return how many rows to skip for `?page=`. Raises Invalid."""
    _, _, query = request.uri.partition(b"?")
    text = dict(parse_qsl(query.decode("latin-1"), max_num_fields=50)).get("page", "1")
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text[:9]) <= MAX_PAGE:
        raise Invalid("page must be a whole number from 1")
    return (int(text) - 1) * PAGE
