"""A rendered document as an answer: validators, 304, gzip."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from twisted.web.iweb import IRequest

from packeton.core.caching.fields import http_date
from packeton.errors import NotFound, PacketonError
from packeton.features.mirroring.mirrors import Mirror, Rendition
from packeton.features.mirroring.renditions import Rendered, Renditions
from packeton.web.responses import accepts_gzip, not_modified, send_bytes, set_head

__all__ = ["Make", "send_rendition"]

Make = Callable[[], Awaitable[Rendition]]


async def send_rendition(
    request: IRequest, mirror: Mirror, make: Make, renditions: Renditions
) -> bytes:
    """
    Answer with the document that *make* finds.

    Raises:
        NotFound, UpstreamFailed: as *make* does; the text of the latter names the mirror.
    """
    try:
        rendition, rendered = await _made(mirror, make, renditions)
    except NotFound:
        raise
    except PacketonError as error:
        raise error.of(f"mirror {mirror.rules.alias}") from error
    etag = _etag(rendition)
    set_head(
        request,
        {
            "ETag": etag,
            "Last-Modified": http_date(rendition.last_modified),
            "Cache-Control": f"{'public' if mirror.rules.public else 'private'}, max-age=0, must-revalidate",
            "Vary": "Accept-Encoding",
            "X-Cache": rendition.document.outcome.value,
        },
    )
    if not_modified(request, etag=etag, last_modified=rendition.last_modified):
        request.setResponseCode(304)
        return b""
    coded = accepts_gzip(request) and len(rendered.gzipped) < len(rendered.body)
    if coded:
        request.setHeader(b"content-encoding", b"gzip")
    return send_bytes(request, rendered.gzipped if coded else rendered.body, "application/json")


async def _made(mirror: Mirror, make: Make, renditions: Renditions) -> tuple[Rendition, Rendered]:
    """Find and render; once more when the stored body vanished in between."""
    rendition = await make()
    try:
        return rendition, await renditions.rendered(mirror, rendition)
    except NotFound:
        rendition = await make()
        return rendition, await renditions.rendered(mirror, rendition)


def _etag(rendition: Rendition) -> str:
    """Return a weak validator: the same document in two codings has one."""
    digest = sha256(f"{rendition.document.entry.sha256} {rendition.variant}".encode()).hexdigest()
    return f'W/"{digest[:32]}"'
