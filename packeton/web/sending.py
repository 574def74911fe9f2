"""A stored body as an answer: validators, ranges, and the bytes."""

from datetime import datetime

from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.interfaces.blobs import IBlob
from packeton.interfaces.clocks import now_of
from packeton.web.responses import http_date, not_modified, set_head
from packeton.web.streaming import BlobSource, stream

__all__ = ["send_blob"]


async def send_blob(
    request: IRequest, blob: IBlob, *, etag: str, last_modified: datetime, clock: IReactorTime
) -> bytes:
    """
    Answer with *blob*, or the part of it that was asked for; closes it.

    Source: RFC 9110 sections 13 and 14.
    """
    set_head(request, {"ETag": etag, "Last-Modified": http_date(last_modified).decode(), "Accept-Ranges": "bytes"})
    moment = last_modified.replace(microsecond=0)
    if not_modified(request, etag=etag, last_modified=moment, now=now_of(clock)()):
        blob.close()
        request.setResponseCode(304)
        return b""
    set_head(request, {"Content-Length": str(blob.size)})
    if request.method == b"HEAD":
        blob.close()
        return b""
    await stream(request, BlobSource(blob), clock)
    return b""
