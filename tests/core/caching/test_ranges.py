"""Ranges. Source: RFC 9110 section 14."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.ranges import MAX_RANGES, Slice, Unsatisfiable, multipart, read_ranges


class RangeTests(SynchronousTestCase):
    """A header and a length."""

    def test_table(self) -> None:
        """First, last, suffix, beyond the end, several."""
        for value, expected in (
            ("bytes=0-0", [(0, 1)]), ("bytes=5-", [(5, 10)]), ("bytes=-3", [(7, 10)]), ("bytes=-99", [(0, 10)]),
            ("bytes=5-99", [(5, 10)]), ("bytes=0-1, 4-5 ,-1", [(0, 2), (4, 6), (9, 10)]), ("BYTES=1-1", [(1, 2)]),
            ("bytes=50-60,2-3", [(2, 4)]), ("bytes=9-9,0-0", [(9, 10), (0, 1)]),
        ):  # fmt: skip
            self.assertEqual([Slice(*pair) for pair in expected], read_ranges(value, 10), value)

    def test_ignored(self) -> None:
        """Other units, nonsense, too many, and more than the whole."""
        for value in (
            "", "bytes", "bytes=", "bytes=,", "items=0-1", "bytes=a-b", "bytes=5-4", "bytes=-", "bytes=1-2-3", "bytes=--1",
            "bytes=0-9,0-9", "bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)), "bytes=1 2-3", "bytes=1-٣",
        ):  # fmt: skip
            self.assertIsNone(read_ranges(value, 10), value)

    def test_unsatisfiable(self) -> None:
        """Well-formed and outside."""
        for value, total in (("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=99-100,50-", 10)):
            self.assertRaises(Unsatisfiable, read_ranges, value, total)

    @given(st.text("bytes=0123456789-, ", max_size=40).map(lambda text: "bytes=" + text), st.integers(0, 1000))
    def test_always_within(self, value: str, total: int) -> None:
        """Whatever is asked for, slices are not empty and within the whole, and together not more than it."""
        try:
            slices = read_ranges(value, total)
        except Unsatisfiable:
            return
        for part in slices or ():
            self.assertTrue(0 <= part.first < part.end <= total)
        self.assertLessEqual(sum(part.size for part in slices or ()), total)

    @given(st.integers(0, 999), st.integers(0, 999), st.binary(min_size=1, max_size=1000))
    def test_like_python(self, first: int, last: int, content: bytes) -> None:
        """A single range is a slice."""
        wanted = content[first : last + 1]
        try:
            slices = read_ranges(f"bytes={first}-{last}", len(content))
        except Unsatisfiable:
            self.assertEqual(b"", wanted)
            return
        if slices is None:
            self.assertLess(last, first)
        else:
            self.assertEqual(wanted, content[slices[0].first : slices[0].end])

    def test_multipart(self) -> None:
        """Each part has its own head; the tail closes the last."""
        heads, tail = multipart([Slice(0, 1), Slice(4, 6)], 10, "text/plain", "B")
        self.assertEqual(b"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 4-5/10\r\n\r\n", heads[1])
        self.assertEqual(b"\r\n--B--\r\n", tail)
