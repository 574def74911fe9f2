"""
The ports to work that is done later: jobs, their logs, and locks between processes.

Jobs live in the database, so that nothing queued is lost; a process that puts one in wakes the workers of its own at
once, and those of others within a second (at once over Redis).
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from attrs import field, frozen
from zope.interface import Interface

from packeton.errors import PacketonError

__all__ = [
    "JOBS_CHANNEL",
    "IJobRecords",
    "ILocks",
    "ISignals",
    "Job",
    "JobHandler",
    "JobLog",
    "JobOrder",
    "JobOutcome",
    "JobStatus",
    "LogLine",
    "Priority",
    "RunAgain",
]

JOBS_CHANNEL = "jobs"
"""Signalled when there may be something to do."""


class JobStatus(StrEnum):
    """How far a job is. Source: the reference's Job entity."""

    QUEUED = "queued"
    STARTED = "started"
    COMPLETED = "completed"
    PACKAGE_GONE = "package_gone"
    PACKAGE_DELETED = "package_deleted"
    FAILED = "failed"
    """It cannot be done: the input is at fault."""
    ERRORED = "errored"
    """Something went wrong that should not."""
    TIMEOUT = "timeout"

    @property
    def is_over(self) -> bool:
        """Say if nothing will happen to it any more."""
        return self not in {JobStatus.QUEUED, JobStatus.STARTED}


class Priority(IntEnum):
    """Which of the jobs that are due goes first."""

    SCHEDULED = 0
    NORMAL = 10
    HOOK = 20
    """Somebody pushed and waits."""
    NOW = 30
    """Somebody looks at the page."""


@frozen(kw_only=True)
class JobOrder:
    """A job to be done."""

    type: str
    """Its kind, such as `package:updates`."""
    payload: Mapping[str, Any] = field(factory=dict, repr=False)
    key: str | None = None
    """Of the jobs with the same kind and key at most one waits, and at most one runs."""
    package: str | None = None
    """The package that it is about, for lists."""
    host: str | None = None
    """The host that it works with; only so many jobs of one host run at once."""
    priority: int = Priority.NORMAL
    run_at: datetime | None = None
    """Not before; None: as soon as possible."""


@frozen(kw_only=True)
class Job:
    """A job that was put in."""

    id: str
    """40 hexadecimal digits."""
    type: str
    payload: Mapping[str, Any] = field(repr=False)
    key: str | None
    package: str | None
    host: str | None
    status: JobStatus
    priority: int
    attempts: int
    """How often it was started."""
    result: Mapping[str, Any] | None = field(repr=False)
    """`message`, and what its kind adds; None before it is over."""
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@frozen(kw_only=True)
class JobOutcome:
    """How a job ended."""

    status: JobStatus = JobStatus.COMPLETED
    message: str = ""
    """One line, for people."""
    details: Mapping[str, Any] = field(factory=dict)


class RunAgain(PacketonError):
    """Raised by a handler: the job cannot be done now, and shall be run again after *delay*."""

    def __init__(self, message: str, *, delay: timedelta) -> None:
        super().__init__(message)
        self.delay = delay


class JobLog(Protocol):
    """Takes the log of one job; it is kept, and can be followed while the job runs."""

    def __call__(self, text: str, /) -> None:
        """Append a line (or several). Secrets must have been taken out."""


JobHandler = Callable[[Job, JobLog], Awaitable[JobOutcome]]
"""
Does one job. A PacketonError ends it as FAILED with its text (an UpstreamFailed, StorageFailed: tried again first), any
other exception as ERRORED. It is cancelled when it takes too long, or when the server stops; it is then run again.
"""


@frozen
class LogLine:
    """A piece of a job's log."""

    position: int
    """Grows along the log; ask for what comes past it."""
    text: str


class IJobRecords(Interface):
    """Jobs and their logs. Every method may raise StorageFailed."""

    async def put(order: JobOrder, now: datetime) -> Job:
        """
        Put a job in, or return the one of the same kind and key that waits already.

        The waiting one keeps its payload but for keys that the new one adds, and takes the higher priority of both. A
        delayed job is run at once when it is asked for at once; asked for again with a delay it keeps its time, so that
        a timetable that asks every quarter of an hour does not draw it nearer each time.
        """

    async def claim(
        worker: str, now: datetime, *, types: Collection[str], per_host: int, excluded_hosts: Collection[str] = ()
    ) -> Job | None:
        """
        Start the most urgent job that is due, of these kinds, whose key and host are free; None when there is none.

        Two workers never get the same one.
        """

    async def alive(ids: Collection[str], now: datetime) -> None:
        """Say that these are still being worked on."""

    async def finish(job_id: str, status: JobStatus, result: Mapping[str, Any], now: datetime) -> bool:
        """End a started job; False if it was not (any more) being worked on."""

    async def again(job_id: str, run_at: datetime, *, counts: bool = True) -> bool:
        """
        Put a started job back, to be run again; False if it was not being worked on.

        Args:
            counts: Whether this start was one of its attempts: not if it is us who could not go on.
        """

    async def abandoned(before: datetime, now: datetime, *, max_attempts: int) -> int:
        """
        Put back the started jobs of which nothing was heard since *before*, or whose process was on this host and is
        gone; those that were tried *max_attempts* times end as TIMEOUT. Return how many there were.
        """

    async def find(job_id: str) -> Job | None:
        """Return one, or None."""

    async def latest(package: str, limit: int = 1) -> Sequence[Job]:
        """Return the jobs about a package, newest first."""

    async def listing(limit: int = 50, status: JobStatus | None = None) -> Sequence[Job]:
        """Return jobs, newest first."""

    async def counts() -> Mapping[str, int]:
        """Return how many there are by status."""

    async def next_due(types: Collection[str]) -> datetime | None:
        """Return when the next waiting job of these kinds may run; None when none waits."""

    async def write_log(job_id: str, text: str) -> None:
        """Append to the log of a job; what goes over 1 MB is dropped, and said so once."""

    async def read_log(job_id: str, past: int = 0, limit: int = 200) -> Sequence[LogLine]:
        """Return pieces of a log past a position."""

    async def clean(now: datetime) -> int:
        """
        Remove jobs that have been over for long, with their logs; return how many.

        Source: the reference's retention (contract 04 section 12): 60 days; 21, 10, 5, 2 days when there are more than
        10, 25, 40, 60 thousand.
        """


class ILocks(Interface):
    """Locks between processes; each ends by itself when its holder has died."""

    async def take(name: str, lease: timedelta) -> bool:
        """Take a lock, or prolong it; False when somebody else has it."""

    async def release(name: str) -> None:
        """Give a lock back; nothing happens when it is not ours."""


class ISignals(Interface):
    """Short messages to all processes; one that is lost costs a second of waiting, never more."""

    def publish(channel: str, text: str = "") -> None:
        """Tell everybody who listens, in this process at once."""

    def listen(channel: str, receive: Callable[[str], object]) -> Callable[[], None]:
        """Have *receive* called with each text; return what ends that."""
