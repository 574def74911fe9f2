"""One mirror: its root, its packages' metadata and its satellite resources, to be had if the policy lets them."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
from attrs import define, field
from twisted.logger import Logger

from packeton.core.caching.fields import read_date
from packeton.core.composer.advisories import FORM
from packeton.core.composer.metadata import JsonObject, check_object, check_writable, read_object
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Resource, Root
from packeton.errors import Invalid, NotFound, PacketonError, UpstreamFailed
from packeton.features.caching.bodies import read_body
from packeton.features.mirroring.documents import DocumentRequest, Documents
from packeton.features.mirroring.editions import Editions
from packeton.features.mirroring.offering import Offering
from packeton.features.mirroring.originals import Originals
from packeton.features.mirroring.policy import Policy
from packeton.features.mirroring.publications import Publications
from packeton.features.mirroring.renditions import Rendition
from packeton.features.mirroring.rules import MirrorRules
from packeton.interfaces.clocks import InThread
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["Mirror"]

log = Logger()

MAX_NOTICES = 64
"""So many notifications wait for upstream at once; more are dropped."""
NAMING: Mapping[Resource, tuple[str, str | None]] = {
    Resource.SEARCH: ("results", "name"),
    Resource.LIST: ("packageNames", None),
}
"""Satellite resources that list packages: under which key, and what of each entry is the name."""
PACKAGE_URL = re.compile("pkg:(//)?composer/", re.IGNORECASE)
"""What Composer puts before a name in questions about filter lists."""
SHORT = timedelta(seconds=60)
"""How long searches, lists and the like are served unasked."""


@define
class Mirror:
    """Answers for one upstream repository."""

    rules: MirrorRules
    policy: Policy
    _originals: Originals
    _editions: Editions
    _offering: Offering
    _documents: Documents
    _publications: Publications
    _client: IHttpClient
    _in_thread: InThread
    _limits: UpstreamLimits
    _notices: int = field(default=0, init=False)

    async def root(self) -> Root:
        """Return upstream's root. Raises UpstreamFailed and its kinds."""
        return await self._originals.root()

    async def root_rendition(self, mirror_url: str, generation: int | None = None) -> Rendition:
        """Return the root for a client of this generation, with every address below *mirror_url*."""
        return await self._offering.root(mirror_url, generation)

    async def file_rendition(self, path: str, mirror_url: str) -> Rendition:
        """Return a file that a root of ours names by its hash. Raises NotFound for any other."""
        return await self._offering.file(path, mirror_url)

    async def package_rendition(
        self, name: PackageName, *, dev: bool, mirror_url: str, read_only: bool = False
    ) -> Rendition:
        """
        Return the metadata of a package for Composer 2: its stable versions, or with *dev* its branches.

        Raises:
            NotFound: the policy keeps it back, or upstream has no such package.
            UpstreamFailed (and kinds): upstream gave nothing usable, and there is no copy.
        """
        await self.policy.admit(str(name), read_only=read_only)
        rendition = await self._editions.second(name, dev=dev, mirror_url=mirror_url)
        self.policy.note_served(str(name))
        return rendition

    async def old_rendition(
        self, name: PackageName, digest: str | None, *, mirror_url: str, read_only: bool = False
    ) -> Rendition:
        """
        Return the metadata of a package for Composer 1.

        Args:
            digest: The SHA-256 that the answer must have; None: whatever it has.

        Raises:
            NotFound: as `package_rendition`; or the answer has another hash.
            UpstreamFailed (and kinds): upstream gave nothing usable, and there is no copy.
        """
        await self.policy.admit(str(name), read_only=read_only)
        rendition = await self._of_hash(name, digest, mirror_url)
        self.policy.note_served(str(name))
        return rendition

    async def versions(self, name: PackageName, *, dev: bool) -> list[JsonObject]:
        """Return the versions of a package in full, with upstream's dists; where upstream keeps branches apart, with
        *dev* only these, else only the others. Raises as `package_rendition`."""
        return await self._editions.versions(name, dev=dev)

    async def refresh_root(self) -> bool:
        """Ask upstream for its root now; return True if it changed. Raises UpstreamFailed and its kinds."""
        return await self._originals.refresh_root()

    async def refresh(self, name: PackageName) -> bool:
        """
        Ask upstream for the documents of one package now, on the condition that they changed.

        Returns:
            True if what we hold of it changed.

        Raises:
            NotFound: upstream has no such package (any more).
            UpstreamFailed (and kinds): upstream gave nothing usable; what we hold stays.
        """
        return await self._originals.refresh(name)

    def names(self) -> AsyncIterator[list[str]]:
        """
        Yield the names of all packages of upstream, at most a thousand at once; a name may come twice.

        Raises:
            NotFound: upstream does not tell them.
            UpstreamFailed (and kinds): it could not be asked.
        """
        return self._originals.names()

    def listed(self) -> AsyncIterator[list[tuple[str, str | None]]]:
        """Yield names like `names`, each with the SHA-256 of its document where upstream tells it."""
        return self._originals.listed_names()

    async def changes(self, since: int) -> JsonObject:
        """
        Return what upstream's feed of changes says, as it stands.

        Raises:
            NotFound: it has no such feed.
            UpstreamFailed (and kinds): it could not be asked.
        """
        url = with_query((await self.root()).address(Resource.CHANGES), {"since": str(since)})
        response = await self._client.request(UpstreamRequest(url=url, limits=self._limits))
        if response.status not in {200, 400}:  # 400 tells the timestamp to begin with
            response.abort()
            raise UpstreamFailed(f"{url}: upstream answered {response.status}")
        return await self._in_thread(read_object, await read_body(response, self._limits.max_body_bytes))

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
        request = DocumentRequest(key=key, locate=locate, check=check_object, fresh_for=fresh_for)
        document = await self._documents.find(request)
        entry = document.entry

        async def read() -> list[bytes]:
            content = await self._documents.content(document)
            return [await self._seen(content, *NAMING[resource]) if resource in NAMING else content]

        await self.policy.prepare()
        told = self.policy.revision if resource in NAMING else ""
        fingerprint = sha256(f"{entry.sha256} {told}".encode()).hexdigest()
        upstream = read_date(entry.header("last-modified")) or entry.stored_at
        return Rendition(
            key=entry.key,
            source=entry.sha256,
            fingerprint=fingerprint,
            variant=told,
            last_modified=await self._publications.last_modified(entry.key, fingerprint, upstream),
            outcome=document.outcome,
            read=read,
        )

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

        def read() -> JsonObject:
            check_writable(answer := read_object(content))
            return answer

        return response.status, await self._in_thread(read)

    async def advisories(self, names: Sequence[str]) -> tuple[int, JsonObject]:
        """
        Return upstream's answer about security advisories of those of *names* that may come from it.

        Clients ask each repository about everything that they have installed; upstream learns of no names of ours.

        Raises as `forward`.
        """
        allowed = await self.policy.allowed(names)
        if not allowed:
            return 200, {"advisories": {}}
        body = urlencode([(f"packages[{number}]", name) for number, name in enumerate(allowed)]).encode()
        return await self.forward(Resource.ADVISORIES, body, FORM)

    async def filtered(self, asked: JsonObject) -> tuple[int, JsonObject]:
        """
        Return upstream's answer about filter lists, as `advisories` does.

        Args:
            asked: What a client posts: `packages`, a list of package URLs (`pkg://composer/<name>`), and `lists`.

        Raises as `forward`, and Invalid.
        """
        packages = asked.get("packages")
        if not isinstance(packages, list):
            raise Invalid('a JSON object {"packages": ["pkg://composer/…"], "lists": […]} is expected')
        urls = {PACKAGE_URL.sub("", url).lower(): url for url in packages if isinstance(url, str)}
        allowed = await self.policy.allowed(list(urls))
        if not allowed:
            return 200, {"filter": []}
        body = orjson.dumps({**asked, "packages": [urls[name] for name in allowed]})
        return await self.forward(Resource.FILTER_API, body, "application/json")

    async def notify(self, body: bytes) -> None:
        """Pass install notifications on, if upstream wants them; failures, and too many at once, are only logged."""
        if not self.rules.notify:
            return
        if self._notices >= MAX_NOTICES:
            log.warn("mirror {alias}: a notification was dropped: upstream is slow", alias=self.rules.alias)
            return
        self._notices += 1
        try:
            await self.forward(Resource.NOTIFY_BATCH, body, "application/json")
        except PacketonError as error:
            log.info("mirror {alias}: a notification was not passed on: {why}", alias=self.rules.alias, why=str(error))

        finally:
            self._notices -= 1

    async def _seen(self, content: bytes, key: str, name: str | None) -> bytes:
        """Return an answer that lists packages without those that the policy keeps back."""
        document = await self._in_thread(read_object, content)
        listed = document.get(key)
        if not isinstance(listed, list):
            return content
        names = [one.get(name) if name and isinstance(one, dict) else one for one in listed]
        known = [one for one in names if isinstance(one, str)]
        allowed = set(await self.policy.allowed(known))
        if allowed.issuperset(known):
            return content
        kept = [one for one, its in zip(listed, names, strict=True) if isinstance(its, str) and its in allowed]
        return await self._in_thread(orjson.dumps, {**document, key: kept})

    async def _of_hash(self, name: PackageName, digest: str | None, mirror_url: str) -> Rendition:
        if digest is None:
            return await self._editions.first(name, mirror_url=mirror_url)
        theirs = await self._originals.provided(str(name))
        if theirs is None:
            raise NotFound("no such package in a list")
        if digest != theirs and not self._editions.changes(str(name)):
            if await self._originals.held(name) != digest:
                raise NotFound("no such package of this hash")
            theirs = digest  # the client's list is a little older than ours
        rendition = await self._editions.first(name, mirror_url=mirror_url, digest=theirs)
        if await self._editions.digest(rendition) != digest:
            raise NotFound("no such package of this hash")
        return rendition


def with_query(url: str, query: Mapping[str, str]) -> str:
    """Return *url* with fields added to its query."""
    if not query:
        return url
    parts = urlsplit(url)
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return urlunsplit(parts._replace(query=joined))

