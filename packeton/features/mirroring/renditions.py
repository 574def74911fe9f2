"""Documents as we send them: what they are made of, their date, and a bounded memory of finished ones."""

import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import new, sha256

from attrs import define, field, frozen

from packeton.features.caching.flights import Flights
from packeton.features.mirroring.documents import Outcome
from packeton.interfaces.clocks import InThread

__all__ = ["Rendered", "Rendition", "Renditions"]

GZIP_LEVEL = 6
MAX_DIGESTS = 50_000


@frozen(kw_only=True)
class Rendition:
    """One document as we send it, not made yet."""

    key: str
    """What it is a document of; the same for all contents and clients."""
    source: str
    """Digest of the bytes it is made of."""
    fingerprint: str
    """Digest of all that decides the output, but for the address that the client used."""
    variant: str
    """What besides the source decides the output, the address included."""
    last_modified: datetime
    outcome: Outcome
    read: Callable[[], Awaitable[Sequence[bytes]]]
    """Gives the documents to make it of. Raises NotFound when they have gone: find it again."""
    render: Callable[[Sequence[bytes]], bytes] | None = None
    """Blocking; makes the output of what was read. None: the first is the output."""

    @property
    def name(self) -> str:
        """One text for one output."""
        return f"{self.key}\n{self.source}\n{self.variant}"

    @property
    def etag(self) -> str:
        """A weak validator: the same document in two codings has one."""
        return f'W/"{sha256(f"{self.source} {self.variant}".encode()).hexdigest()[:32]}"'


@frozen(kw_only=True)
class Rendered:
    """The bytes of one document."""

    body: bytes
    gzipped: bytes

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return len(self.body) + len(self.gzipped) + 200


@define
class Renditions:
    """A bounded memory of rendered documents, least recently used out first."""

    _in_thread: InThread
    _max_bytes: int
    _kept: OrderedDict[str, Rendered] = field(factory=OrderedDict, init=False)
    _digests: OrderedDict[str, str] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _flights: Flights[Rendered] = field(factory=Flights, init=False)

    async def rendered(self, rendition: Rendition) -> Rendered:
        """Return the output of *rendition*, made now if need be. Raises NotFound when what it is made of has gone."""
        kept = self._kept.get(rendition.name)
        if kept is not None:
            self._kept.move_to_end(rendition.name)
            return kept
        return await self._flights.join(rendition.name, lambda: self._render(rendition))

    async def digest(self, rendition: Rendition, kind: str) -> str:
        """Return the hash (`sha1`, `sha256`) of the output, in hex. Raises NotFound as `rendered` does."""
        name = f"{kind}\n{rendition.name}"
        if name not in self._digests:
            body = (await self.rendered(rendition)).body
            digest = await self._in_thread(lambda: new(kind, body, usedforsecurity=False).hexdigest())
            self._digests[name] = digest
            if len(self._digests) > MAX_DIGESTS:
                self._digests.popitem(last=False)
        return self._digests[name]

    def known_digest(self, rendition: Rendition, kind: str) -> str | None:
        """Return the hash of the output if it was computed already."""
        return self._digests.get(f"{kind}\n{rendition.name}")

    async def _render(self, rendition: Rendition) -> Rendered:
        contents = await rendition.read()

        def work() -> Rendered:
            body = contents[0] if rendition.render is None else rendition.render(contents)
            return Rendered(body=body, gzipped=compress(body))

        made = await self._in_thread(work)
        self._kept[rendition.name] = made
        self._bytes += made.weight
        while self._bytes > self._max_bytes and self._kept:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.weight
        return made


def compress(body: bytes) -> bytes:
    """Return *body* in gzip, the same bytes for the same input. Blocking."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(body) + compressor.flush()
