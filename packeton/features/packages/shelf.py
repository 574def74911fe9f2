"""Finished documents in memory, least recently used out first."""

from collections import OrderedDict
from typing import Generic, TypeVar

from attrs import define, field, frozen

__all__ = ["Finished", "Recent", "Shelf"]

T = TypeVar("T")


@frozen(kw_only=True)
class Finished:
    """A document ready to send."""

    body: bytes = field(repr=False)
    gzipped: bytes = field(repr=False)


@define
class Shelf:
    """A bounded memory of documents."""

    _max_bytes: int
    _kept: OrderedDict[tuple[object, ...], Finished] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)

    def get(self, key: tuple[object, ...]) -> Finished | None:
        """Return what was kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: tuple[object, ...], finished: Finished) -> None:
        """Keep a document, as long as there is room."""
        self._forget(key)
        self._kept[key] = finished
        self._bytes += _weight(finished)
        while self._bytes > self._max_bytes and self._kept:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[object, ...]) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= _weight(old)


def _weight(finished: Finished) -> int:
    return len(finished.body) + len(finished.gzipped) + 400


@define
class Recent(Generic[T]):
    """A memory of small values, bounded by their number."""

    _most: int
    _kept: OrderedDict[tuple[object, ...], T] = field(factory=OrderedDict, init=False)

    def get(self, key: tuple[object, ...]) -> T | None:
        """Return what was kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: tuple[object, ...], value: T) -> T:
        """Keep a value, and return it."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value
