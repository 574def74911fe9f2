"""Reading what a client posted, within bounds."""

import json
from json import JSONDecodeError
from typing import Any

from twisted.web.iweb import IRequest

from packeton.errors import Invalid, TooLarge

__all__ = ["MAX_POSTED_BYTES", "read_json_object", "read_posted"]

MAX_POSTED_BYTES = 2 << 20
"""Composer posts the names of all installed packages at once: some 100 KB for the largest projects."""


def read_posted(request: IRequest, max_bytes: int = MAX_POSTED_BYTES) -> bytes:
    """Return the request's body. Raises TooLarge when it is over *max_bytes*."""
    content = request.content
    if content is None:
        return b""
    content.seek(0)
    body: bytes = content.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    return body


def read_json_object(request: IRequest, max_bytes: int = MAX_POSTED_BYTES) -> dict[str, Any]:
    """
    Return the JSON object in the request's body.

    Raises:
        TooLarge: it is over *max_bytes*.
        Invalid: it is no JSON, or no object; the text says where it stops being some.
    """
    body = read_posted(request, max_bytes)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        told = f"{error.msg} at line {error.lineno}, column {error.colno}" if isinstance(error, JSONDecodeError) else ""
        raise Invalid(f"the body is no JSON: {told or 'not UTF-8, or nested too deep'}") from error
    if not isinstance(document, dict):
        raise Invalid("the body must be a JSON object")
    return document
