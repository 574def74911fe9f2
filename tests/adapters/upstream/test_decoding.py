"""gzip, undone piece by piece."""

import gzip
import tracemalloc
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from packeton.adapters.upstream.decoding import PIECE_BYTES, Damaged, Gunzip


def undo(coded: bytes, *, step: int = 1 << 20) -> tuple[bytes, bool]:
    decoder = Gunzip()
    pieces = [piece for at in range(0, len(coded), step) for piece in decoder.feed(coded[at : at + step])]
    return b"".join(pieces), decoder.complete


class GunzipTests(TestCase):
    """Content, ends, bounds."""

    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50))
    def test_any_split(self, members: list[bytes], step: int) -> None:
        """Content of one or more members comes out whole, however it was cut in reads."""
        coded = b"".join(gzip.compress(member) for member in members)
        self.assertEqual((b"".join(members), True), undo(coded, step=step))

    @given(st.binary(min_size=1, max_size=300), st.data())
    def test_too_early(self, content: bytes, data: st.DataObject) -> None:
        """Anything short of the end is not complete."""
        coded = gzip.compress(content)
        part = data.draw(st.integers(1, len(coded) - 1))
        self.assertFalse(undo(coded[:part])[1])

    def test_ends(self) -> None:
        """Nothing at all is complete; what follows the last member and is none is ignored."""
        self.assertEqual((b"", True), undo(b""))
        for rest in (b"\n", b"\0" * 5, b"garbage", b"\x1f"):
            self.assertEqual((b"x", True), undo(gzip.compress(b"x") + rest))

    def test_damaged(self) -> None:
        """Something else, a wrong checksum."""
        coded = bytearray(gzip.compress(b"hello"))
        coded[-5] ^= 1
        for wrong in (b"<html>", b"\x1f\x8bxxxxxxxx", bytes(coded)):
            with self.assertRaises(Damaged):
                undo(wrong)

    def test_bomb(self) -> None:
        """200 MB of zeros in 200 KB come in pieces; no more than a few are in memory."""
        coded = gzip.compress(b"\0" * (200 << 20), 9)
        tracemalloc.start()
        decoder, size, largest = Gunzip(), 0, 0
        for piece in decoder.feed(coded):
            size, largest = size + len(piece), max(largest, len(piece))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertEqual((200 << 20, PIECE_BYTES, True), (size, largest, decoder.complete))
        self.assertLess(peak, 4 << 20)
