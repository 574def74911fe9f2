"""The metadata of our own packages: packages.json, p2/, p/, and the feed of changes."""

import re
from urllib.parse import parse_qsl, urlsplit

import orjson
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.core.caching.conditions import Outcome, evaluate
from packeton.core.caching.fields import http_date, read_date, values_of
from packeton.core.composer.clients import generation_of
from packeton.errors import NotFound
from packeton.features.packages.audiences import Audience
from packeton.features.packages.dates import Dated
from packeton.features.packages.publishing import Published, Publishing
from packeton.features.packages.repositories import Repositories
from packeton.features.packages.shelf import Finished
from packeton.web.access import Caller, Gate
from packeton.web.addresses import Addresses
from packeton.web.responses import accepts_gzip, request_fields, send_bytes, set_head, user_agent

__all__ = ["PackageRoutes", "audience_of", "send_published"]

NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
HASHED = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(?:\$(?P<digest>[a-f0-9]{64}))?\.json")
PROVIDERS = re.compile(r"providers\$(?P<digest>[a-f0-9]{64})\.json")
METADATA = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(?P<dev>~dev)?\.json")
MAX_QUERY_BYTES = 2048


def audience_of(caller: Caller) -> Audience:
    """Return for whom to publish."""
    return Audience(identity=caller.identity, repository=caller.repository)


class PackageRoutes:
    """See the module."""

    def __init__(self, gate: Gate, publishing: Publishing, repositories: Repositories, addresses: Addresses) -> None:
        self._gate = gate
        self._publishing = publishing
        self._repositories = repositories
        self._addresses = addresses

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path, method in (
            ("/packages.json", self.root),
            ("/p/<file>", self.providers),
            ("/p/<vendor>/<file>", self.package),
            ("/p2/<vendor>/<file>", self.metadata),
            ("/metadata/changes.json", self.changes),
        ):
            endpoint = f"own-{method.__name__}"  # Klein tells routes apart by their functions' bare names
            app.route(path, methods=["GET", "HEAD"], endpoint=endpoint)(method)

    async def root(self, request: IRequest) -> bytes:
        """Answer in the form that the client's Composer understands."""
        caller = await self._gate.reader(request)
        base = self._addresses.base_url(request)
        generation = generation_of(user_agent(request), _query(request).get("ua"))
        published = await self._repositories.root(audience_of(caller), base, urlsplit(base).path, generation)
        return await send_published(request, published)

    async def metadata(self, request: IRequest, vendor: str, file: str) -> bytes:
        """Composer 2's metadata of a package."""
        caller = await self._gate.reader(request)
        match = METADATA.fullmatch(file)
        if match is None:
            raise NotFound("no such package")
        name, base = _name(vendor, match["name"]), self._addresses.base_url(request)
        published = await self._publishing.p2(audience_of(caller), name, base, dev=match["dev"] is not None)
        return await send_published(request, published)

    async def package(self, request: IRequest, vendor: str, file: str) -> bytes:
        """Composer 1's metadata of a package: by its digest, or live."""
        caller = await self._gate.reader(request)
        match = HASHED.fullmatch(file)
        if match is None:
            raise NotFound("no such package")
        name, base = _name(vendor, match["name"]), self._addresses.base_url(request)
        finished = await self._publishing.v1(audience_of(caller), name, base, match["digest"])
        return _send(request, finished)

    async def providers(self, request: IRequest, file: str) -> bytes:
        """Composer 1's list of digests."""
        caller = await self._gate.reader(request)
        match = PROVIDERS.fullmatch(file)
        if match is None:
            raise NotFound("no such file")
        base = self._addresses.base_url(request)
        return _send(request, await self._repositories.providers(audience_of(caller), base, match["digest"]))

    async def changes(self, request: IRequest) -> bytes:
        """What changed since a moment; for maintainers."""
        caller = await self._gate.caller(request, scope=Scope.METADATA, role=Role.MAINTAINER)
        address = f"{self._addresses.base_url(request)}/metadata/changes.json"
        answer = await self._repositories.changes(audience_of(caller), _query(request).get("since"), address)
        request.setResponseCode(200 if answer.is_good else 400)
        request.setHeader(b"cache-control", b"private, no-store")
        return send_bytes(request, orjson.dumps(answer.document), "application/json")


async def send_published(request: IRequest, published: Published) -> bytes:
    """Answer with a document, or with 304 if the client has exactly this one; the caller may see it."""
    dated = published.dated
    set_head(request, {"ETag": dated.etag, "Cache-Control": "private, max-age=0, must-revalidate"})
    if dated.last_modified is not None:
        set_head(request, {"Last-Modified": http_date(dated.last_modified)})
    if _is_held(request, dated):
        request.setHeader(b"vary", b"Accept-Encoding")
        request.setResponseCode(304)
        return b""
    return _send(request, await published.content(), cached=True)


def _is_held(request: IRequest, dated: Dated) -> bool:
    """
    Say if the client's copy is this one.

    A date counts only if it is the very one that goes with this content: what somebody sees can also become less, or
    what it was before.
    """
    fields = request_fields(request)
    if values_of(fields, "if-none-match"):
        return evaluate(fields, etag=dated.etag, last_modified=None) is Outcome.NOT_MODIFIED
    since = values_of(fields, "if-modified-since")
    return dated.last_modified is not None and len(since) == 1 and read_date(since[0]) == dated.last_modified


def _send(request: IRequest, finished: Finished, *, cached: bool = False) -> bytes:
    if not cached:
        request.setHeader(b"cache-control", b"private, max-age=0, must-revalidate")
    request.setHeader(b"vary", b"Accept-Encoding")
    coded = accepts_gzip(request) and len(finished.gzipped) < len(finished.body)
    if coded:
        request.setHeader(b"content-encoding", b"gzip")
    return send_bytes(request, finished.gzipped if coded else finished.body, "application/json")


def _name(vendor: str, name: str) -> str:
    full = f"{vendor}/{name}"
    if not NAME.fullmatch(full):
        raise NotFound("no such package")
    return full


def _query(request: IRequest) -> dict[str, str]:
    _, _, text = request.uri.partition(b"?")
    return dict(parse_qsl(text[:MAX_QUERY_BYTES].decode("latin-1"), keep_blank_values=True, max_num_fields=50))
