"""
The dists of one mirror: from the store, or streamed while they are stored.

What is served for a (package, version, reference) is for ever what was first seen: its digest is recorded, and other
bytes that upstream serves later are refused and raise an alarm. A dist is kept, and its end is shown, only after it was
verified.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime, timedelta
from hashlib import sha1
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.parse import quote

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from packeton.core.caching.backoff import Attempts
from packeton.core.caching.entries import CacheEntry, DistDigest
from packeton.core.composer.archives import ArchiveBounds, verify_zip
from packeton.core.composer.metadata import DistSource, find_dist, reference_in_url, version_in_url
from packeton.core.composer.names import PackageName
from packeton.errors import (
    BadContent,
    NotFound,
    NotHad,
    PacketonError,
    StorageFailed,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamRefused,
)
from packeton.features.caching.fills import Body, Fill, Fills, Head, Plan
from packeton.features.caching.flights import Flights
from packeton.features.caching.spools import Follower
from packeton.features.caching.storage import Storage
from packeton.features.mirroring.building import Builder
from packeton.features.mirroring.mirrors import Mirror
from packeton.interfaces.blobs import IBlob
from packeton.interfaces.caching import IDistRecords
from packeton.interfaces.clocks import InThread, now_of
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["ArrivingDist", "DistRequest", "Dists", "Refusal", "StoredDist"]

log = Logger()

HOLD_BACK_BYTES = 1 << 16
REFUSED_FOR = timedelta(seconds=30)
"""How long an answer that asking again would not change is remembered."""
MAX_REMEMBERED = 10_000
MAX_SHOWN = 20
MAX_PART = 191


@frozen(kw_only=True)
class DistRequest:
    """One dist, by the values as they stand in its URL."""

    package: PackageName
    version: str
    reference: str
    type: str

    def key(self, alias: str) -> str:
        """Return the cache key. Raises NotFound for parts that no dist can have."""
        for part in (self.version, self.reference, self.type):
            if len(part) > MAX_PART or not part.isprintable():
                raise NotFound("no such dist")
        parts = (quote(part, safe="") for part in (self.version, self.reference))
        return f"mirror/{alias}/dist/{self.package}/" + "/".join(parts) + f".{self.type}"


@frozen(kw_only=True)
class StoredDist:
    """A dist that is whole; the caller closes `blob`."""

    entry: CacheEntry
    blob: IBlob


@frozen(kw_only=True)
class ArrivingDist:
    """A dist that is being fetched; its first bytes are there. The caller closes `follower`."""

    head: Head
    follower: Follower
    fill: Fill

    async def kept(self) -> bool:
        """Wait until it is whole and stored, which is later than its last byte; False: the store did not take it."""
        return await self.fill.done() is not None


@frozen(kw_only=True)
class Refusal:
    """A dist that was not kept, and why."""

    key: str
    reason: str
    at: datetime


class _Damaged(UpstreamRefused):
    """What upstream gives was looked at a moment ago, and is not to be served."""


@define
class Dists:
    """Answers for the dists of one mirror."""

    _mirror: Mirror
    _client: IHttpClient
    _storage: Storage
    _fills: Fills
    _records: IDistRecords
    _clock: IReactorTime
    _in_thread: InThread
    _random: Callable[[], float]
    _attempts: Attempts
    _limits: UpstreamLimits
    _bounds: ArchiveBounds
    _on_changed: Callable[[], None]
    builder: Builder | None = None
    """Builds what cannot be had; None: nothing does."""
    _beginning: Flights[Fill] = field(factory=Flights, init=False)
    _building: Flights[CacheEntry] = field(factory=Flights, init=False)
    _refused: OrderedDict[str, tuple[datetime, PacketonError]] = field(factory=OrderedDict, init=False)
    refusals: deque[Refusal] = field(factory=lambda: deque(maxlen=MAX_SHOWN), init=False)
    """The latest dists whose bytes were refused since the start, newest first; for people to see."""

    async def open(self, request: DistRequest, *, read_only: bool = False) -> StoredDist | ArrivingDist:
        """
        Return the dist, to be sent.

        Args:
            read_only: As for `Policy.admit`.

        Raises:
            NotFound: the policy keeps the package back, the metadata has no such version, or upstream has no such file.
            UpstreamRefused: upstream will not give it to us.
            BadContent: what upstream gives is damaged, or not what it was.
            UpstreamFailed: upstream could not be had; trying again may help.
        """
        if self._mirror.rules.dists is None:
            raise NotFound("this mirror leaves dists to upstream")
        key = request.key(self._mirror.rules.alias)
        await self._mirror.policy.admit(str(request.package), read_only=read_only)
        for _ in range(3):
            stored = await self._stored(key)
            if stored is not None:
                return stored
            try:
                fill = self._fills.running(key) or await self._beginning.join(key, lambda: self._begin(request, key))
                await fill.head()
            except (NotFound, UpstreamRefused, BadContent) as error:
                await self._build(request, key, error)
                continue
            arriving = await self._arriving(fill, request.type)
            if arriving is not None:
                return arriving
        raise UpstreamFailed("the dist could not be kept and is gone again")

    async def _build(self, request: DistRequest, key: str, error: PacketonError) -> None:
        """Build what upstream does not give. Raises *error*, with why this was in vain where it was tried."""
        if isinstance(error, NotFound):
            error = NotHad(str(error))  # the client is told why
        if self.builder is None or isinstance(error, _Damaged):
            raise error
        self._recall(f"{key} built")
        try:
            dist = await self._locate(request)
        except PacketonError:
            raise error from None
        source, builder = dist.source, self.builder
        if source is None or dist.shasum or dist.type != "zip":
            raise error
        try:
            await self._building.join(key, lambda: builder.build(key, source))
        except PacketonError as reason:
            kind = NotHad if isinstance(error, NotFound) else UpstreamRefused
            final = kind(f"{error}; building it out of its source failed: {reason}")
            self._refuse(f"{key} built", final)
            raise final from reason

    async def _stored(self, key: str) -> StoredDist | None:
        entry = await self._storage.find(key)
        if entry is None:
            return None
        try:
            return StoredDist(entry=entry, blob=await self._storage.open(entry))
        except NotFound:
            return None

    async def _arriving(self, fill: Fill, kind: str) -> ArrivingDist | None:
        head = await fill.head()
        follower = fill.follow()
        if follower is None:
            await fill.done()
            return None
        try:
            await follower.ready(2)
            if kind == "zip" and not follower.peek(2).startswith(b"PK"):
                raise BadContent(f"{head.url}: something that is no zip")
        except BaseException:
            follower.close()
            raise
        return ArrivingDist(head=head, follower=follower, fill=fill)

    async def _begin(self, request: DistRequest, key: str) -> Fill:
        self._recall(key)
        if not self._attempts.begin(key, now_of(self._clock)()):
            raise UpstreamBusy("upstream failed a moment ago and is not asked again yet")
        try:
            source = await self._locate(request)
            if not source.url:
                raise NotFound("this version has no dist")
            fill = self._fills.start(self._plan(request, key, source, await self._addresses(source)))
        except BaseException:
            self._attempts.succeeded(key)  # nothing was asked under this key
            raise
        fill.done().addCallbacks(lambda _: self._attempts.succeeded(key), self._failed, errbackArgs=(key,))
        return fill

    def _failed(self, failure: Failure, key: str) -> None:
        now = now_of(self._clock)()
        error = failure.value
        log.warn("{key} was not had: {why}", key=key, why=failure.getErrorMessage())
        if isinstance(error, BadContent):
            self.refusals.appendleft(Refusal(key=key, reason=str(error), at=now))
        if isinstance(error, NotFound | UpstreamRefused | BadContent):
            self._attempts.succeeded(key)  # upstream is well; it is the answer that is final
            # Until it is asked for again the answer is final: said so, Composer does not repeat its question 16 times.
            self._refuse(key, _Damaged(str(error)) if isinstance(error, BadContent) else error)
        else:
            self._attempts.failed(key, now, self._random())

    def _refuse(self, key: str, error: PacketonError) -> None:
        self._refused[key] = (now_of(self._clock)(), error)
        if len(self._refused) > MAX_REMEMBERED:
            self._refused.popitem(last=False)

    def _recall(self, key: str) -> None:
        """Raise what was the answer a moment ago, if asking again would not change it."""
        refused = self._refused.get(key)
        if refused is not None and now_of(self._clock)() - refused[0] < REFUSED_FOR:
            raise copy(refused[1])  # a fresh one: each raise of the same would add to its traceback

    async def _locate(self, request: DistRequest) -> DistSource:
        branch_first = request.version.startswith("dev-") or request.version.endswith("-dev")
        for dev in (branch_first, not branch_first):
            try:
                versions = await self._mirror.versions(request.package, dev=dev)
            except NotFound:
                continue
            source = await self._in_thread(find_dist, versions, request.version, request.reference)
            if source is not None and source.type == request.type:
                return source
        raise NotFound("the metadata has no such version")

    async def _addresses(self, source: DistSource) -> Sequence[str]:
        """Return where the dist may be had: upstream's own mirrors, then the dist's URL."""
        values = {
            "package": source.package,
            "version": version_in_url(source.version),
            "reference": reference_in_url(source.reference),
            "type": source.type,
            "prettyVersion": version_in_url(source.pretty_version),
        }
        addresses = []
        for template in (await self._mirror.root()).dist_mirrors():
            address = template
            for name, value in values.items():
                address = address.replace(f"%{name}%", quote(value, safe="/" if name == "package" else ""))
            addresses.append(address)
        return [*addresses, source.url]

    def _plan(self, request: DistRequest, key: str, source: DistSource, addresses: Sequence[str]) -> Plan:
        content_type = "application/zip" if source.type == "zip" else "application/octet-stream"
        return Plan(
            key=key,
            client=self._client,
            requests=tuple(UpstreamRequest(url=url, limits=self._limits) for url in addresses),
            welcome=lambda head: head.status == 200 and "html" not in (head.header("content-type") or ""),
            keep=lambda head: head.entry(key, [("Content-Type", content_type)]),
            check=lambda body: self._check(body, request, source),
            hold_back_bytes=HOLD_BACK_BYTES,
        )

    async def _check(self, body: Body, request: DistRequest, source: DistSource) -> None:
        sha1 = None
        if body.content is not None:
            sha1 = await self._in_thread(_verify, body.content, source, self._bounds)
        await self._compare_with_first(body, request, source, sha1)

    async def _compare_with_first(
        self, body: Body, request: DistRequest, source: DistSource, sha1: str | None
    ) -> None:
        now = now_of(self._clock)()
        digest = DistDigest(
            mirror=self._mirror.rules.alias,
            package=str(request.package),
            version=source.version,
            reference=source.reference,
            sha256=body.sha256,
            sha1=sha1,
            size=body.size,
            seen_at=now,
        )
        same = (digest.mirror, digest.package, digest.version, digest.reference)
        try:
            first = await self._records.first_seen(digest)
            if first.sha256 == body.sha256:
                return
            await self._records.changed(*same, body.sha256, now)
        except StorageFailed as error:
            log.warn("The digest of a dist could not be recorded: {error}", error=str(error))
            return
        self._on_changed()
        log.error(
            "ALARM: upstream serves other bytes for {package} {version} ({reference}) than first seen on {seen_at}: "
            "SHA-256 {now} instead of {first}",
            package=digest.package,
            version=digest.version,
            reference=digest.reference,
            seen_at=first.seen_at.isoformat(),
            now=body.sha256,
            first=first.sha256,
        )
        raise BadContent(f"upstream serves other bytes for {request.package} {request.version} than it did first")


class _BlobFile(RawIOBase):
    """A blob as a seekable file, for libraries that want one."""

    def __init__(self, blob: IBlob, size: int) -> None:
        self._blob = blob
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        chunk = self._blob.read_at(self._at, min(len(buffer), max(0, self._size - self._at)))
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)


def _verify(content: IBlob, source: DistSource, bounds: ArchiveBounds) -> str:
    """Check a dist through; return its SHA-1 in hex. Blocking; raises BadContent."""
    size = content.size
    if size == 0:
        raise BadContent("an empty dist")
    digest, at = sha1(usedforsecurity=False), 0
    while chunk := content.read_at(at, 1 << 20):
        digest.update(chunk)
        at += len(chunk)
    if source.shasum and digest.hexdigest() != source.shasum:
        raise BadContent(f"{source.url}: the checksum differs from the metadata's shasum")
    if source.type == "zip":
        try:
            verify_zip(BufferedReader(_BlobFile(content, size)), bounds)
        except BadContent as error:
            raise BadContent(f"{source.url}: {error}") from error
    return digest.hexdigest()
