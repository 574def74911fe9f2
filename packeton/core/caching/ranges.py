"""Range requests: a header → slices of a known length. Source: RFC 9110 section 14."""

import re
from collections.abc import Sequence

from attrs import frozen

__all__ = ["MAX_RANGES", "Slice", "Unsatisfiable", "multipart", "read_ranges"]

MAX_RANGES = 20
"""More than that is answered whole: nobody needs it, and it costs."""
SPEC = re.compile(r"\s*([0-9]{0,18})-([0-9]{0,18})\s*")


class Unsatisfiable(Exception):
    """No part of what was asked for exists."""


@frozen
class Slice:
    """Bytes [first, end) of a whole."""

    first: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.first

    def content_range(self, total: int) -> str:
        """Return the value of Content-Range."""
        return f"bytes {self.first}-{self.end - 1}/{total}"


def read_ranges(value: str, total: int) -> Sequence[Slice] | None:
    """
    Return the slices that a Range field asks for, in its order; None when the field is to be ignored.

    It is ignored when its unit is another one, it is malformed, has more than MAX_RANGES parts, or parts that overlap
    so that more than the whole would be sent.

    Raises:
        Unsatisfiable: well-formed, but nothing of it is within *total*.
    """
    unit, separator, specs = value.partition("=")
    if unit.strip().lower() != "bytes" or not separator:
        return None
    slices = []
    parts = [part for part in specs.split(",") if part.strip()]
    for part in parts:
        match = SPEC.fullmatch(part)
        if match is None or match.groups() == ("", ""):
            return None
        if match[1] and match[2] and int(match[1]) > int(match[2]):
            return None
        found = _slice(match[1], match[2], total)
        if found is not None:
            slices.append(found)
    if not parts or len(parts) > MAX_RANGES:
        return None
    if not slices:
        raise Unsatisfiable
    return None if sum(part.size for part in slices) > total else slices


def _slice(first: str, last: str, total: int) -> Slice | None:
    if not first:
        size = min(int(last), total)
        return Slice(total - size, total) if size else None
    begin = int(first)
    end = min(total, int(last) + 1) if last else total
    return Slice(begin, end) if begin < total else None


def multipart(slices: Sequence[Slice], total: int, content_type: str, boundary: str) -> tuple[list[bytes], bytes]:
    """Return the head of each part and the tail of a multipart/byteranges body. Source: RFC 9110 section 14.6."""
    begin = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: "
    heads = [f"{begin}{part.content_range(total)}\r\n\r\n".encode() for part in slices]
    return heads, f"\r\n--{boundary}--\r\n".encode()
