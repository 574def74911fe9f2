"""GET mirror/<alias>/zipball/…: one dist, from the store or while it arrives."""

import re

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.core.composer.names import PackageName
from packeton.errors import NotFound, PacketonError
from packeton.features.mirroring.directory import MirrorDirectory, reads_only
from packeton.features.mirroring.dists import ArrivingDist, DistRequest, StoredDist
from packeton.web.access import Gate
from packeton.web.responses import set_head
from packeton.web.sending import send_file, unchanging
from packeton.web.streaming import stream

__all__ = ["DistRoutes"]

FILE = re.compile(r"ref(?P<reference>[A-Za-z0-9._+-]*)\.(?P<type>[a-z][a-z0-9]{0,9})")


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
        public = site.mirror.rules.public
        if isinstance(dist, StoredDist):
            set_head(request, {"X-Cache": "hit"})
            kind, entry = dist.entry.header("content-type") or "application/zip", dist.entry
            return await send_file(
                request, dist.blob, sha256=entry.sha256, stored_at=entry.stored_at, content_type=kind,
                public=public, clock=self._clock,
            )  # fmt: skip
        return await self._arriving(request, dist, wanted.type, public=public)

    async def _arriving(self, request: IRequest, dist: ArrivingDist, kind: str, *, public: bool) -> bytes:
        content_type = "application/zip" if kind == "zip" else "application/octet-stream"
        head = {"Content-Type": content_type, "X-Cache": "miss"}
        set_head(request, {**head, "Cache-Control": unchanging(public=public)})
        if dist.follower.size is not None:
            set_head(request, {"Content-Length": str(dist.follower.size)})
        if request.method == b"HEAD":
            dist.follower.close()
            return b""
        await stream(request, dist.follower, self._clock)
        return b""
