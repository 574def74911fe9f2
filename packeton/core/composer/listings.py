"""Names with the hash of their document, as Composer 1's provider files list them; small enough for 400,000 names."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson
from attrs import define

from packeton.core.composer.metadata import read_object

__all__ = ["Listing", "listing_file", "read_listing"]

DIGEST_BYTES = 32


@define
class Listing:
    """SHA-256 by name, 40 bytes each; it cannot say which names it has."""

    _names: "array[int]"
    _digests: bytes

    @classmethod
    def of(cls, listed: Iterable[tuple[str, str]]) -> "Listing":
        """Take names with their digests in hex; of two for one name, the last."""
        pairs = sorted({_number(name): bytes.fromhex(digest) for name, digest in listed}.items())
        return cls(array("Q", (number for number, _ in pairs)), b"".join(digest for _, digest in pairs))

    def find(self, name: str) -> str | None:
        """Return the hash of a name's document, in hex; None where it is not listed."""
        number = _number(name)
        at = bisect_left(self._names, number)
        if at == len(self._names) or self._names[at] != number:
            return None
        return self._digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES].hex()

    def __len__(self) -> int:
        return len(self._names)


def read_listing(content: bytes) -> Mapping[str, Any]:
    """Parse a provider file. Raises BadContent."""
    return read_object(content)


def listing_file(listed: Iterator[tuple[str, str]] | Iterable[tuple[str, str]]) -> bytes:
    """Return a provider file."""
    return orjson.dumps({"providers": {name: {"sha256": digest} for name, digest in listed}})


def _number(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
