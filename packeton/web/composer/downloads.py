"""POST downloads/: what Composer tells after an install."""

import json
from urllib.parse import parse_qsl

import orjson
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.features.packages.downloads import Downloads, Installed
from packeton.web.access import Gate
from packeton.web.bodies import read_posted
from packeton.web.composer.packages import audience_of
from packeton.web.errors import send_error
from packeton.web.responses import send_bytes

__all__ = ["DownloadRoutes"]

MAX_INSTALLED = 10_000


class DownloadRoutes:
    """Install notifications of both generations."""

    def __init__(self, gate: Gate, downloads: Downloads) -> None:
        self._gate = gate
        self._downloads = downloads

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/downloads/", methods=["POST"], endpoint="own-downloads")(self.batch)
        app.route("/downloads/<vendor>/<name>", methods=["POST"], endpoint="own-download")(self.single)

    async def batch(self, request: IRequest) -> bytes:
        """Count many installs."""
        caller = await self._gate.reader(request, whole=True)
        installed = _read_batch(read_posted(request))
        if installed is None:
            return _answer(request, 200, {"status": "error", "message": "Invalid request format"})
        unknown = await self._downloads.count(audience_of(caller), installed, caller.address)
        if unknown:
            listed = json.dumps([{"name": one.name, "version": one.version} for one in unknown[:100]])
            return _answer(request, 200, {"status": "partial", "message": f"Packages {listed} not found"})
        return _answer(request, 201, {"status": "success"})

    async def single(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Count one install of Composer 1."""
        caller = await self._gate.reader(request, whole=True)
        fields = dict(parse_qsl(read_posted(request, 64 << 10).decode("utf-8", "replace"), max_num_fields=50))
        installed = Installed(f"{vendor}/{name}", fields.get("version_normalized", ""))
        if await self._downloads.count(audience_of(caller), [installed], caller.address):
            return send_error(request, 404, "Package not found")
        return _answer(request, 201, {"status": "success"})


def _read_batch(body: bytes) -> list[Installed] | None:
    """Read the posted list; None where it is none."""
    try:
        downloads = orjson.loads(body)["downloads"]
        if not isinstance(downloads, list) or len(downloads) > MAX_INSTALLED:
            return None
        pairs = [(entry["name"], entry["version"]) for entry in downloads]
    except (ValueError, KeyError, TypeError):
        return None
    if not all(isinstance(name, str) and isinstance(version, str) for name, version in pairs):
        return None
    return [Installed(name, version) for name, version in pairs]


def _answer(request: IRequest, status: int, document: dict[str, str]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"cache-control", b"private, no-store")
    return send_bytes(request, orjson.dumps(document), "application/json")
