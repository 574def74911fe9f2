"""Rendered documents in memory, ready to send, so that a document is rendered and compressed once."""

import zlib
from collections import OrderedDict

from attrs import define, field, frozen

from packeton.features.caching.flights import Flights
from packeton.features.mirroring.mirrors import Mirror, Rendition

__all__ = ["Rendered", "Renditions"]

GZIP_LEVEL = 6


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

    _max_bytes: int
    _kept: OrderedDict[tuple[str, str, str], Rendered] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _flights: Flights[Rendered] = field(factory=Flights, init=False)

    async def rendered(self, mirror: Mirror, rendition: Rendition) -> Rendered:
        """Return the output of *rendition*, rendered now if need be. Raises NotFound when its body has gone."""
        entry = rendition.document.entry
        key = (entry.key, entry.sha256, rendition.variant)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        return await self._flights.join("\n".join(key), lambda: self._render(key, mirror, rendition))

    async def _render(self, key: tuple[str, str, str], mirror: Mirror, rendition: Rendition) -> Rendered:
        body, gzipped = await mirror.output(rendition, compress)
        made = Rendered(body=body, gzipped=gzipped)
        self._kept[key] = made
        self._bytes += made.weight
        while self._bytes > self._max_bytes and self._kept:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.weight
        return made


def compress(body: bytes) -> bytes:
    """Return *body* in gzip, the same bytes for the same input. Blocking."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(body) + compressor.flush()
