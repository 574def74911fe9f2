"""A stored body as an answer: ranges, multipart ranges, and the bytes."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.core.caching.conditions import range_still_applies
from packeton.core.caching.fields import http_date
from packeton.core.caching.ranges import Slice, Unsatisfiable, multipart, read_ranges
from packeton.interfaces.blobs import IBlob
from packeton.web.responses import not_modified, request_fields, set_head
from packeton.web.streaming import BlobSource, BytesSource, ChainedSource, Source, stream

__all__ = ["send_blob", "send_file", "unchanging"]

YEAR = 365 * 24 * 3600


async def send_file(
    request: IRequest,
    blob: IBlob,
    *,
    sha256: str,
    stored_at: datetime,
    content_type: str,
    public: bool,
    clock: IReactorTime,
) -> bytes:
    """Send a file that never changes, or those parts that are asked for, or 304; close *blob* in any case."""
    etag, moment = f'"{sha256[:32]}"', stored_at.replace(microsecond=0)
    date = http_date(moment)
    head = {"Content-Type": content_type, "ETag": etag, "Last-Modified": date}
    set_head(request, {**head, "Cache-Control": unchanging(public=public)})
    if not_modified(request, etag=etag, last_modified=moment):
        blob.close()
        request.setResponseCode(304)
        return b""
    await send_blob(request, blob, etag=etag, last_modified=date, content_type=content_type, clock=clock)
    return b""


def unchanging(*, public: bool) -> str:
    """Return the Cache-Control of what never changes; only what is *public* is for shared caches."""
    return f"{'public' if public else 'private'}, max-age={YEAR}, immutable"


async def send_blob(
    request: IRequest,
    blob: IBlob,
    *,
    etag: str | None,
    last_modified: str | None,
    content_type: str,
    clock: IReactorTime,
) -> bool:
    """
    Send *blob*, or those parts of it that a Range asks for, and close it; the rest of the head must be set.

    Returns:
        False when the connection was cut; the request must not be touched then.
    Source: RFC 9110 section 14.
    """
    total = blob.size
    set_head(request, {"Accept-Ranges": "bytes"})
    try:
        slices = _slices(request, total, etag, last_modified)
    except Unsatisfiable:
        blob.close()
        request.setResponseCode(416)
        set_head(request, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
        return True
    source, length = _source(request, blob, slices, content_type)
    set_head(request, {"Content-Length": str(length)})
    if request.method == b"HEAD":
        source.close()
        return True
    return await stream(request, source, clock)


def _slices(request: IRequest, total: int, etag: str | None, last_modified: str | None) -> Sequence[Slice] | None:
    ranges = request.requestHeaders.getRawHeaders(b"range")
    if request.method != b"GET" or ranges is None or len(ranges) != 1:
        return None
    if not range_still_applies(request_fields(request), etag=etag, last_modified=last_modified):
        return None
    return read_ranges(ranges[0].decode("latin-1"), total)


def _source(
    request: IRequest, blob: IBlob, slices: Sequence[Slice] | None, content_type: str
) -> tuple[Source, int]:
    if slices is None:
        return BlobSource(blob), blob.size
    request.setResponseCode(206)
    if len(slices) == 1:
        set_head(request, {"Content-Range": slices[0].content_range(blob.size)})
        return BlobSource(blob, slices[0].first, slices[0].end), slices[0].size
    boundary = hashlib.sha256(repr((slices, blob.size)).encode()).hexdigest()[:32]
    heads, tail = multipart(slices, blob.size, content_type, boundary)
    set_head(request, {"Content-Type": f"multipart/byteranges; boundary={boundary}"})
    parts: list[Source] = []
    for head, part in zip(heads, slices, strict=True):
        parts += [BytesSource(head), BlobSource(blob, part.first, part.end, owner=False)]
    parts += [BytesSource(tail), BlobSource(blob, 0, 0)]
    length = sum(len(head) for head in heads) + len(tail) + sum(part.size for part in slices)
    return ChainedSource(parts), length
