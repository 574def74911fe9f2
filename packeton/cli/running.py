"""Running a whole server's parts for one command, beside a server that may be running."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from twisted.internet.task import deferLater

from packeton.assembly.server import Parts, WorkerOptions, build
from packeton.cli.options import read_settings
from packeton.cli.progress import steps
from packeton.cli.stores import on_reactor
from packeton.core.access.identities import Identity, Role, with_implied
from packeton.errors import NotFound, PacketonError
from packeton.interfaces.packages import Package
from packeton.interfaces.queues import Job, JobStatus

__all__ = ["CONSOLE", "all_packages", "finished", "package_named", "with_parts"]

T = TypeVar("T")

CONSOLE = Identity(name="console", roles=with_implied([Role.ADMIN]), method="console")
"""Who runs commands: whoever may read the data directory may do everything."""
LOOK_SECONDS = 0.3


def with_parts(
    paths: tuple[str, ...], data: str | None, work: Callable[[Parts, Any], Coroutine[Any, Any, T]], *, jobs: int = 0
) -> T:
    """
    Run `work(parts, reactor)`; raises what it raises, Abort when interrupted.

    Args:
        jobs: Jobs that this process does at once meanwhile; a server that runs may be quicker.
    """
    loaded = read_settings(paths, data)

    async def on_parts(reactor: Any) -> T:
        extra = WorkerOptions(at_once=jobs)
        packeton = build(loaded.settings, reactor, environment=loaded.environment, extra=extra)
        packeton.services.privilegedStartService()
        packeton.services.startService()
        try:
            return await work(packeton.parts, reactor)
        finally:
            await packeton.services.stopService()

    return on_reactor(on_parts)


async def package_named(parts: Parts, name: str) -> Package:
    """Return a package of ours. Raises NotFound naming it."""
    found = await parts.packages.records.find(name)
    if found is None:
        raise NotFound(f"there is no package {name}")
    return found


async def all_packages(parts: Parts) -> Sequence[Package]:
    """Return all packages of ours, by name."""
    records = parts.packages.records
    found = [await records.find(name) for name in await records.names()]
    return [one for one in found if one is not None]  # one may have been removed meanwhile


async def finished(parts: Parts, reactor: Any, job: Job, title: str) -> Job:
    """Show the log of a job while it runs, whoever does it; return it once it is over. Raises what made it fail."""
    records, past = parts.work.jobs.records, 0
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with steps(*columns) as progress:
        progress.add_task(title)
        while True:
            found = await records.find(job.id)
            while lines := await records.read_log(job.id, past):
                past = lines[-1].position
                for line in lines:
                    progress.console.print(line.text.rstrip("\n"), markup=False, highlight=False, soft_wrap=True)
            if found is None or found.status.is_over:
                break
            await deferLater(reactor, LOOK_SECONDS, lambda: None)
    if found is None:
        raise PacketonError(f"{title}: the job is gone")
    if found.status is not JobStatus.COMPLETED:
        raise PacketonError(f"{title}: {found.status}: {(found.result or {}).get('message', '')}")
    return found
