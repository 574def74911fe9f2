"""Reading what a client posted, within bounds."""

from twisted.web.iweb import IRequest

from packeton.errors import TooLarge

__all__ = ["MAX_POSTED_BYTES", "read_posted"]

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
