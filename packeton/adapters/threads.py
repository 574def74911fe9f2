"""Threads for what blocks."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

__all__ = ["Threads"]

Result = TypeVar("Result")


class Threads(Service):
    """
    A pool of threads; calls it is given before it started wait for the start.

    An instance is an `InThread`.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, max_threads: int) -> None:
        self.setName(name)
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=max_threads, name=name)

    def __call__(self, work: Callable[..., Result], /, *args: object) -> Awaitable[Result]:
        """Run `work(*args)` in a thread."""
        return deferToThreadPool(self._reactor, self._pool, work, *args)

    def startService(self) -> None:
        """Start the pool."""
        super().startService()
        if not self._pool.started:
            self._pool.start()

    def stopService(self) -> None:
        """Wait for the calls under way and stop the pool."""
        super().stopService()
        if self._pool.started:
            self._pool.stop()
