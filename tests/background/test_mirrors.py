"""The clock of the mirrors."""

from collections.abc import Mapping
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.mirrors import MirrorRecords
from packeton.adapters.database.syncs import SyncRecords
from packeton.background.mirrors import MirrorService
from packeton.core.caching.decisions import Choices, Wish
from packeton.errors import Conflict, NotFound, UpstreamFailed
from packeton.features.mirroring.policy import Policies, Policy, PolicyRules
from packeton.features.mirroring.syncs import Syncs
from tests.support.store import MemoryCache


@define
class FakeSynchroniser:
    """Due when it is told so; its runs end when they are told to."""

    due: bool = False
    runs: list[tuple[Wish, "Deferred[None]"]] = field(factory=list)
    stopped: bool = False

    async def is_due(self) -> bool:
        return self.due

    async def run(self, wish: Wish) -> None:
        self.due = False
        self.runs.append((wish, Deferred()))
        await self.runs[-1][1]

    def stop(self) -> None:
        self.stopped = True


class MirrorServiceTests(SynchronousTestCase):
    """Two mirrors."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.records = SyncRecords(self.cache.database)
        self.fakes = {"a": FakeSynchroniser(), "b": FakeSynchroniser()}
        self.syncs = Syncs(self.records, cast("Mapping[str, Any]", self.fakes))
        decisions = MirrorRecords(self.cache.database)
        self.policy = Policy(PolicyRules(alias="a"), records=decisions, now=self.cache.now)
        self.decisions = decisions
        self.service = MirrorService(self.cache.clock, Policies(decisions, {"a": self.policy}), self.syncs)
        self.service.startService()
        self.addCleanup(lambda: self.service.running and self.stop())

    def stop(self) -> "Deferred[None]":
        return self.service.stopService()

    def begun(self, alias: str) -> list[Wish]:
        return [wish for wish, _ in self.fakes[alias].runs]

    def get(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_due(self) -> None:
        """Looked for every minute; one that runs is not begun again; a failure hinders nothing."""
        self.fakes["a"].due = True
        self.cache.clock.advance(59)
        self.assertEqual([], self.begun("a"))
        self.cache.clock.advance(1)
        self.assertEqual([Wish.NONE], self.begun("a"))
        self.fakes["a"].due = self.fakes["b"].due = True
        self.cache.clock.pump([60])
        self.assertEqual(([Wish.NONE], [Wish.NONE]), (self.begun("a"), self.begun("b")))
        self.fakes["a"].runs[0][1].errback(UpstreamFailed("away"))
        self.cache.clock.pump([60])
        self.assertEqual([Wish.NONE] * 2, self.begun("a"))
        self.end()

    def test_wishes(self) -> None:
        """Taken up within a second, also while a run is on: then after it; a busy mirror keeps its wish."""
        self.get(self.syncs.ask("a", Wish.RESET))
        self.failureResultOf(Deferred.fromCoroutine(self.syncs.ask("nope", Wish.UPDATE)), NotFound)
        self.cache.clock.advance(1)
        self.assertEqual([Wish.RESET], self.begun("a"))
        self.get(self.syncs.ask("a", Wish.UPDATE))
        self.cache.clock.pump([1, 1])
        self.assertEqual([Wish.RESET], self.begun("a"))
        self.fakes["a"].runs[0][1].errback(Conflict("another process is at it"))
        self.cache.clock.pump([1])
        self.assertEqual([Wish.RESET, Wish.RESET], self.begun("a"))
        self.fakes["a"].runs[1][1].callback(None)
        self.cache.clock.pump([1])
        self.assertEqual(2, len(self.begun("a")))
        self.end()

    def test_decisions(self) -> None:
        """What another process chose is known within a second; what was used is written down."""
        self.get(self.policy.prepare())
        self.policy.note_served("acme/foo")
        self.get(self.decisions.choose("a", Choices(strict=True)))
        self.assertFalse(self.policy.strict)
        self.cache.clock.advance(1)
        self.assertTrue(self.policy.strict)
        self.assertIsNotNone(self.get(self.decisions.find("a", "acme/foo")))
        self.end()

    def end(self) -> None:
        """Stopping asks the runs to stop, waits for them, and leaves no timer."""
        self.fakes["b"].due = True
        self.cache.clock.pump([60])
        stopped = self.stop()
        self.assertTrue(self.fakes["a"].stopped and self.fakes["b"].stopped)
        self.assertNoResult(stopped)
        for fake in self.fakes.values():
            for _, run in fake.runs:
                if not run.called:
                    run.callback(None)
        self.successResultOf(stopped)
        self.assertEqual([], self.cache.clock.getDelayedCalls())
