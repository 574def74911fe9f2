"""Undoing gzip piece by piece: however well a body was compressed, no more than a piece of it is in memory."""

import zlib
from collections.abc import Iterator

from attrs import define, field

__all__ = ["Damaged", "Gunzip"]

PIECE_BYTES = 1 << 16
GZIP_ONLY = 16 + zlib.MAX_WBITS
MAGIC = b"\x1f\x8b"


class Damaged(Exception):
    """The coded bytes are no gzip, or their checksum is wrong."""


@define
class Gunzip:
    """
    Undoes gzip, of several members too; what follows the last member and is none is ignored, as browsers do.

    Source: RFC 1952 section 2.2, RFC 9110 section 8.4.1.3.
    """

    _member: "zlib._Decompress | None" = field(default=None, init=False)
    _begun: bytes = field(default=b"", init=False)
    _started: bool = field(default=False, init=False)
    _over: bool = field(default=False, init=False)

    @property
    def complete(self) -> bool:
        """Whether the last member is whole; nothing at all is whole, too."""
        return self._over or (self._member is None and (self._started or not self._begun))

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the content of *data* in pieces of at most 64 KiB. Raises Damaged."""
        full = False  # then there may be more of it, although all of *data* was taken
        while (data or full) and not self._over:
            if self._member is None:
                data, self._begun = self._begun + data, b""
                if not self._begins(data):
                    return
            assert self._member is not None
            try:
                piece = self._member.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise Damaged("gzip that is damaged") from error
            full = len(piece) == PIECE_BYTES
            if piece:
                yield piece
            data = self._rest(self._member)

    def _begins(self, data: bytes) -> bool:
        """Begin a member if *data* is the beginning of one."""
        if len(data) < len(MAGIC) and MAGIC.startswith(data):
            self._begun = data
            return False
        if self._started and not data.startswith(MAGIC):
            self._over = True
            return False
        self._member, self._started = zlib.decompressobj(GZIP_ONLY), True
        return True

    def _rest(self, member: "zlib._Decompress") -> bytes:
        if member.eof:
            self._member = None
            return member.unused_data
        return member.unconsumed_tail
