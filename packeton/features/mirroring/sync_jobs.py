"""Synchronisations as jobs, so that whoever asks for one can follow it."""

from collections.abc import Mapping
from datetime import timedelta

from attrs import define

from packeton.core.caching.decisions import Phase, SyncState, Wish
from packeton.errors import Conflict, Invalid
from packeton.features.mirroring.policy import Policies
from packeton.features.mirroring.synchronising import Synchroniser
from packeton.interfaces.queues import Job, JobLog, JobOrder, JobOutcome, Priority, RunAgain

__all__ = ["SYNC_MIRRORS", "SyncJobs", "sync_order"]

SYNC_MIRRORS = "sync:mirrors"
AGAIN_AFTER = timedelta(seconds=30)
TOLD_EVERY = 1000
"""Packages between two lines of a job's log."""


def sync_order(alias: str, *, force: bool) -> JobOrder:
    """Return the job to put in for one mirror; of one mirror only one waits, and one runs."""
    payload = {"mirror": alias, "force": force}
    return JobOrder(type=SYNC_MIRRORS, payload=payload, key=f"{alias} {force}", priority=Priority.NOW)


@define
class SyncJobs:
    """Does the jobs of type `sync:mirrors`; an instance is a `JobHandler`."""

    _policies: Policies
    _synchronisers: Mapping[str, Synchroniser]

    async def __call__(self, job: Job, tell: JobLog) -> JobOutcome:
        """Synchronise. Raises Invalid for an unknown mirror, RunAgain while another process is at it."""
        alias = str(job.payload.get("mirror"))
        if alias not in self._synchronisers:
            raise Invalid(f"there is no mirror {alias}")
        await self._policies.watch()
        wish = Wish.RESET if job.payload.get("force") else Wish.UPDATE
        told: list[tuple[Phase, int]] = []

        def show(state: SyncState) -> None:
            here = (state.phase, state.done // TOLD_EVERY)
            if here not in told[-1:]:
                told.append(here)
                found = f"{state.changed} changed, {state.failed} failed"
                tell(f"{state.phase.value}: {state.done} of {state.total}, {found}")

        try:
            state = await self._synchronisers[alias].run(wish, show)
        except Conflict as error:
            raise RunAgain(str(error), delay=AGAIN_AFTER) from error
        message = f"{state.done} packages looked at, {state.changed} changed, {state.failed} could not be had"
        return JobOutcome(message=message, details={"changed": state.changed, "failed": state.failed})
