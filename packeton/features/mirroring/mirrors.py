"""One mirror: its root, its packages' metadata and its satellite resources, as upstream gives them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.core.caching.fields import read_date
from packeton.core.composer.dists import with_our_dists
from packeton.core.composer.metadata import JsonObject, read_object, read_package
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Resource, Root, root_url
from packeton.errors import NotFound, PacketonError, UpstreamFailed
from packeton.features.caching.bodies import read_body
from packeton.features.mirroring.documents import Document, DocumentRequest, Documents
from packeton.features.mirroring.publications import Publications
from packeton.interfaces.clocks import InThread
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["Mirror", "MirrorRules", "Rendition"]

log = Logger()

SHORT = timedelta(seconds=60)
"""How long searches, lists and the like are served unasked."""


@frozen(kw_only=True)
class MirrorRules:
    """What one mirror is told to do."""

    alias: str
    url: str
    """Upstream's base, without credentials."""
    fresh_for: timedelta
    dists: str | None
    """`mirrors`, `rewrite`, or None: dists are left to upstream."""
    notify: bool
    public: bool
    info: str | None

    @property
    def shape(self) -> str:
        """A text that changes whenever our output of unchanged content does; part of every fingerprint."""
        return f"1 {self.dists} {self.notify} {self.info}"


@frozen(kw_only=True)
class Rendition:
    """One document as we send it."""

    document: Document
    render: Callable[[bytes], bytes]
    """Blocking: upstream's bytes to ours."""
    variant: str
    """What besides the content decides the output; part of the key under which a rendered copy may be kept."""
    last_modified: datetime


@define
class Mirror:
    """Answers for one upstream repository."""

    rules: MirrorRules
    _documents: Documents
    _publications: Publications
    _client: IHttpClient
    _in_thread: InThread
    _limits: UpstreamLimits
    _root: tuple[str, Root] | None = field(default=None, init=False)

    async def root(self) -> Root:
        """Return upstream's root. Raises UpstreamFailed and its kinds."""
        document = await self._root_document()
        if self._root is None or self._root[0] != document.entry.sha256:
            content = await self._documents.content(document)
            read = await self._in_thread(Root.read, content, root_url(self.rules.url))
            self._root = (document.entry.sha256, read)
        return self._root[1]

    async def root_rendition(self, mirror_url: str) -> Rendition:
        """Return the root with every address below *mirror_url*."""

        def render(content: bytes) -> bytes:
            root = Root.read(content, root_url(self.rules.url))
            ours = root.ours(mirror_url, dists=self.rules.dists, notify=self.rules.notify, info=self.rules.info)
            return orjson.dumps(ours)

        return await self._rendition(await self._root_document(), render, mirror_url)

    async def package_rendition(self, name: PackageName, *, dev: bool, mirror_url: str) -> Rendition:
        """Return the metadata of a package: its stable versions, or with *dev* its branches."""
        document = await self._package_document(name, dev=dev)
        if self.rules.dists != "rewrite":
            return await self._rendition(document, _as_it_is, "")

        def render(content: bytes) -> bytes:
            return orjson.dumps(with_our_dists(read_package(content), mirror_url))

        return await self._rendition(document, render, mirror_url)

    async def package_content(self, name: PackageName, *, dev: bool) -> JsonObject:
        """Return the parsed metadata document of a package."""
        document = await self._package_document(name, dev=dev)
        return await self._in_thread(read_package, await self._documents.content(document))

    async def satellite_rendition(
        self, resource: Resource, variables: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> Rendition:
        """
        Return what upstream answers for a satellite resource.

        Args:
            variables: Values for the variables of upstream's URL.
            query: Fields added to its query.

        Raises:
            NotFound: upstream offers no such resource, or nothing under it.
        """

        async def locate() -> str:
            return with_query((await self.root()).address(resource, **dict(variables or {})), query or {})

        asked = orjson.dumps([resource.name, variables, query], option=orjson.OPT_SORT_KEYS)
        key = f"mirror/{self.rules.alias}/satellite/{resource.name.lower()}/{sha256(asked).hexdigest()[:32]}"
        fresh_for = min(SHORT, self.rules.fresh_for)
        request = DocumentRequest(key=key, locate=locate, check=read_object, fresh_for=fresh_for)
        return await self._rendition(await self._documents.find(request), _as_it_is, "")

    async def forward(self, resource: Resource, body: bytes, content_type: str) -> tuple[int, JsonObject]:
        """
        Post *body* to a satellite resource of upstream and return its answer, which must be a JSON object.

        Raises:
            NotFound: upstream offers no such resource.
            UpstreamFailed (and kinds): it did not answer, or not with JSON.
        """
        url = (await self.root()).address(resource)
        headers = (("Content-Type", content_type), ("Accept", "application/json"))
        request = UpstreamRequest(method="POST", url=url, headers=headers, body=body, limits=self._limits)
        response = await self._client.request(request)
        if response.status >= 500:
            response.abort()
            raise UpstreamFailed(f"{url}: upstream answered {response.status}")
        content = await read_body(response, self._limits.max_body_bytes)
        return response.status, await self._in_thread(read_object, content)

    async def notify(self, body: bytes) -> None:
        """Pass install notifications on, if upstream wants them; failures are only logged."""
        try:
            if self.rules.notify:
                await self.forward(Resource.NOTIFY_BATCH, body, "application/json")
        except PacketonError as error:
            log.info("mirror {alias}: a notification was not passed on: {why}", alias=self.rules.alias, why=str(error))

    async def output(self, rendition: Rendition, compress: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
        """Return the output of *rendition*, plain and compressed. Raises NotFound when the stored body has gone."""

        def work(content: bytes) -> tuple[bytes, bytes]:
            body = rendition.render(content)
            return body, compress(body)

        return await self._in_thread(work, await self._documents.content(rendition.document))

    async def _root_document(self) -> Document:
        async def locate() -> str:
            return root_url(self.rules.url)

        def check(content: bytes) -> object:
            return Root.read(content, root_url(self.rules.url))

        key = f"mirror/{self.rules.alias}/packages.json"
        request = DocumentRequest(key=key, locate=locate, check=check, fresh_for=self.rules.fresh_for)
        try:
            return await self._documents.find(request)
        except NotFound as error:
            raise UpstreamFailed(f"{root_url(self.rules.url)}: there is no packages.json") from error

    async def _package_document(self, name: PackageName, *, dev: bool) -> Document:
        full = f"{name}~dev" if dev else str(name)

        async def locate() -> str:
            return (await self.root()).address(Resource.METADATA, package=full)

        key = f"mirror/{self.rules.alias}/p2/{full}.json"
        request = DocumentRequest(key=key, locate=locate, check=read_package, fresh_for=self.rules.fresh_for)
        return await self._documents.find(request)

    async def _rendition(self, document: Document, render: Callable[[bytes], bytes], variant: str) -> Rendition:
        entry = document.entry
        fingerprint = sha256(f"{entry.sha256} {self.rules.shape}".encode()).hexdigest()
        upstream = read_date(entry.header("last-modified")) or entry.stored_at
        moment = await self._publications.last_modified(entry.key, fingerprint, upstream)
        shape = f"{self.rules.shape} {variant}"
        return Rendition(document=document, render=render, variant=shape, last_modified=moment)


def with_query(url: str, query: Mapping[str, str]) -> str:
    """Return *url* with fields added to its query."""
    if not query:
        return url
    parts = urlsplit(url)
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return urlunsplit(parts._replace(query=joined))


def _as_it_is(content: bytes) -> bytes:
    return content
