"""GET mirror/<alias>/zipball/…: one dist, from the store or while it arrives."""

import re

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.core.caching.fields import http_date
from packeton.core.composer.names import PackageName
from packeton.errors import NotFound, PacketonError
from packeton.features.mirroring.directory import MirrorDirectory, reads_only
from packeton.features.mirroring.dists import ArrivingDist, DistRequest, StoredDist
from packeton.web.access import Gate
from packeton.web.responses import not_modified, set_head
from packeton.web.sending import send_blob
from packeton.web.streaming import stream

__all__ = ["DistRoutes"]

FILE = re.compile(r"ref(?P<reference>[A-Za-z0-9._+-]*)\.(?P<type>[a-z][a-z0-9]{0,9})")
YEAR = 365 * 24 * 3600


class DistRoutes:
    """The dists of all mirrors."""

    def __init__(self, directory: MirrorDirectory, clock: IReactorTime, gate: Gate) -> None:
        self._directory = directory
        self._gate = gate
        self._clock = clock

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/mirror/<alias>/zipball/<vendor>/<name>/<version>/<file>", methods=["GET", "HEAD"])(self.zipball)

    async def zipball(self, request: IRequest, alias: str, vendor: str, name: str, version: str, file: str) -> bytes:
        """Send one dist; its first byte goes out before its last has come in."""
        identity = await self._gate.mirror_user(request)
        site = self._directory.open(alias, identity)
        match = FILE.fullmatch(file)
        if match is None:
            raise NotFound("no such dist")
        package = PackageName.parse(f"{vendor}/{name}")
        wanted = DistRequest(package=package, version=version, reference=match["reference"], type=match["type"])
        try:
            dist = await site.dists.open(wanted, read_only=reads_only(identity))
        except NotFound:
            raise
        except PacketonError as error:
            raise error.of(f"mirror {alias}") from error
        audience = "public" if site.mirror.rules.public else "private"
        set_head(request, {"Cache-Control": f"{audience}, max-age={YEAR}, immutable"})
        if isinstance(dist, StoredDist):
            return await self._stored(request, dist)
        return await self._arriving(request, dist, wanted.type)

    async def _stored(self, request: IRequest, dist: StoredDist) -> bytes:
        entry, etag = dist.entry, f'"{dist.entry.sha256[:32]}"'
        kind, moment = entry.header("content-type") or "application/zip", entry.stored_at.replace(microsecond=0)
        date = http_date(moment)
        set_head(request, {"Content-Type": kind, "X-Cache": "hit", "ETag": etag, "Last-Modified": date})
        if not_modified(request, etag=etag, last_modified=moment):
            dist.blob.close()
            request.setResponseCode(304)
            return b""
        await send_blob(
            request, dist.blob, etag=etag, last_modified=date, content_type=kind, clock=self._clock
        )
        return b""

    async def _arriving(self, request: IRequest, dist: ArrivingDist, kind: str) -> bytes:
        content_type = "application/zip" if kind == "zip" else "application/octet-stream"
        set_head(request, {"Content-Type": content_type, "X-Cache": "miss"})
        if dist.follower.size is not None:
            set_head(request, {"Content-Length": str(dist.follower.size)})
        if request.method == b"HEAD":
            dist.follower.close()
            return b""
        await stream(request, dist.follower, self._clock)
        return b""
