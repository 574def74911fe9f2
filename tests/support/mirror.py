"""A mirror in memory, in front of files in memory, put together as the assembly does it."""

import json
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from packeton.core.caching.backoff import Attempts
from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.names import PackageName
from packeton.errors import UpstreamFailed, UpstreamRefused
from packeton.features.mirroring.building import Builder
from packeton.features.mirroring.dists import ArrivingDist, DistRequest, Dists
from packeton.features.mirroring.documents import Documents
from packeton.features.mirroring.editions import Editions
from packeton.features.mirroring.mirrors import Mirror
from packeton.features.mirroring.offering import Offering
from packeton.features.mirroring.originals import Originals
from packeton.features.mirroring.policy import Policy
from packeton.features.mirroring.publications import Publications
from packeton.features.mirroring.renditions import Rendition, Renditions
from packeton.features.mirroring.rules import MirrorRules
from packeton.interfaces.upstream import IHttpClient, IUpstreamResponse, UpstreamLimits, UpstreamRequest
from tests.support.scripted import ScriptedResponse, immediately
from tests.support.store import MemoryCache

__all__ = ["BASE", "URL", "FilesClient", "MirrorTestCase"]

BASE = "https://up.example"
URL = "https://p.example/mirror/up"
T = TypeVar("T")


@implementer(IHttpClient)
@define
class FilesClient:
    """Answers from a map of paths; 304 for the date it gave. `down` lists paths that fail, or "*"."""

    files: dict[str, bytes]
    dates: dict[str, str] = field(factory=dict)
    asked: Counter[str] = field(factory=Counter)
    down: set[str] = field(factory=set)

    async def request(self, request: UpstreamRequest) -> IUpstreamResponse:
        path = unquote(urlsplit(request.url).path)
        self.asked[path] += 1
        if path in self.down or "*" in self.down:
            raise UpstreamFailed(f"{request.url}: down")
        content = self.files.get(path)
        if content is None:
            return ScriptedResponse(status=404, body=b"", url=request.url)
        date = self.dates.get(path, "Tue, 14 Nov 2023 22:13:20 GMT")
        if dict(request.headers).get("If-Modified-Since") == date:
            return ScriptedResponse(status=304, body=b"", url=request.url)
        headers = [("Last-Modified", date)]
        return ScriptedResponse(body=content, length=len(content), headers=headers, url=request.url)


class MirrorTestCase(SynchronousTestCase):
    """`self.mirror` of `self.client.files`, with `self.rules` and `self.policy`."""

    def build(self, files: dict[str, bytes], policy: Policy | None = None, **rules: Any) -> Mirror:
        """Make the mirror; `reconfigure` makes another on the same store."""
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.client = FilesClient(files)
        self.rules = MirrorRules(
            alias="up", url=f"{BASE}/repo", fresh_for=timedelta(seconds=60), dists="mirrors", notify=False, public=True,
            info=None,
        )  # fmt: skip
        return self.reconfigure(policy, **rules)

    def reconfigure(self, policy: Policy | None = None, **rules: Any) -> Mirror:
        self.rules, self.policy = evolve(self.rules, **rules), policy or Policy()
        cache, limits = self.cache, UpstreamLimits()
        documents = Documents(
            self.client, cache.storage, cache.fills, cache.clock, immediately, limits, Attempts(), lambda: 0.5,
            timedelta(days=1), timedelta(seconds=600),
        )  # fmt: skip
        publications, renditions = Publications(cache.publications), Renditions(immediately, 1 << 24)
        originals = Originals("up", f"{BASE}/repo", documents, immediately, lambda: self.rules.fresh_for)
        editions = Editions(
            self.rules, originals, publications, renditions, self.policy, cache.dists, immediately
        )
        offering = Offering(self.rules, originals, editions, publications, renditions, self.policy, cache.now)
        self.renditions = renditions
        self.mirror = Mirror(
            self.rules, self.policy, originals, editions, offering, documents, publications, self.client, immediately,
            limits,
        )  # fmt: skip
        self.dists = Dists(
            self.mirror, self.client, cache.storage, cache.fills, cache.dists, cache.clock, immediately, lambda: 0.5,
            Attempts(), limits, ArchiveBounds(), lambda: None,
        )  # fmt: skip
        return self.mirror

    def build_with(self, checkouts: Any, keys: dict[str, Path] | None = None) -> None:
        """Let dists be built by *checkouts*."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        numbers = count()

        async def allowed(url: str) -> None:
            if "private" in url:
                raise UpstreamRefused("the address is private")

        self.dists.builder = Builder(
            checkouts, keys or {}, allowed, Path(folder.name) / "building", self.cache.storage, immediately,
            self.cache.now, lambda: f"built{next(numbers)}", ArchiveBounds(),
        )  # fmt: skip

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of *work*, which may wait between attempts."""
        waiting = ensureDeferred(work)
        for _ in range(100):
            if waiting.called:
                break
            self.cache.clock.advance(0.1)
        return self.successResultOf(waiting)

    def deferred(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        return ensureDeferred(work)

    def body(self, work: Coroutine[Any, Any, Rendition]) -> bytes:
        return self.now(self.renditions.rendered(self.now(work))).body

    def document(self, work: Coroutine[Any, Any, Rendition]) -> Any:
        return json.loads(self.body(work))

    def root(self, generation: int | None = 2) -> Any:
        return self.document(self.mirror.root_rendition(URL, generation))

    def second(self, name: str, *, dev: bool = False) -> Any:
        return self.document(self.mirror.package_rendition(PackageName.parse(name), dev=dev, mirror_url=URL))

    def first(self, name: str, digest: str | None = None) -> bytes:
        return self.body(self.mirror.old_rendition(PackageName.parse(name), digest, mirror_url=URL))

    def file(self, path: str) -> bytes:
        return self.body(self.mirror.file_rendition(path, URL))

    def dist(self, name: str, version: str, reference: str, kind: str = "zip") -> bytes:
        """Return the bytes of a dist, arriving or stored."""
        wanted = DistRequest(package=PackageName.parse(name), version=version, reference=reference, type=kind)
        dist = self.now(self.dists.open(wanted))
        if isinstance(dist, ArrivingDist):
            parts = []
            while part := self.now(dist.follower.read(1 << 16)):
                parts.append(part)
            dist.follower.close()
            return b"".join(parts)
        content = dist.blob.read_at(0, dist.blob.size)
        dist.blob.close()
        return content
