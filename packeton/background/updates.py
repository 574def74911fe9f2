"""Jobs that bring packages up to date."""

from datetime import timedelta
from typing import Final

from attrs import define

from packeton.errors import Invalid
from packeton.features.packages.updating import Outcome, UpdateRequest, Updates
from packeton.interfaces.queues import Job, JobLog, JobOutcome, JobStatus, RunAgain

__all__ = ["UpdateJobs"]

STATUS: Final = {
    Outcome.COMPLETED: JobStatus.COMPLETED,
    Outcome.FAILED: JobStatus.FAILED,
    Outcome.GONE: JobStatus.PACKAGE_GONE,
    Outcome.DELETED: JobStatus.PACKAGE_DELETED,
}
TRIES: Final = 3
WAIT: Final = timedelta(minutes=1)


@define
class UpdateJobs:
    """Handles `package:updates`; the payload is `id`, `update_equal_refs`, `delete_before`."""

    _updates: Updates

    async def __call__(self, job: Job, log: JobLog) -> JobOutcome:
        """Update the package; what may pass by itself is tried again a little later."""
        number = job.payload.get("id")
        if not isinstance(number, int):
            raise Invalid("the job names no package")
        request = UpdateRequest(
            update_equal_refs=bool(job.payload.get("update_equal_refs")),
            delete_before=bool(job.payload.get("delete_before")),
        )
        result = await self._updates.run(number, request, log)
        if result.may_pass and job.attempts < TRIES:
            raise RunAgain(result.message, delay=WAIT * job.attempts)
        details = {"changes": len(result.changes), "problems": result.problems}
        return JobOutcome(status=STATUS[result.outcome], message=result.message, details=details)
