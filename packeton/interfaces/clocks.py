"""The ports to time and threads: everything that waits or works takes these as arguments."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

__all__ = ["InThread", "Now", "now_of"]

Result = TypeVar("Result")

Now = Callable[[], datetime]
"""Returns the current time, aware UTC."""


class InThread(Protocol):
    """Runs a blocking call off the reactor thread and hands its result, or its exception, back."""

    def __call__(self, work: Callable[..., Result], /, *args: object) -> Awaitable[Result]:
        """Run `work(*args)`."""


def now_of(clock: IReactorTime) -> Now:
    """Return a `Now` that reads *clock*."""

    def now() -> datetime:
        return datetime.fromtimestamp(clock.seconds(), UTC)

    return now
