"""What every queue, and every kind of lock, keeps to."""

import subprocess
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from packeton.adapters.database.owners import owner_name
from packeton.interfaces.queues import IJobRecords, ILocks, Job, JobOrder, JobStatus, Priority

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
KINDS = ("package:updates", "other")


class JobRecordsContract:
    """Mix-in; the class provides `records` and `ok(coroutine)`."""

    records: Any

    def ok(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))  # type: ignore[attr-defined]

    def put(self, **fields: Any) -> Job:
        job = self.ok(self.records.put(JobOrder(**{"type": KINDS[0], **fields}), NOW))
        assert isinstance(job, Job)
        return job

    def claim(self, at: datetime = NOW, *, per_host: int = 10, types: tuple[str, ...] = KINDS, **more: Any) -> Job | None:
        job = self.ok(self.records.claim("w", at, types=types, per_host=per_host, **more))
        assert job is None or isinstance(job, Job)
        return job

    def test_interface(self) -> None:
        verifyObject(IJobRecords, self.records)

    def test_round(self) -> None:
        """Put in, started, finished; found by id and by package; nothing can be done to it after its end."""
        job = self.put(payload={"id": 1}, package="acme/a", key="1")
        self.assertEqual((JobStatus.QUEUED, 0, {"id": 1}, NOW), (job.status, job.attempts, job.payload, job.run_at))
        started = self.claim(NOW + SECOND)
        assert started is not None
        self.assertEqual((job.id, JobStatus.STARTED, 1, NOW + SECOND), (started.id, started.status, started.attempts, started.started_at))
        self.assertIsNone(self.claim())
        self.assertTrue(self.ok(self.records.finish(job.id, JobStatus.COMPLETED, {"message": "done"}, NOW + 2 * SECOND)))
        self.assertFalse(self.ok(self.records.finish(job.id, JobStatus.FAILED, {}, NOW)))
        self.assertFalse(self.ok(self.records.again(job.id, NOW)))
        [latest] = self.ok(self.records.latest("acme/a"))
        self.assertEqual((JobStatus.COMPLETED, {"message": "done"}, NOW + 2 * SECOND), (latest.status, latest.result, latest.finished_at))
        self.assertEqual(latest, self.ok(self.records.find(job.id)))
        self.assertIsNone(self.ok(self.records.find("0" * 40)))
        self.assertEqual({"completed": 1}, self.ok(self.records.counts()))

    def test_order(self) -> None:
        """The more urgent first, then who waited longer; what is not due waits."""
        later = self.put(run_at=NOW + DAY)
        scheduled = self.put(priority=Priority.SCHEDULED, run_at=NOW - DAY)
        normal = self.put(run_at=NOW - SECOND)
        hook = self.put(priority=Priority.HOOK)
        order = [self.claim(), self.claim(), self.claim(), self.claim()]
        self.assertEqual([hook.id, normal.id, scheduled.id, None], [job and job.id for job in order])
        self.assertEqual(NOW + DAY, self.ok(self.records.next_due(KINDS)))
        due = self.claim(NOW + DAY)
        assert due is not None
        self.assertEqual(later.id, due.id)
        self.assertIsNone(self.ok(self.records.next_due(KINDS)))

    def test_kinds(self) -> None:
        """A worker gets only what it can do."""
        self.put(type="strange")
        self.assertIsNone(self.claim())
        self.assertIsNotNone(self.claim(types=("strange",)))

    def test_one_waits_for_a_key(self) -> None:
        """The same order twice is one job, as urgent as anybody asked, at once if anybody wants it so."""
        first = self.put(key="1", payload={"id": 1}, run_at=NOW + DAY)
        again = self.put(key="1", payload={"force": True}, priority=Priority.HOOK)
        self.assertEqual(first.id, again.id)
        self.assertEqual(NOW + DAY, self.put(key="d", run_at=NOW + DAY).run_at)
        self.assertEqual(NOW + DAY, self.put(key="d", run_at=NOW + SECOND).run_at)
        self.assertEqual(({"id": 1, "force": True}, NOW, Priority.HOOK), (again.payload, again.run_at, again.priority))
        self.assertNotEqual(first.id, self.put(key="2").id)
        self.assertNotEqual(first.id, self.put(key="1", type="other").id)
        self.assertNotEqual(self.put().id, self.put().id)

    def test_one_runs_of_a_key(self) -> None:
        """A second of the same key waits for the first; other keys do not."""
        first = self.put(key="1")
        self.assertEqual(first.id, (self.claim() or first).id)
        second = self.put(key="1")
        other = self.put(key="2")
        self.assertNotEqual(first.id, second.id)
        claimed = self.claim()
        assert claimed is not None
        self.assertEqual(other.id, claimed.id)
        self.assertIsNone(self.claim())
        self.ok(self.records.finish(first.id, JobStatus.FAILED, {}, NOW))
        claimed = self.claim()
        assert claimed is not None
        self.assertEqual(second.id, claimed.id)

    def test_hosts(self) -> None:
        """Only so many of one host run at once."""
        for _ in range(3):
            self.put(host="git.example.com")
        free = self.put(host="other.example.com", priority=Priority.SCHEDULED)
        self.assertEqual("git.example.com", (self.claim(per_host=2) or free).host)
        self.assertIsNotNone(self.claim(per_host=2))
        third = self.claim(per_host=2)
        assert third is not None
        self.assertEqual(free.id, third.id)
        self.assertIsNone(self.claim(per_host=2))
        self.assertIsNone(self.claim(per_host=3, excluded_hosts=("git.example.com",)))
        self.assertIsNotNone(self.claim(per_host=3))

    def test_again(self) -> None:
        """A job that is put back runs later; where the same one waits already, that one takes its place."""
        job = self.put(key="1")
        self.claim()
        self.assertTrue(self.ok(self.records.again(job.id, NOW + SECOND)))
        self.assertIsNone(self.claim())
        self.assertEqual(2, (self.claim(NOW + SECOND) or job).attempts)
        other = self.put(key="1")
        self.assertTrue(self.ok(self.records.again(job.id, NOW)))
        self.assertEqual(JobStatus.COMPLETED, self.ok(self.records.find(job.id)).status)
        claimed = self.claim()
        assert claimed is not None
        self.assertEqual(other.id, claimed.id)

    def test_abandoned(self) -> None:
        """What died with its worker is run again, a bounded number of times; what is alive goes on."""
        job = self.put(key="1")
        self.claim()
        self.ok(self.records.alive([job.id], NOW + 10 * SECOND))
        self.assertEqual(0, self.ok(self.records.abandoned(NOW + 10 * SECOND, NOW + DAY, max_attempts=2)))
        self.assertEqual(1, self.ok(self.records.abandoned(NOW + 11 * SECOND, NOW + DAY, max_attempts=2)))
        self.assertEqual(JobStatus.QUEUED, self.ok(self.records.find(job.id)).status)
        self.claim(NOW + DAY)
        self.ok(self.records.abandoned(NOW + 2 * DAY, NOW + 2 * DAY, max_attempts=2))
        self.assertEqual(JobStatus.TIMEOUT, self.ok(self.records.find(job.id)).status)
        self.put(key="1")
        self.assertIsNotNone(self.claim(NOW + DAY))

    def test_killed(self) -> None:
        """What a process of this host was at that is gone is put back at once; what one that lives is at stays."""
        child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        dead = ":".join([owner_name("x").partition(":")[0], child.stdout.decode().strip(), "x"])
        lost = self.put(key="1")
        self.ok(self.records.claim(dead, NOW, types=KINDS, per_host=2))
        kept = self.put(key="2")
        self.ok(self.records.claim(owner_name("y"), NOW, types=KINDS, per_host=2))
        self.assertEqual(1, self.ok(self.records.abandoned(NOW - DAY, NOW, max_attempts=2)))
        self.assertEqual(JobStatus.QUEUED, self.ok(self.records.find(lost.id)).status)
        self.assertEqual(JobStatus.STARTED, self.ok(self.records.find(kept.id)).status)

    def test_log(self) -> None:
        """Pieces come back in order, past a position; a log has an end."""
        job = self.put()
        for text in ("one\n", "two ü\n"):
            self.ok(self.records.write_log(job.id, text))
        first, second = self.ok(self.records.read_log(job.id))
        self.assertEqual(("one\n", "two ü\n"), (first.text, second.text))
        self.assertEqual([second], self.ok(self.records.read_log(job.id, first.position)))
        for _ in range(4):
            self.ok(self.records.write_log(job.id, "x" * 400_000))
        lines = self.ok(self.records.read_log(job.id, limit=1000))
        whole = "".join(line.text for line in lines)
        self.assertLess(len(whole), 1_100_000)
        self.assertEqual(1, whole.count("dropped"))
        self.ok(self.records.write_log("0" * 40, "of a job that is gone"))

    def test_clean(self) -> None:
        """Old jobs go with their logs; what waits or is young stays."""
        old, young, waiting = self.put(priority=Priority.NOW), self.put(priority=Priority.HOOK), self.put()
        self.ok(self.records.write_log(old.id, "text"))
        for job, at in ((old, NOW), (young, NOW + 50 * DAY)):
            self.assertEqual(job.id, (self.claim() or waiting).id)
            self.ok(self.records.finish(job.id, JobStatus.COMPLETED, {}, at))
        self.assertEqual(1, self.ok(self.records.clean(NOW + 61 * DAY)))
        self.assertIsNone(self.ok(self.records.find(old.id)))
        self.assertEqual([], self.ok(self.records.read_log(old.id)))
        self.assertEqual({waiting.id, young.id}, {job.id for job in self.ok(self.records.listing())})
        self.assertEqual([waiting.id], [job.id for job in self.ok(self.records.listing(status=JobStatus.QUEUED))])


class LocksContract:
    """Mix-in; the class provides `ours`, `theirs` (two holders), `ok(coroutine)` and `pass_time(seconds)`."""

    ours: Any
    theirs: Any

    def ok(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))  # type: ignore[attr-defined]

    def pass_time(self, seconds: float) -> None:
        raise NotImplementedError

    def test_one_holder(self) -> None:
        """Who has it may prolong it; another gets it when it was given back, or its time is over."""
        verifyObject(ILocks, self.ours)
        minute = timedelta(minutes=1)
        self.assertTrue(self.ok(self.ours.take("a", minute)))
        self.assertFalse(self.ok(self.theirs.take("a", minute)))
        self.assertTrue(self.ok(self.theirs.take("b", minute)))
        self.assertTrue(self.ok(self.ours.take("a", minute)))
        self.ok(self.theirs.release("a"))
        self.assertFalse(self.ok(self.theirs.take("a", minute)))
        self.ok(self.ours.release("a"))
        self.assertTrue(self.ok(self.theirs.take("a", SECOND)))
        self.pass_time(1.5)
        self.assertTrue(self.ok(self.ours.take("a", minute)))
        self.assertFalse(self.ok(self.theirs.take("a", minute)))
