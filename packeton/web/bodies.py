"""Reading what a client posted, within bounds."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import orjson
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from packeton.errors import Invalid, TooLarge

__all__ = [
    "MAX_POSTED_BYTES", "content_type_of", "form_of", "read_fields", "read_form", "read_json_object", "read_posted",
]  # fmt: skip

FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
MAX_FIELDS = 100
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
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    if not isinstance(document, dict):
        raise Invalid("the body must be a JSON object")
    return document


def read_form(request: IRequest, max_bytes: int = MAX_POSTED_BYTES) -> Mapping[str, str] | None:
    """
    Return the fields of a posted form, the last of each name; None where the body is no form.

    Raises:
        TooLarge: it is over *max_bytes*.
        Invalid: it is malformed, or has too many fields.
    """
    head = content_type_of(request)
    return form_of(head, read_posted(request, max_bytes)) if parse_options_header(head)[0] in FORMS else None


def content_type_of(request: IRequest) -> str:
    """Return what the client says that its body is."""
    values: list[bytes] = request.requestHeaders.getRawHeaders(b"content-type") or [b""]
    return values[0].decode("latin-1")


def form_of(content_type: str, body: bytes) -> Mapping[str, str] | None:
    """Return the fields of a form, as `read_form`. Takes long for a large one: off the reactor thread."""
    kind, options = parse_options_header(content_type)
    if kind not in FORMS:
        return None
    try:
        if kind == "multipart/form-data":
            boundary = options.get("boundary", "").encode("latin-1")
            parser = MultiPartParser(max_form_memory_size=len(body), max_form_parts=MAX_FIELDS)
            fields, files = parser.parse(BytesIO(body), boundary, len(body))
            for file in files.values():
                file.close()
            return {name: values[-1] for name, values in fields.lists()}
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (ValueError, HTTPException) as error:
        raise Invalid("the form cannot be read") from error


def read_fields(request: IRequest, max_bytes: int = MAX_POSTED_BYTES) -> Mapping[str, Any]:
    """Return what was posted, as a form or as a JSON object. Raises as these."""
    form = read_form(request, max_bytes)
    return read_json_object(request, max_bytes) if form is None else form
