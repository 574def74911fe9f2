"""GET zipball/…: the archive of one version of our own packages."""

import re

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role
from packeton.errors import NotFound
from packeton.features.packages.archives import ArchiveFailed, Archives
from packeton.web.access import Gate
from packeton.web.composer.packages import audience_of
from packeton.web.errors import send_error
from packeton.web.sending import send_file

__all__ = ["ArchiveRoutes"]

FILE = re.compile(r"(?P<reference>[a-f0-9]{40})(?:\.[A-Za-z.]{1,20})?")


class ArchiveRoutes:
    """The archives of all our packages."""

    def __init__(self, gate: Gate, archives: Archives, clock: IReactorTime) -> None:
        self._gate = gate
        self._archives = archives
        self._clock = clock

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        path = "/zipball/<vendor>/<name>/<file>"
        app.route(path, methods=["GET", "HEAD"], endpoint="own-zipball")(self.zipball)

    async def zipball(self, request: IRequest, vendor: str, name: str, file: str) -> bytes:
        """Send an archive, or the ranges of it that are asked for; maintainers are told why there is none."""
        caller = await self._gate.downloader(request)
        match = FILE.fullmatch(file)
        if match is None:
            raise NotFound("no such archive")
        try:
            served = await self._archives.open(audience_of(caller), f"{vendor}/{name}", match["reference"])
        except ArchiveFailed as error:
            told = str(error) if caller.identity.has(Role.MAINTAINER) else "Not Found"
            return send_error(request, 404, told)
        built, kind = served.file, served.content_type
        return await send_file(
            request, served.blob, sha256=built.sha256, stored_at=built.built_at, content_type=kind, public=False,
            clock=self._clock,
        )  # fmt: skip
