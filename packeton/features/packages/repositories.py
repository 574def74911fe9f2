"""The root of our own repository in all its forms, Composer 1's list of providers, and the feed of changes."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from attrs import define, field, frozen

from packeton.core.composer.changes import ChangesAnswer, feed_answer, needed_since
from packeton.core.composer.metadata import JsonObject
from packeton.errors import NotFound
from packeton.features.packages.audiences import Audience
from packeton.features.packages.dates import Dated
from packeton.features.packages.publishing import Published, Publishing, finish
from packeton.features.packages.rendering import HOST, addressed
from packeton.features.packages.shelf import Finished, Recent, Shelf
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.packages import IPackageRecords, IVersionRecords
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["Repositories", "RootRules"]

MAX_ROOTS = 5_000
MAX_ACTIONS = 50_000
GZIP_LEVEL = 4
"""Roots are made for each kind of caller, and names do not become much smaller by trying harder."""
DIGESTS_GZIP_LEVEL = 1
"""Digests become no smaller at all."""


@frozen(kw_only=True)
class RootRules:
    """What roots say. See `packeton.metadata`."""

    format: str = "auto"
    """`auto`, `only_v1`, `only_v2` or `full`."""
    info: str | None = None

    def with_providers(self, generation: int | None) -> bool:
        """Say if Composer 1's hashed providers are listed."""
        return self.format in {"only_v1", "full"} or (self.format == "auto" and generation == 1)

    def with_metadata(self) -> bool:
        """Say if Composer 2's metadata is."""
        return self.format != "only_v1"


@define
class Repositories:
    """Roots for audiences."""

    publishing: Publishing
    _rules: RootRules
    _packages: IPackageRecords
    _versions: IVersionRecords
    _revisions: IRevisions
    _in_thread: InThread
    _shelf: Shelf
    _now: Now
    _roots: Recent[Dated] = field(factory=lambda: Recent(MAX_ROOTS), init=False)

    async def root(self, audience: Audience, base: str, prefix: str, generation: int | None) -> Published:
        """
        Return `packages.json`.

        Args:
            base: Our root's address as this client sees it.
            prefix: The path in it, which root-relative addresses begin with.
            generation: The major version of the client's Composer, as far as it is known.
        """
        providers = self._rules.with_providers(generation)
        place = base if providers else ""  # the digests are of documents that hold the address
        key = ("root", audience.key, providers, prefix, place, *self._moment())
        here = ("root at", base, *key)

        async def made() -> tuple[str, Finished]:
            body = await self._body(audience, base, prefix, providers=providers)
            finished = await self._in_thread(_addressed, body, base)
            self._shelf.keep(here, finished)
            return self.publishing.rules.fingerprint(body), finished

        async def content() -> Finished:
            return self._shelf.get(here) or (await made())[1]

        dated = self._roots.get(key)
        if dated is None:
            fingerprint, _ = await made()
            document = f"root{audience.slug}/{'providers' if providers else 'metadata'}"
            dated = await self.publishing.dates.of(document, fingerprint, self._now())
            if dated.last_modified is not None:
                self._roots.keep(key, dated)
        return Published(dated=dated, content=content)

    async def providers(self, audience: Audience, base: str, digest: str) -> Finished:
        """
        Return Composer 1's list of providers.

        Raises:
            NotFound: *digest* is not that of the list that this audience would be sent now.
        """
        finished, found = await self._providers(audience, base)
        if found != digest:
            raise NotFound("no such file")
        return finished

    async def changes(self, audience: Audience, since: str | None, example: str) -> ChangesAnswer:
        """
        Answer what changed since a moment, as packagist.org does; *example* is the feed's own address.

        The audience sees all packages of its repository; in a sub-repository it learns of no other names.
        """
        now = self._now()
        moment = needed_since(since, now)
        found = () if moment is None else await self._packages.changes(moment, MAX_ACTIONS)
        held = [change for change in found if audience.holds(change.package)]
        return feed_answer(since, held, now=now, url=example)

    async def _body(self, audience: Audience, base: str, prefix: str, *, providers: bool) -> bytes:
        names = await self.publishing.names(audience)
        document = self._head(audience, prefix)
        if providers:
            _, digest = await self._providers(audience, base)
            document["provider-includes"] = {"p/providers$%hash%.json": {"sha256": digest}}
        slug = prefix + audience.slug
        if providers or self._rules.format == "only_v2":
            document["providers-url"] = f"{slug}/p/%package%$%hash%.json"
        if self._rules.with_metadata():
            document["metadata-url"] = f"{slug}/p2/%package%.json"
            document["available-packages"] = sorted(names)
            if self._rules.format == "auto" and not providers:
                document["providers-lazy-url"] = f"{slug}/p/%package%.json"
            api = f"{HOST}{audience.slug}/api/security-advisories/"  # Composer 2.5 takes none without a host
            document["security-advisories"] = {"metadata": True, "api-url": api}
        return await self._in_thread(orjson.dumps, document, None, orjson.OPT_INDENT_2)

    def _head(self, audience: Audience, prefix: str) -> JsonObject:
        slug = prefix + audience.slug
        document: JsonObject = {}
        if audience.repository is not None:
            document["_comment"] = f"Subrepository {audience.repository.slug}"
        if self._rules.info is not None:
            document["info"] = self._rules.info
        document["packages"] = []
        document["notify"] = f"{slug}/downloads/%package%"
        document["notify-batch"] = f"{slug}/downloads/"
        document["metadata-changes-url"] = f"{prefix}/metadata/changes.json"
        if self.publishing.rules.mirror:
            url = f"{slug}/zipball/%package%/%reference%.%type%"
            document["mirrors"] = [{"dist-url": url, "preferred": True}]
        return document

    async def _providers(self, audience: Audience, base: str) -> tuple[Finished, str]:
        key = ("providers", audience.key, base, *self._moment())
        held = self._shelf.get(key)
        if held is None:
            digests = await self.publishing.digests(audience, base)
            held = self._shelf.keep(key, await self._in_thread(_finished_providers, digests))
        return held, sha256(held.body).hexdigest()

    def _moment(self) -> tuple[int, ...]:
        """Return what moves whenever something else is to be told."""
        subjects = (Subject.PACKAGES, Subject.ACCESS)
        return (*map(self._revisions.current, subjects), self.publishing.providers.doubts)


def _addressed(body: bytes, base: str) -> Finished:
    return finish(addressed(body, base), GZIP_LEVEL)


def _finished_providers(digests: Mapping[str, str]) -> Finished:
    providers: dict[str, Any] = {name: {"sha256": digest} for name, digest in sorted(digests.items())}
    return finish(orjson.dumps({"providers": providers}), DIGESTS_GZIP_LEVEL)
