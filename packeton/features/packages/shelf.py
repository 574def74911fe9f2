"""Finished documents and small values in memory, least recently used out first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import define, field, frozen

__all__ = ["Finished", "Recent", "Shelf"]

T = TypeVar("T")


def _one(_: object) -> int:
    return 1


@define
class Recent(Generic[T]):
    """A memory of values, bounded by their number, or by the sum of what they weigh."""

    _most: int
    _weigh: Callable[[T], int] = _one
    _kept: OrderedDict[tuple[object, ...], T] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def get(self, key: tuple[object, ...]) -> T | None:
        """Return what was kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: tuple[object, ...], value: T) -> T:
        """Keep a value, as long as there is room, and return it."""
        old = self._kept.pop(key, None)
        self._kept[key] = value
        self._weight += self._weigh(value) - (0 if old is None else self._weigh(old))
        while self._weight > self._most:
            self._weight -= self._weigh(self._kept.popitem(last=False)[1])
        return value


@frozen(kw_only=True)
class Finished:
    """A document ready to send."""

    body: bytes = field(repr=False)
    gzipped: bytes = field(repr=False)


def _bytes_of(finished: Finished) -> int:
    return len(finished.body) + len(finished.gzipped) + 400


@define
class Shelf(Recent[Finished]):
    """A memory of documents, bounded by their bytes."""

    _weigh: Callable[[Finished], int] = field(default=_bytes_of, init=False)
