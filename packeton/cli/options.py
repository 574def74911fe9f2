"""Options that all commands share, and running a coroutine from a command."""

import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from packeton.assembly import Store, open_store
from packeton.assembly.mirroring import Mirroring, open_mirroring
from packeton.config.loader import Loaded, load
from packeton.config.settings import Settings

__all__ = ["on_reactor", "read_settings", "settings_options", "with_mirrors", "with_store"]

T = TypeVar("T")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --config and --data."""
    config = click.option(
        "--config", "-c", "paths", multiple=True, metavar="FILE-or-DIR", help="Settings to read; may be repeated."
    )
    data = click.option("--data", "-d", metavar="DIR", help="Directory for everything that is kept.")
    return config(data(command))


def read_settings(paths: tuple[str, ...], data: str | None) -> Loaded:
    """Read the settings as the server would. Raises ConfigurationInvalid."""
    return load(paths, environment=os.environ, data=data)


def on_reactor(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run `work(reactor)` on a reactor that ends with it; raises what it raises, Abort when interrupted."""
    outcome: list[T | Failure] = []

    async def run(reactor: Any) -> None:
        try:
            outcome.append(await work(reactor))
        except BaseException:  # react would print a traceback; the caller says it in one line
            outcome.append(Failure())

    with suppress(SystemExit):  # react always ends so
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    if not outcome:
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


def with_mirrors(loaded: Loaded, work: Callable[[Mirroring], Coroutine[Any, Any, T]]) -> T:
    """Run *work* on the mirrors of the settings and their store; as `with_store`."""

    async def on_store(store: Store) -> T:
        mirroring = open_mirroring(store, loaded.environment)
        try:
            return await work(mirroring)
        finally:
            await mirroring.close()

    return with_store(loaded.settings, on_store)


async def _on_store(settings: Settings, reactor: Any, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    store = open_store(settings, reactor)
    store.directory.prepare()
    store.threads.startService()
    try:
        return await work(store)
    finally:
        await store.database.close()
        await store.threads.stopService()
