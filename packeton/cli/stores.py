"""Running a coroutine from a command, and on the store of a data directory."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from packeton.assembly.store import Store, open_store
from packeton.config.settings import Settings

__all__ = ["on_reactor", "with_store"]

T = TypeVar("T")


def on_reactor(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run `work(reactor)` on a reactor that ends with it; raises what it raises, Abort when interrupted."""
    outcome: list[T | Failure] = []
    interrupted: list[Deferred[None]] = []

    async def run(reactor: Any) -> None:
        try:
            outcome.append(await work(reactor))
        except BaseException:  # react would print a traceback; the caller says it in one line
            outcome.append(Failure())

    def begin(reactor: Any) -> Deferred[None]:
        running = Deferred.fromCoroutine(run(reactor))

        def interrupt() -> Deferred[None] | None:
            """Let *work* end what it began: its threads would keep the process for ever."""
            if running.called:
                return None
            ended: Deferred[None] = Deferred()
            interrupted.append(ended)
            running.addBoth(ended.callback)
            running.cancel()
            return ended

        reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        return running

    with suppress(SystemExit):  # react always ends so
        react(begin)
    if interrupted or not outcome:
        raise click.Abort
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result


def with_store(settings: Settings, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """
    Run *work* on the store of a data directory, beside a server that may be running on it.

    Raises as `on_reactor`, ConfigurationInvalid for a directory that cannot be used.
    """
    return on_reactor(lambda reactor: _on_store(settings, reactor, work))


async def _on_store(settings: Settings, reactor: Any, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    store = open_store(settings, reactor)
    store.directory.prepare()
    store.threads.startService()
    try:
        return await work(store)
    finally:
        await store.database.close()
        await store.threads.stopService()
