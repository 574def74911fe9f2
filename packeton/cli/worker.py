"""`packeton worker`: a further process that does jobs."""

import signal
import sys
from typing import Any

import click
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner, globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure

from packeton import logs
from packeton.assembly.server import Packeton, WorkerOptions, build
from packeton.cli.console import ConsoleCommand
from packeton.cli.options import read_settings, settings_options
from packeton.cli.stores import on_reactor
from packeton.config.loader import Loaded

__all__ = ["run_workers", "worker"]

log = Logger()


@click.command()
@settings_options
@click.option("--jobs", "at_once", type=click.IntRange(1, 256), help="Jobs at once; default: packeton.jobs.at_once.")
@click.option("--messages", type=click.IntRange(1), metavar="N", help="End after N jobs.")
@click.option("--once", is_flag=True, help="End when nothing is due.")
def worker(paths: tuple[str, ...], data: str | None, at_once: int | None, messages: int | None, *, once: bool) -> None:
    """Do jobs beside the server, on the same database and data directory, until a signal ends it."""
    loaded = read_settings(paths, data)
    options = WorkerOptions(at_once=at_once or loaded.settings.jobs.at_once or 1, max_jobs=messages)
    _run(loaded, options, once=once)


@click.command(name="packagist:run-workers", cls=ConsoleCommand)
@settings_options
@click.option("--messages", type=click.IntRange(1), default=5000)
@click.option("--execute-once", is_flag=True)
def run_workers(paths: tuple[str, ...], data: str | None, messages: int, *, execute_once: bool) -> None:
    """Do jobs one by one; the reference's name."""
    options = WorkerOptions(at_once=1, max_jobs=1 if execute_once else messages)
    _run(read_settings(paths, data), options, once=execute_once)


def _run(loaded: Loaded, options: WorkerOptions, *, once: bool) -> None:
    """Run until the end; raises what kept it from starting."""

    async def until_done(reactor: Any) -> None:
        packeton = build(loaded.settings, reactor, environment=loaded.environment, extra=options)
        await _work(packeton, reactor, options, once=once)

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    logs.install(globalLogPublisher, form=loaded.settings.log.format, level=loaded.settings.log.level)
    on_reactor(until_done)


async def _work(packeton: Packeton, reactor: Any, options: WorkerOptions, *, once: bool) -> None:
    worker = packeton.worker
    assert worker is not None, "that is what it was built for"
    stop: Deferred[None] = Deferred()

    def end(*_: object) -> None:
        if not stop.called:
            stop.callback(None)

    def fail(reason: Failure) -> None:
        if not stop.called:
            stop.errback(reason)

    for number in (signal.SIGTERM, signal.SIGINT):  # once the reactor has set its own, which end us with the signal
        reactor.callWhenRunning(signal.signal, number, lambda *_: reactor.callFromThread(end))
    packeton.services.privilegedStartService()
    packeton.services.startService()

    looking = LoopingCall(lambda: end() if worker.is_at_end else None)
    looking.clock = reactor
    looking.start(0.2, now=False)
    reactor.callWhenRunning(log.info, "Doing jobs, {count} at once", count=options.at_once)
    if once:
        Deferred.fromCoroutine(worker.idle()).addCallbacks(end, fail)
    try:
        await stop
    finally:
        looking.stop()
        await packeton.services.stopService()
