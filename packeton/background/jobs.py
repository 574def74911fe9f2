"""Which kinds of jobs there are, and putting one in."""

from collections.abc import Collection
from datetime import timedelta

from attrs import define, field, frozen

from packeton.interfaces.clocks import Now
from packeton.interfaces.queues import JOBS_CHANNEL, IJobRecords, ISignals, Job, JobHandler, JobOrder

__all__ = ["JobKind", "JobKinds", "Jobs"]


@frozen(kw_only=True)
class JobKind:
    """How jobs of one kind are done."""

    handler: JobHandler
    timeout: timedelta
    """A job that takes longer is cancelled, and ends as TIMEOUT."""
    tries: int
    """How often it is tried while the reason to fail may pass by itself."""


@define
class JobKinds:
    """Kinds of jobs, by type."""

    _kinds: dict[str, JobKind] = field(factory=dict, init=False)

    def register(
        self, kind: str, handler: JobHandler, *, timeout: timedelta = timedelta(minutes=30), tries: int = 3
    ) -> None:
        """Say who does jobs of a type; once for each."""
        if kind in self._kinds:
            raise ValueError(f"{kind} is registered already")
        self._kinds[kind] = JobKind(handler=handler, timeout=timeout, tries=tries)

    def __getitem__(self, kind: str) -> JobKind:
        return self._kinds[kind]

    @property
    def types(self) -> Collection[str]:
        """The types that can be done here."""
        return tuple(self._kinds)


@define
class Jobs:
    """Puts jobs in and wakes whoever does them; features take its `put`."""

    records: IJobRecords
    _signals: ISignals
    _now: Now

    async def put(self, order: JobOrder) -> Job:
        """Put a job in, or make the one of the same key that waits more urgent. Raises StorageFailed."""
        job = await self.records.put(order, self._now())
        self._signals.publish(JOBS_CHANNEL, job.id)
        return job
