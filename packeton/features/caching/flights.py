"""One running piece of work per key, shared by all who want its result."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from packeton.features.caching.signals import Signal

__all__ = ["Flights"]

T = TypeVar("T")


@define
class Flights(Generic[T]):
    """Joins callers of the same key to one run. A caller that hangs up leaves the run going."""

    _running: dict[str, Signal[T]] = field(factory=dict, init=False)

    def join(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Return the result of the run under way for *key*; begin one with `start()` if there is none."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = Signal()
            waiter = running.wait()
            Deferred.fromCoroutine(start()).addBoth(self._land, key)
            return waiter
        return running.wait()

    def running(self, key: str) -> bool:
        """Say if a run is under way."""
        return key in self._running

    def __len__(self) -> int:
        return len(self._running)

    def _land(self, result: "T | Failure", key: str) -> None:
        self._running.pop(key).fire(result)
