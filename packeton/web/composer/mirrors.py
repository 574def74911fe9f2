"""GET mirror/<alias>/…: roots, metadata and satellite resources; POST where Composer posts."""

import json
import re
from urllib.parse import parse_qsl

from klein import Klein
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from packeton.core.composer.clients import generation_of
from packeton.core.composer.metadata import JsonObject, read_object
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Resource
from packeton.errors import BadContent, Invalid, NotFound
from packeton.features.mirroring.directory import MirrorDirectory, reads_only
from packeton.features.mirroring.mirrors import Mirror
from packeton.features.mirroring.renditions import Renditions
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.bodies import read_json_object, read_posted
from packeton.web.composer.advisories import asked_names
from packeton.web.composer.renditions import Make, send_rendition
from packeton.web.responses import send_bytes, user_agent

__all__ = ["MirrorRoutes"]

log = Logger()

READ = ["GET", "HEAD"]
MAX_QUERY_BYTES = 2048
OLD_FILE = re.compile(r"(?P<name>[^$]+?)(?:\$(?P<digest>[0-9a-f]{64}))?\.json")


class MirrorRoutes:
    """What Composer asks of a mirror, but for dists and the page."""

    def __init__(
        self, directory: MirrorDirectory, renditions: Renditions, addresses: Addresses, gate: Gate
    ) -> None:
        self._directory = directory
        self._gate = gate
        self._renditions = renditions
        self._addresses = addresses

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/mirror/<alias>/packages.json", methods=READ)(self.root)
        app.route("/mirror/<alias>/p2/<vendor>/<file>", methods=READ)(self.package)
        app.route("/mirror/<alias>/search.json", methods=READ)(self.search)
        app.route("/mirror/<alias>/packages/list.json", methods=READ)(self.listing)
        app.route("/mirror/<alias>/providers/<vendor>/<file>", methods=READ)(self.providers)
        app.route("/mirror/<alias>/metadata/changes.json", methods=READ)(self.changes)
        app.route("/mirror/<alias>/filter/summary.json", methods=READ)(self.filter_summary)
        app.route("/mirror/<alias>/filter/api", methods=["POST"])(self.filter_api)
        app.route("/mirror/<alias>/api/security-advisories/", methods=["POST"])(self.advisories)
        app.route("/mirror/<alias>/downloads/", methods=["POST"])(self.notify)
        app.route("/mirror/<alias>/downloads/<vendor>/<name>", methods=["POST"])(self.notify_one)
        app.route("/mirror/<alias>/pkg/<vendor>/<file>", methods=READ)(self.old_package)
        app.route("/mirror/<alias>/<path:path>", methods=READ)(self.file)

    async def root(self, request: IRequest, alias: str) -> bytes:
        """Upstream's root, every address in it on us, as the client's generation of Composer needs it."""
        mirror, url = await self._mirror(request, alias), self._url(request, alias)
        generation = generation_of(user_agent(request), _query(request, "ua").get("ua"))
        request.setHeader(b"vary", b"Accept-Encoding, User-Agent")
        return await self._send(request, mirror, lambda: mirror.root_rendition(url, generation))

    async def package(self, request: IRequest, alias: str, vendor: str, file: str) -> bytes:
        """Metadata of one package; `~dev` for its branches."""
        identity = await self._gate.mirror_user(request)
        mirror, url = self._directory.open(alias, identity).mirror, self._url(request, alias)
        name, dev = _metadata_file(vendor, file)
        only = reads_only(identity)
        return await self._send(
            request, mirror, lambda: mirror.package_rendition(name, dev=dev, mirror_url=url, read_only=only)
        )

    async def old_package(self, request: IRequest, alias: str, vendor: str, file: str) -> bytes:
        """Metadata of one package for Composer 1, `name.json` or `name$<sha256>.json`."""
        identity = await self._gate.mirror_user(request)
        mirror, url = self._directory.open(alias, identity).mirror, self._url(request, alias)
        match = OLD_FILE.fullmatch(file)
        if match is None:
            raise NotFound("no such package")
        name = PackageName.parse(f"{vendor}/{match['name']}")
        only = reads_only(identity)
        return await self._send(
            request, mirror, lambda: mirror.old_rendition(name, match["digest"], mirror_url=url, read_only=only)
        )

    async def file(self, request: IRequest, alias: str, path: str) -> bytes:
        """What a root names by its hash: lists of names, and files of packages."""
        mirror, url = await self._mirror(request, alias), self._url(request, alias)
        return await self._send(request, mirror, lambda: mirror.file_rendition(path, url))

    async def search(self, request: IRequest, alias: str) -> bytes:
        """Upstream's search."""
        mirror = await self._mirror(request, alias)
        query = _query(request, "q", "type", "page", "per_page", "tags")
        variables = {"query": query.pop("q", ""), "type": query.pop("type", "")}
        return await self._send(request, mirror, lambda: mirror.satellite_rendition(Resource.SEARCH, variables, query))

    async def listing(self, request: IRequest, alias: str) -> bytes:
        """Upstream's list of names."""
        mirror = await self._mirror(request, alias)
        query = _query(request, "filter", "vendor", "type")
        return await self._send(request, mirror, lambda: mirror.satellite_rendition(Resource.LIST, query=query))

    async def providers(self, request: IRequest, alias: str, vendor: str, file: str) -> bytes:
        """Who provides a virtual package."""
        mirror = await self._mirror(request, alias)
        name, _ = _metadata_file(vendor, file)
        variables = {"package": str(name)}
        return await self._send(request, mirror, lambda: mirror.satellite_rendition(Resource.PROVIDERS_API, variables))

    async def changes(self, request: IRequest, alias: str) -> bytes:
        """Upstream's feed of changes."""
        mirror = await self._mirror(request, alias)
        query = _query(request, "since")
        return await self._send(request, mirror, lambda: mirror.satellite_rendition(Resource.CHANGES, query=query))

    async def filter_summary(self, request: IRequest, alias: str) -> bytes:
        """Upstream's filter lists in short, by which Composer blocks malware at install."""
        mirror = await self._mirror(request, alias)
        return await self._send(request, mirror, lambda: mirror.satellite_rendition(Resource.FILTER_SUMMARY))

    async def filter_api(self, request: IRequest, alias: str) -> bytes:
        """Upstream's filter lists about those of the posted packages that may come from there."""
        mirror = await self._mirror(request, alias)
        return _send_posted(request, await mirror.filtered(read_json_object(request)))

    async def advisories(self, request: IRequest, alias: str) -> bytes:
        """Upstream's security advisories for those of the posted names that may come from there."""
        mirror = await self._mirror(request, alias)
        return _send_posted(request, await mirror.advisories(asked_names(request)))

    async def notify(self, request: IRequest, alias: str) -> bytes:
        """Install notifications: answered at once, passed on in the background where configured."""
        mirror = await self._mirror(request, alias)
        body = read_posted(request)
        try:
            downloads = read_object(body).get("downloads")
        except BadContent:
            downloads = None
        if not isinstance(downloads, list):
            raise Invalid('a JSON object {"downloads": [{"name": …, "version": …}]} is expected')
        forwarded = ensureDeferred(mirror.notify(body))
        forwarded.addErrback(lambda failure: log.failure("A notification failed", failure))
        request.setResponseCode(201)
        return send_bytes(request, b'{"status":"success"}', "application/json")

    async def notify_one(self, request: IRequest, alias: str, vendor: str, name: str) -> bytes:
        """One install notification of Composer 1."""
        await self._mirror(request, alias)
        PackageName.parse(f"{vendor}/{name}")
        request.setResponseCode(201)
        return send_bytes(request, b'{"status":"success"}', "application/json")

    def _url(self, request: IRequest, alias: str) -> str:
        return f"{self._addresses.base_url(request)}/mirror/{alias}"

    async def _mirror(self, request: IRequest, alias: str) -> Mirror:
        return self._directory.open(alias, await self._gate.mirror_user(request)).mirror

    async def _send(self, request: IRequest, mirror: Mirror, make: Make) -> bytes:
        return await send_rendition(request, mirror, make, self._renditions)


def _send_posted(request: IRequest, answered: tuple[int, JsonObject]) -> bytes:
    """Send on what upstream answered to something that was posted."""
    status, answer = answered
    request.setResponseCode(status)
    request.setHeader(b"cache-control", b"no-store")
    return send_bytes(request, json.dumps(answer).encode(), "application/json")


def _metadata_file(vendor: str, file: str) -> tuple[PackageName, bool]:
    """Read `name.json` or `name~dev.json`. Raises NotFound."""
    stem = file.removesuffix(".json")
    if stem == file:
        raise NotFound("no such package")
    name = stem.removesuffix("~dev")
    return PackageName.parse(f"{vendor}/{name}"), name != stem


def _query(request: IRequest, *wanted: str) -> dict[str, str]:
    """Return the wanted fields of the query. Raises Invalid when it is longer than any client's."""
    _, _, text = request.uri.partition(b"?")
    if len(text) > MAX_QUERY_BYTES:
        raise Invalid("the query is too long")
    fields = dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=50))
    return {name: fields[name] for name in wanted if name in fields}
