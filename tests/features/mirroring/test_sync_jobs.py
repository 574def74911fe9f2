"""Synchronisations as jobs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.decisions import Phase, SyncState, Wish
from packeton.errors import Conflict, Invalid
from packeton.features.mirroring.sync_jobs import SyncJobs, sync_order
from packeton.interfaces.queues import Job, JobStatus, RunAgain

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@define
class FakeSynchroniser:
    """A run of 2500 packages."""

    busy: bool = False
    wishes: list[Wish] = field(factory=list)

    async def run(self, wish: Wish, show: Callable[[SyncState], None]) -> SyncState:
        if self.busy:
            raise Conflict("mirror a is being synchronised by host:1")
        self.wishes.append(wish)
        state = SyncState(phase=Phase.FETCHING, total=2500)
        for done in range(2501):
            state = evolve(state, done=done)
            show(state)
        return evolve(state, changed=3)


class FakePolicies:
    """Counts looks."""

    looks = 0

    async def watch(self) -> None:
        self.looks += 1


class SyncJobTests(SynchronousTestCase):
    """One handler."""

    def setUp(self) -> None:
        self.fake, self.policies = FakeSynchroniser(), FakePolicies()
        self.handler = SyncJobs(cast("Any", self.policies), cast("Any", {"a": self.fake}))
        self.lines: list[str] = []

    def do(self, alias: str, *, force: bool = False) -> "Deferred[Any]":
        order = sync_order(alias, force=force)
        job = Job(
            id="0" * 40, type=order.type, payload=order.payload, key=order.key, package=None, host=None,
            status=JobStatus.STARTED, priority=order.priority, attempts=1, result=None, created_at=NOW, run_at=NOW,
            started_at=NOW, finished_at=None,
        )  # fmt: skip
        return Deferred.fromCoroutine(self.handler(job, self.lines.append))

    def test_done(self) -> None:
        """An update, or a reset by force; the log tells the progress now and then; decisions of others are known."""
        outcome = self.successResultOf(self.do("a"))
        self.assertEqual("2500 packages looked at, 3 changed, 0 could not be had", outcome.message)
        self.assertEqual(3, len(self.lines))
        self.assertIn("fetching: 2000 of 2500", self.lines[-1])
        self.successResultOf(self.do("a", force=True))
        self.assertEqual([Wish.UPDATE, Wish.RESET], self.fake.wishes)
        self.assertEqual(2, self.policies.looks)

    def test_not_now(self) -> None:
        """Tried again while another process is at it; an unknown mirror is nobody's."""
        self.fake.busy = True
        self.failureResultOf(self.do("a"), RunAgain)
        self.failureResultOf(self.do("b"), Invalid)
