"""Jobs are done, N at a time, and none is lost."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.queues.local import LocalSignals
from packeton.background.jobs import JobKinds, Jobs
from packeton.background.workers import WorkerLimits, WorkerService
from packeton.errors import Invalid, StorageFailed, UpstreamFailed
from packeton.interfaces.queues import Job, JobLog, JobOrder, JobOutcome, JobStatus, Priority, RunAgain
from tests.support.store import MemoryCache

SECOND = timedelta(seconds=1)


class WorkerTests(SynchronousTestCase):
    """One worker on a clock."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.clock = self.cache.clock
        numbers = count(1)
        self.records = JobRecords(self.cache.database, lambda: f"{next(numbers):040x}")
        self.signals, self.kinds = LocalSignals(), JobKinds()
        self.jobs = Jobs(self.records, self.signals, self.cache.now)
        self.begun: list[tuple[Job, JobLog, Deferred[Any]]] = []
        self.kinds.register("slow", self.slow, timeout=timedelta(minutes=10))
        self.worker = self.make()

    def make(self, name: str = "one", **limits: Any) -> WorkerService:
        return WorkerService(self.records, self.kinds, self.signals, self.clock, name, WorkerLimits(**limits))

    async def slow(self, job: Job, writing: JobLog) -> JobOutcome:
        waiting: Deferred[Any] = Deferred()
        self.begun.append((job, writing, waiting))
        await waiting
        return JobOutcome(message="done", details={"count": 3})

    def put(self, kind: str = "slow", **fields: Any) -> Job:
        return self.successResultOf(Deferred.fromCoroutine(self.jobs.put(JobOrder(type=kind, **fields))))

    def find(self, job: Job) -> Job:
        found = self.successResultOf(Deferred.fromCoroutine(self.records.find(job.id)))
        assert found is not None
        return found

    def started(self, worker: WorkerService | None = None) -> WorkerService:
        worker = worker or self.worker
        worker.startService()
        self.addCleanup(self.stop, worker)
        return worker

    def stop(self, worker: WorkerService) -> None:
        if worker.running:
            stopped = worker.stopService()
            self.clock.advance(10)
            self.successResultOf(stopped)
        self.assertEqual([], self.clock.getDelayedCalls())

    def register(self, kind: str, work: Callable[[Job, JobLog], Awaitable[JobOutcome]], **more: Any) -> None:
        self.kinds.register(kind, work, **more)

    def test_done(self) -> None:
        """A job begins when it is put in; its end and its log are kept."""
        self.started()
        job = self.put(payload={"id": 7})
        [(begun, writing, waiting)] = self.begun
        self.assertEqual((job.id, {"id": 7}, JobStatus.STARTED), (begun.id, begun.payload, self.find(job).status))
        writing("first\nsec\0ond\ud800")
        self.clock.advance(1)
        [line] = self.successResultOf(Deferred.fromCoroutine(self.records.read_log(job.id)))
        self.assertEqual(["first", "second"], [text.partition("] ")[2] for text in line.text.splitlines()])
        writing("last")
        waiting.callback(None)
        ended = self.find(job)
        self.assertEqual((JobStatus.COMPLETED, {"message": "done", "count": 3}), (ended.status, ended.result))
        lines = self.successResultOf(Deferred.fromCoroutine(self.records.read_log(job.id)))
        self.assertIn("last", lines[-1].text)

    def test_at_once(self) -> None:
        """No more than so many run; the most urgent of the waiting comes next."""
        self.started(self.make(at_once=2))
        jobs = [self.put(priority=priority) for priority in (Priority.NORMAL, Priority.NORMAL, Priority.SCHEDULED, Priority.HOOK)]
        self.assertEqual([jobs[0].id, jobs[1].id], [job.id for job, *_ in self.begun])
        self.begun[0][2].callback(None)
        self.assertEqual(jobs[3].id, self.begun[-1][0].id)

    def test_delayed_and_of_others(self) -> None:
        """What is due later, or was put in by another process, is found within a second."""
        self.started()
        self.put(run_at=self.cache.now() + 5 * SECOND)
        self.clock.advance(4)
        self.assertEqual([], self.begun)
        self.clock.advance(1)
        self.assertEqual(1, len(self.begun))
        self.successResultOf(Deferred.fromCoroutine(self.records.put(JobOrder(type="slow"), self.cache.now())))
        self.assertEqual(1, len(self.begun))
        self.clock.advance(1)
        self.assertEqual(2, len(self.begun))

    def test_failures(self) -> None:
        """Bad input is final; what may pass is tried again; a mistake of ours is told as such, and logged."""

        def fail(error: Exception) -> Callable[[Job, JobLog], Awaitable[JobOutcome]]:
            async def work(job: Job, writing: JobLog) -> JobOutcome:
                raise error

            return work

        self.register("bad", fail(Invalid("no such thing")))
        self.register("down", fail(UpstreamFailed("host: away")), tries=2)
        self.register("ours", fail(ZeroDivisionError()))
        self.register("within", fail(CancelledError()))
        self.started()
        bad, down, ours, within = (self.put(kind) for kind in ("bad", "down", "ours", "within"))
        self.assertEqual((JobStatus.ERRORED, 1), (self.find(within).status, self.find(within).attempts))
        self.assertEqual((JobStatus.FAILED, {"message": "no such thing"}), (self.find(bad).status, self.find(bad).result))
        self.assertEqual(JobStatus.ERRORED, self.find(ours).status)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertEqual(JobStatus.QUEUED, self.find(down).status)
        self.clock.pump([1] * 31)
        self.assertEqual((JobStatus.FAILED, 2), (self.find(down).status, self.find(down).attempts))

    def test_run_again(self) -> None:
        """A handler may ask for another time."""
        times = []

        async def busy(job: Job, writing: JobLog) -> JobOutcome:
            times.append(self.clock.seconds())
            if len(times) == 1:
                raise RunAgain("busy", delay=3 * SECOND)
            return JobOutcome()

        self.register("busy", busy)
        self.started()
        job = self.put("busy")
        self.clock.pump([1] * 4)
        self.assertEqual(3, times[1] - times[0])
        self.assertEqual(JobStatus.COMPLETED, self.find(job).status)

    def test_timeout(self) -> None:
        """What takes too long is cancelled."""
        self.started()
        job = self.put()
        self.clock.pump([30] * 20)
        self.assertEqual(JobStatus.TIMEOUT, self.find(job).status)

    def test_stop(self) -> None:
        """A stop waits a moment, then puts back what still runs, as if never begun; another worker goes on with it."""
        self.started()
        quick, slow = self.put(), self.put()
        stopped = self.worker.stopService()
        self.put()
        self.assertEqual(2, len(self.begun))
        self.assertNoResult(stopped)
        self.begun[0][2].callback(None)
        self.clock.advance(10)
        self.successResultOf(stopped)
        self.assertEqual((JobStatus.COMPLETED, JobStatus.QUEUED), (self.find(quick).status, self.find(slow).status))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.started(self.make("two"))
        self.assertEqual((JobStatus.STARTED, 1), (self.find(slow).status, self.find(slow).attempts))

    def test_left_by_the_dead(self) -> None:
        """Who works only until nothing is due does what a dead worker left, too."""
        job = self.put()
        self.successResultOf(Deferred.fromCoroutine(self.records.claim("dead", self.cache.now(), types=["slow"], per_host=1)))
        self.clock.advance(121)
        worker = self.make()
        worker.running = True
        self.addCleanup(setattr, worker, "running", False)
        idle = Deferred.fromCoroutine(worker.idle())
        self.assertNoResult(idle)
        self.begun[0][2].callback(None)
        self.successResultOf(idle)
        self.assertEqual(JobStatus.COMPLETED, self.find(job).status)

    def test_no_database(self) -> None:
        """Who works only until nothing is due fails where that cannot be told."""

        class Broken(JobRecords):
            async def claim(self, *_: object, **__: object) -> Job | None:
                raise StorageFailed("the disk is gone")

        self.records = Broken(self.cache.database, str)
        worker = self.make()
        worker.running = True
        self.addCleanup(setattr, worker, "running", False)
        self.failureResultOf(Deferred.fromCoroutine(worker.idle()), StorageFailed)

    def test_dead_worker(self) -> None:
        """The job of a worker that died is taken over after a while; that of one that lives is not."""
        job = self.put()
        claimed = self.successResultOf(
            Deferred.fromCoroutine(self.records.claim("dead", self.cache.now(), types=["slow"], per_host=1))
        )
        assert claimed is not None
        self.started()
        alive = self.put()
        self.clock.pump([15] * 7)
        self.assertEqual([alive.id], [one.id for one, *_ in self.begun])
        self.clock.pump([15] * 3)
        self.assertEqual([alive.id, job.id], [one.id for one, *_ in self.begun])
        self.assertEqual(1, self.find(alive).attempts)

    def test_only_so_many(self) -> None:
        """A worker that was to do so many jobs begins no more, and says that it is at its end."""
        worker = WorkerService(self.records, self.kinds, self.signals, self.clock, "n", WorkerLimits(), 2)
        self.started(worker)
        for _ in range(3):
            self.put()
        self.assertEqual(2, len(self.begun))
        for _, _, waiting in tuple(self.begun):
            self.assertFalse(worker.is_at_end)
            waiting.callback(None)
        self.clock.advance(1)
        self.assertEqual((True, 2), (worker.is_at_end, len(self.begun)))

    def test_idle(self) -> None:
        """Idle comes when all that is due was done, and does not wait for what is due later."""
        self.put()
        self.put(run_at=self.cache.now() + 60 * SECOND)
        self.started()
        idle = Deferred.fromCoroutine(self.worker.idle())
        self.assertNoResult(idle)
        self.put()
        self.begun[0][2].callback(None)
        self.assertNoResult(idle)
        self.begun[1][2].callback(None)
        self.successResultOf(idle)
