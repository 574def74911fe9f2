"""What a job came to, and its log while it runs."""

from collections.abc import Callable
from datetime import timedelta
from html import escape

import orjson
from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from packeton.errors import NotFound, UpstreamBusy
from packeton.interfaces.queues import IJobRecords, Job, JobStatus

__all__ = ["FollowedLog", "JobReport", "JobWatching"]

POLL_SECONDS = 0.5
HEARTBEAT_POLLS = 30
"""Silence after which a comment goes out, so that nobody in between takes the connection for dead."""
MAX_POLLS = 7200
"""An hour; who wants more goes on by the last id."""
MAX_FOLLOWERS = 64
MAX_DETAILS = 64 << 10
RUNNING = "running"


@frozen(kw_only=True)
class JobReport:
    """How far a job is, in the reference's words."""

    status: str
    message: str = ""
    details: str | None = None
    """The end of its log, as HTML."""


@define
class JobWatching:
    """Looks at jobs."""

    _records: IJobRecords
    _clock: IReactorTime
    _followers: int = field(default=0, init=False)

    async def report(self, job_id: str) -> JobReport:
        """Return how far a job is; one that is not known, or not over, is `running`."""
        job = await self._records.find(job_id)
        if job is None or not job.status.is_over:
            return JobReport(status=RUNNING)
        status = JobStatus.ERRORED if job.status is JobStatus.TIMEOUT else job.status
        text = await self._end_of_log(job_id)
        return JobReport(
            status=str(status), message=_message(job), details=f"<pre>{escape(text)}</pre>" if text else None
        )

    async def follow(self, job_id: str, past: int) -> "FollowedLog":
        """
        Return the log of a job from a position on, as server-sent events; the caller closes it.

        Raises:
            NotFound: There is no such job.
            UpstreamBusy: Too many look at logs.
        """
        if await self._records.find(job_id) is None:
            raise NotFound("no such job")
        if self._followers >= MAX_FOLLOWERS:
            raise UpstreamBusy("too many logs are being followed", retry_after=timedelta(seconds=10))
        self._followers += 1
        return FollowedLog(self._records, self._clock, job_id, past, self._left)

    async def _end_of_log(self, job_id: str) -> str:
        text, past = "", 0
        while page := await self._records.read_log(job_id, past):
            text = (text + "".join(line.text for line in page))[-MAX_DETAILS:]
            past = page[-1].position
        return text

    def _left(self) -> None:
        self._followers -= 1


class FollowedLog:
    """A `Source` of server-sent events: `log` with an id, then one `end` with the status; comments in between."""

    def __init__(
        self, records: IJobRecords, clock: IReactorTime, job_id: str, past: int, closed: Callable[[], None]
    ) -> None:
        self._records = records
        self._clock = clock
        self._job_id = job_id
        self._past = past
        self._closed: Callable[[], None] | None = closed
        self._waiting = b""
        self._ended = False
        self._polls = 0

    async def read(self, max_bytes: int) -> bytes:
        """Return what is new; waits until there is something. Nothing more comes after the end."""
        silent = 0
        while not (self._waiting or self._ended):
            if await self._look():
                break
            silent, self._polls = silent + 1, self._polls + 1
            if silent >= HEARTBEAT_POLLS or self._polls >= MAX_POLLS:
                self._ended = self._polls >= MAX_POLLS
                self._waiting = b": still here\n\n"
                break
            await deferLater(self._clock, POLL_SECONDS, lambda: None)
        chunk, self._waiting = self._waiting[:max_bytes], self._waiting[max_bytes:]
        return chunk

    async def _look(self) -> bool:
        """Take the next lines; once there are none and the job is over, the end. Say if there is something."""
        job = await self._records.find(self._job_id)  # before the lines: what it wrote last is then among them
        lines = await self._records.read_log(self._job_id, self._past)
        for line in lines:
            self._waiting += _event("log", line.text.rstrip("\n"), line.position)
            self._past = line.position
        if not lines and (job is None or job.status.is_over):
            status = str(JobStatus.PACKAGE_DELETED) if job is None else str(job.status)
            message = "" if job is None else _message(job)
            self._waiting += _event("end", orjson.dumps({"status": status, "message": message}).decode())
            self._ended = True
        return bool(self._waiting)

    def close(self) -> None:
        """Leave; more than once does no harm."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()


def _message(job: Job) -> str:
    message = (job.result or {}).get("message")
    return message if isinstance(message, str) else ""


def _event(kind: str, text: str, position: int | None = None) -> bytes:
    """Return one event. Source: the WHATWG's HTML, section Server-sent events."""
    lines = [f"event: {kind}", *(f"data: {line}" for line in text.splitlines() or [""])]
    if position is not None:
        lines.append(f"id: {position}")
    return ("\n".join(lines) + "\n\n").encode()
