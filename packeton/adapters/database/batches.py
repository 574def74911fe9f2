"""Lists that are too long for one statement: databases bound the parameters of one."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

__all__ = ["batches"]

AT_ONCE: Final = 400
"""Values in one IN list."""
T = TypeVar("T")


def batches(items: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """Yield *items* in their order, at most *size* at once."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
