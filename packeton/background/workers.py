"""
WorkerService: does jobs, N at a time.

Theory of operation: a turn claims what is due while there is a free hand. A turn is taken when a signal says that a job
was put in, when a job ends, and every second, which is how jobs of other processes and delayed ones are found. While a
job runs, its record is told every `BEAT`; a job of which nothing was heard for `SILENCE` died with its worker and is
put back. Stopping takes no new job, gives those that run some time, then cancels them and puts them back.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from packeton.background.joblogs import BufferedLog
from packeton.background.jobs import JobKinds
from packeton.errors import PacketonError, StorageFailed, UpstreamFailed
from packeton.interfaces.clocks import now_of
from packeton.interfaces.queues import (
    JOBS_CHANNEL,
    IJobRecords,
    ISignals,
    Job,
    JobOutcome,
    JobStatus,
    RunAgain,
)

__all__ = ["WorkerLimits", "WorkerService"]

log = Logger()

TURN: Final = timedelta(seconds=1)
BEAT: Final = timedelta(seconds=15)
SILENCE: Final = timedelta(minutes=2)
MAX_ATTEMPTS: Final = 3
"""How often a job may take its worker down before it is given up."""
FIRST_DELAY: Final = timedelta(seconds=30)
INTERNAL: Final = JobOutcome(status=JobStatus.ERRORED, message="an internal error; see the server's log")


@frozen(kw_only=True)
class WorkerLimits:
    """How much is done at once."""

    at_once: int = 4
    per_host: int = 2
    patience: timedelta = timedelta(seconds=10)
    """How long a stop waits for jobs that run."""


@define(eq=False)
class _Running:
    """A job in progress."""

    job: Job
    work: Deferred[Any]
    reason: str = ""
    """Why it was cancelled: `timeout`, `stop`."""
    waiters: list[Deferred[None]] = field(factory=list)

    def ended(self) -> Deferred[None]:
        """Return what fires once the job is out of our hands."""
        waiter: Deferred[None] = Deferred()
        self.waiters.append(waiter)
        return waiter


@define(eq=False)
class WorkerService(Service):
    """Does jobs until it is stopped."""

    _records: IJobRecords
    _kinds: JobKinds
    _signals: ISignals
    _clock: IReactorTime
    _name: str
    """A text that no other worker has."""
    _limits: WorkerLimits = field(factory=WorkerLimits)
    _max_jobs: int | None = None
    """After so many jobs no more are begun; None: no end."""
    _observe: Callable[[str, str, float], object] = field(default=lambda *_: None)
    """Told kind, status and seconds of each job that is out of our hands; `again` where it was put back."""
    _begun: int = field(default=0, init=False)
    _running: dict[str, _Running] = field(factory=dict, init=False)
    _turn: Deferred[None] | None = field(default=None, init=False)
    _turn_again: bool = field(default=False, init=False)
    _deaf: Callable[[], None] | None = field(default=None, init=False)
    _loops: list[LoopingCall] = field(factory=list, init=False)
    _trouble: str | None = field(default=None, init=False)

    @property
    def busy(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    @property
    def is_at_end(self) -> bool:
        """Say if it was to do only so many jobs, and has."""
        return not self._running and self._max_jobs is not None and self._begun >= self._max_jobs

    async def idle(self) -> None:
        """
        Return once nothing runs, and nothing was due when the last job had ended; nor was left by a dead worker.

        Raises:
            StorageFailed: jobs cannot be had.
        """
        await self._beat()
        await self.wake()
        while self._running:
            await DeferredList([running.ended() for running in self._running.values()])
            await self.wake()
        if self._trouble is not None:
            raise StorageFailed(self._trouble)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._deaf = self._signals.listen(JOBS_CHANNEL, lambda _: self.wake())
        for work, every in ((self.wake, TURN), (self._beat, BEAT)):
            loop = LoopingCall(work)
            loop.clock = self._clock
            loop.start(every.total_seconds()).addErrback(lambda failure: log.failure("A worker's loop ended", failure))
            self._loops.append(loop)

    def stopService(self) -> Deferred[None]:
        """Take no more jobs; fires when those that run have ended or were put back."""
        super().stopService()
        if self._deaf is not None:
            self._deaf()
        for loop in self._loops:
            if loop.running:
                loop.stop()
        return Deferred.fromCoroutine(self._end())

    def wake(self) -> Deferred[None]:
        """Take a turn, or have the one under way followed by another; fires when it is over."""
        if not self.running:
            return succeed(None)
        self._turn_again = True
        if self._turn is not None:
            return self._turn
        turn = self._turn = Deferred.fromCoroutine(self._take_turns())
        return turn.addBoth(self._turn_over)

    def _turn_over(self, _: object) -> None:
        self._turn = None

    async def _take_turns(self) -> None:
        try:
            while self._turn_again:
                self._turn_again = False
                while self._may_begin():
                    job = await self._claim()
                    if job is None:
                        break
                    self._start(job)
            self._trouble = None
        except PacketonError as error:
            if str(error) != self._trouble:  # once, not every second
                self._trouble = str(error)
                log.warn("No job can be had: {why}", why=self._trouble)
        except Exception:  # the service must live; the log must know
            log.failure("No job can be had")

    def _may_begin(self) -> bool:
        more = self._max_jobs is None or self._begun < self._max_jobs
        return bool(self.running) and more and len(self._running) < self._limits.at_once

    async def _claim(self) -> Job | None:
        now = now_of(self._clock)()
        return await self._records.claim(
            self._name, now, types=self._kinds.types, per_host=self._limits.per_host
        )

    def _start(self, job: Job) -> None:
        self._begun += 1
        kind = self._kinds[job.type]
        writing = BufferedLog(self._records, job.id, self._clock)
        work: Deferred[JobOutcome] = Deferred.fromCoroutine(_call(kind.handler, job, writing))
        running = _Running(job=job, work=work)
        self._running[job.id] = running
        timer = self._clock.callLater(kind.timeout.total_seconds(), self._cancel, running, "timeout")
        done = Deferred.fromCoroutine(self._finish(running, writing))

        def over(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            del self._running[job.id]
            for waiter in running.waiters:
                waiter.callback(None)
            self.wake()
            return result

        done.addErrback(lambda failure: log.failure("Job {id} could not be ended", failure, id=job.id))
        done.addBoth(over)

    async def _finish(self, running: _Running, writing: BufferedLog) -> None:
        job, kind, began = running.job, self._kinds[running.job.type], self._clock.seconds()
        outcome: JobOutcome | timedelta
        try:
            outcome = await running.work
        except CancelledError:
            outcome = self._cancelled(running, writing)
        except RunAgain as later:
            writing(str(later))
            outcome = later.delay
        except (UpstreamFailed, StorageFailed) as error:
            writing(str(error))
            if job.attempts < kind.tries:
                outcome = FIRST_DELAY * 4 ** (job.attempts - 1)
            else:
                outcome = JobOutcome(status=JobStatus.FAILED, message=str(error))
        except PacketonError as error:
            writing(str(error))
            outcome = JobOutcome(status=JobStatus.FAILED, message=str(error))
        except Exception:
            log.failure("Job {id} ({type}) went wrong", id=job.id, type=job.type)
            outcome = INTERNAL
        await writing.close()
        now = now_of(self._clock)()
        status = "again" if isinstance(outcome, timedelta) else str(outcome.status)
        self._observe(job.type, status, self._clock.seconds() - began)
        if isinstance(outcome, timedelta):
            await self._records.again(job.id, now + outcome, counts=running.reason != "stop")
            return
        await self._records.finish(job.id, outcome.status, {"message": outcome.message, **outcome.details}, now)
        log.info(
            "Job {id} ({type} {package}): {status} {message}",
            id=job.id[:12],
            type=job.type,
            package=job.package or "",
            status=str(outcome.status),
            message=outcome.message,
        )

    def _cancelled(self, running: _Running, writing: BufferedLog) -> JobOutcome | timedelta:
        if running.reason == "timeout":
            message = f"took longer than {self._kinds[running.job.type].timeout}"
            writing(message)
            return JobOutcome(status=JobStatus.TIMEOUT, message=message)
        if running.reason == "stop":
            writing("interrupted; it will be run again")
            return timedelta(0)
        log.error("Job {id} ({type}) was cancelled from within", id=running.job.id, type=running.job.type)
        return INTERNAL

    def _cancel(self, running: _Running, reason: str) -> None:
        running.reason = reason
        running.work.cancel()

    async def _beat(self) -> None:
        now = now_of(self._clock)()
        try:
            if self._running:
                await self._records.alive(tuple(self._running), now)
            if await self._records.abandoned(now - SILENCE, now, max_attempts=MAX_ATTEMPTS):
                self.wake()
        except StorageFailed as error:
            log.warn("Jobs could not be looked after: {why}", why=str(error))

    async def _end(self) -> None:
        if self._turn is not None:
            await self._turn
        late = self._clock.callLater(self._limits.patience.total_seconds(), self._cancel_all)
        while self._running:
            await DeferredList([running.ended() for running in self._running.values()])
        if late.active():
            late.cancel()

    def _cancel_all(self) -> None:
        for running in tuple(self._running.values()):
            self._cancel(running, "stop")


async def _call(handler: Any, job: Job, writing: BufferedLog) -> JobOutcome:
    outcome: JobOutcome = await handler(job, writing)
    return outcome
