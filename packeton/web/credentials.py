"""
Basic, Bearer, `?username=&apiToken=` and `?token=` → Credentials.

Composer sends Basic; forges' hooks can only send an address. What is malformed, doubled or over-long is refused like
a wrong password, never passed over.
"""

import binascii
from base64 import b64decode
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest

from packeton.core.access.tokens import MAX_SECRET
from packeton.errors import BadCredentials, Unauthenticated
from packeton.interfaces.authentication import Credentials

__all__ = ["read_credentials"]

MAX_HEADER = 8192
MAX_FIELDS = 100
MIN_BARE = 33
NAMES = ("token", "apiToken")
"""Parameters that hold a secret."""


def read_credentials(request: IRequest, *, query_tokens: bool) -> Credentials | None:
    """
    Return what the client sent to say who it is; None when it sent nothing.

    Args:
        query_tokens: Whether secrets may stand in the address.

    Raises:
        BadCredentials: malformed, doubled or over-long.
        Unauthenticated: a secret stands in the address, and may not.
    """
    fields = request.requestHeaders.getRawHeaders(b"authorization") or []
    if fields:
        return _sound(_from_header(fields))
    _, _, query = request.uri.partition(b"?")
    if not any(name.encode() in query for name in NAMES):
        return None
    found = _from_query(query)
    if found is not None and not query_tokens:
        raise Unauthenticated("Tokens in the address are not accepted here; send them as HTTP Basic authentication.")
    return None if found is None else _sound(found)


def _from_header(fields: list[bytes]) -> Credentials:
    if len(fields) > 1 or len(fields[0]) > MAX_HEADER:
        raise BadCredentials("more than one Authorization field, or a too long one")
    scheme, _, value = fields[0].strip().partition(b" ")
    value = value.strip()
    if scheme.lower() == b"bearer" and value:
        return Credentials(username=None, secret=_decoded(value))
    if scheme.lower() != b"basic":
        raise BadCredentials("the Authorization field is neither Basic nor Bearer")
    try:
        name, colon, secret = _decoded(b64decode(value, validate=True)).partition(":")
    except binascii.Error as error:
        raise BadCredentials("the Basic credentials are not base64") from error
    if not colon:
        raise BadCredentials("the Basic credentials have no colon")
    return Credentials(username=name, secret=secret)


def _from_query(query: bytes) -> Credentials | None:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise BadCredentials("the query cannot be read") from error
    given = [(name, value) for name, value in pairs if name in {"token", "apiToken", "username"}]
    values = dict(given)
    if len(values) < len(given):
        raise BadCredentials("a credential stands twice in the address")
    if "username" in values and "apiToken" in values:
        return Credentials(username=values["username"], secret=values["apiToken"])
    if "token" not in values:
        return None
    token = values["token"]
    if token.count(":") == 1:
        name, _, secret = token.partition(":")
        return Credentials(username=name, secret=secret)
    if len(token) < MIN_BARE:
        raise BadCredentials("the token is too short to stand alone")
    return Credentials(username="token", secret=token)


def _sound(credentials: Credentials) -> Credentials:
    name, secret = credentials.username or "", credentials.secret
    if not secret:
        raise BadCredentials("the secret is empty", name=name)
    if len(secret) > MAX_SECRET or not secret.isprintable() or not name.isprintable():
        raise BadCredentials("the credentials are too long or have control characters")
    return credentials


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
