"""A rendered document as an answer: validators, 304, gzip."""

from collections.abc import Awaitable, Callable

from twisted.web.iweb import IRequest

from packeton.core.caching.fields import http_date
from packeton.errors import NotFound, PacketonError
from packeton.features.mirroring.mirrors import Mirror
from packeton.features.mirroring.renditions import Rendered, Rendition, Renditions
from packeton.web.responses import accepts_gzip, not_modified, send_bytes, set_head

__all__ = ["Make", "send_rendition"]

Make = Callable[[], Awaitable[Rendition]]


async def send_rendition(request: IRequest, mirror: Mirror, make: Make, renditions: Renditions) -> bytes:
    """
    Answer with the document that *make* finds; *make* has asked whether the caller may see it.

    Raises:
        NotFound, UpstreamFailed: as *make* does; the text of the latter names the mirror.
    """
    try:
        rendition, rendered = await _made(make, renditions)
    except NotFound:
        raise
    except PacketonError as error:
        raise error.of(f"mirror {mirror.rules.alias}") from error
    fields = {
        "ETag": rendition.etag,
        "Last-Modified": http_date(rendition.last_modified),
        "Cache-Control": f"{'public' if mirror.rules.public else 'private'}, max-age=0, must-revalidate",
        "X-Cache": rendition.outcome.value,
    }
    if not request.responseHeaders.hasHeader(b"vary"):
        fields["Vary"] = "Accept-Encoding"
    set_head(request, fields)
    if not_modified(request, etag=rendition.etag, last_modified=rendition.last_modified):
        request.setResponseCode(304)
        return b""
    coded = accepts_gzip(request) and len(rendered.gzipped) < len(rendered.body)
    if coded:
        request.setHeader(b"content-encoding", b"gzip")
    return send_bytes(request, rendered.gzipped if coded else rendered.body, "application/json")


async def _made(make: Make, renditions: Renditions) -> tuple[Rendition, Rendered]:
    """Find and render; once more when the stored body vanished in between."""
    rendition = await make()
    try:
        return rendition, await renditions.rendered(rendition)
    except NotFound:
        rendition = await make()
        return rendition, await renditions.rendered(rendition)
