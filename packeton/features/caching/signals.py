"""Waiting for one thing by many: a waiter that goes away disturbs nobody."""

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Pulse", "Signal"]

T = TypeVar("T")


class Signal(Generic[T]):
    """Fires once, with a value or a failure, for everybody who waits then or later."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[T]] = []
        self._result: T | Failure | None = None
        self.fired = False

    def wait(self) -> Deferred[T]:
        """Return a Deferred of one's own; cancelling it leaves the others alone."""
        waiter: Deferred[T] = Deferred(self._leave)
        if self.fired:
            _settle(waiter, self._result)
        else:
            self._waiting.append(waiter)
        return waiter

    def fire(self, result: T | Failure) -> None:
        """Give the result; only the first counts."""
        if self.fired:
            return
        self.fired = True
        self._result = result
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            _settle(waiter, result)

    def _leave(self, waiter: Deferred[T]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)


class Pulse:
    """Fires again and again; each waiter waits for the next time."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def wait(self) -> Deferred[None]:
        """Return a Deferred that fires at the next `fire`."""
        waiter: Deferred[None] = Deferred(self._leave)
        self._waiting.append(waiter)
        return waiter

    def fire(self) -> None:
        """Wake everybody who waits now."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _leave(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)


def _settle(waiter: "Deferred[T]", result: "T | Failure | None") -> None:
    if isinstance(result, Failure):
        waiter.errback(result)
    else:
        waiter.callback(result)  # type: ignore[arg-type]  # fired says that it was set
