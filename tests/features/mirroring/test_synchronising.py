"""Runs of a synchronisation, with an upstream in memory and records in a database."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.mirrors import MirrorRecords
from packeton.adapters.database.syncs import SyncRecords
from packeton.core.caching.decisions import Choices, Listed, Phase, SyncState, Wish
from packeton.core.caching.modes import AllowList, Mode
from packeton.errors import (
    BadContent,
    Conflict,
    NotFound,
    StorageFailed,
    UpstreamFailed,
    UpstreamRefused,
    UpstreamTimedOut,
)
from packeton.features.mirroring.policy import Policy, PolicyRules
from packeton.features.mirroring.synchronising import Changes, SourceRoot, Synchroniser
from tests.support.store import MemoryCache


@define
class FakeSource:
    """An upstream of names with digests, and what was asked of it."""

    names: dict[str, str] = field(factory=dict)
    v2: bool = True
    feed: Changes | Exception | None = None
    tells: bool = True
    failures: dict[str, Exception] = field(factory=dict)
    root_error: Exception | None = None
    fetched: list[str] = field(factory=list)
    since: list[int] = field(factory=list)
    forgotten: int = 0
    gate: Deferred[None] | None = None
    under_way: int = 0
    most: int = 0

    async def root(self, *, refresh: bool = True) -> SourceRoot:
        if self.root_error is not None:
            raise self.root_error
        hashed = any(self.names.values())
        return SourceRoot(digest=sha256(str(sorted(self.names.items())).encode()).hexdigest(), v2=self.v2, changes=self.feed is not None, hashed=hashed)

    async def listed(self) -> AsyncIterator[Sequence[Listed]]:
        if not self.tells:
            raise NotFound("this repository does not tell the names of its packages")
        order = sorted(self.names)
        for begin in range(0, len(order), 3):
            yield [Listed(name=name, digest=self.names[name]) for name in order[begin : begin + 3]]

    async def fetch(self, one: Listed) -> bool:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate
            if one.name in self.failures:
                raise self.failures[one.name]
            self.fetched.append(one.name)
            return True
        finally:
            self.under_way -= 1

    async def changes(self, since: int) -> Changes:
        self.since.append(since)
        if isinstance(self.feed, Changes):
            return self.feed
        assert self.feed is not None
        raise self.feed

    async def forget(self) -> None:
        self.forgotten += 1


class SynchroniserTests(SynchronousTestCase):
    """One mirror."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.records = SyncRecords(self.cache.database)
        self.packages = MirrorRecords(self.cache.database)
        self.source = FakeSource({f"acme/p{number:02d}": f"digest{number}" for number in range(10)})

    def sync(self, mode: Mode = Mode.FULL, interval: timedelta | None = None, owner: str = "me", **rules: Any) -> Synchroniser:
        policy = Policy(PolicyRules(alias="a", mode=mode, **rules), records=self.packages, now=self.cache.now)
        return Synchroniser(
            "a", mode, interval, self.source, self.records, self.packages, policy, self.cache.clock, owner, at_once=4
        )

    def get(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def fails(self, coroutine: Coroutine[Any, Any, Any], kind: type[Exception]) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), kind).value)

    def take(self) -> list[str]:
        """Return what was fetched since the last call."""
        taken, self.source.fetched = self.source.fetched, []
        return sorted(taken)

    def test_full(self) -> None:
        """Everything once; then nothing while the root is the same; then what has another digest."""
        state = self.get(self.sync().run())
        self.assertEqual(sorted(self.source.names), self.take())
        self.assertEqual((Phase.IDLE, 10, 10, 10, 0), (state.phase, state.total, state.done, state.changed, state.failed))
        self.assertEqual(self.cache.now(), state.synced_at)
        self.assertLessEqual(self.source.most, 4)
        self.get(self.sync().run())
        self.assertEqual([], self.take())
        self.source.names.update({"acme/p03": "other", "acme/new": "digest"})
        del self.source.names["acme/p01"]
        self.get(self.sync().run())
        self.assertEqual(["acme/new", "acme/p03"], self.take())
        self.assertNotIn("acme/p01", self.get(self.records.names("a")))

    def test_without_digests(self) -> None:
        """Where names have no digest each run fetches them all, also while the root is the same."""
        self.source.names = dict.fromkeys(self.source.names, "")
        for _ in range(2):
            self.get(self.sync().run())
            self.assertEqual(sorted(self.source.names), self.take())

    def test_names_not_told(self) -> None:
        """An upstream that does not tell its names: what clients use is kept fresh, and that is all."""
        self.source.tells = False
        self.get(self.packages.enable("a", ["acme/p02"], self.cache.now()))
        state = self.get(self.sync().run())
        self.assertEqual(["acme/p02"], self.take())
        self.assertIsNone(state.error)

    def test_lazy(self) -> None:
        """Only what clients use."""
        self.get(self.packages.enable("a", ["acme/p02", "acme/p07"], self.cache.now()))
        self.get(self.sync(Mode.LAZY).run())
        self.assertEqual(["acme/p02", "acme/p07"], self.take())

    def test_changes(self) -> None:
        """With a feed: what changed and is used; everything used on resync or when the feed fails; the timestamp goes on."""
        self.get(self.packages.enable("a", ["acme/p02", "acme/p07"], self.cache.now()))
        used = ["acme/p02", "acme/p07"]
        for feed, expected in (
            (Changes(timestamp=100, names=None), used),
            (Changes(timestamp=200, names=frozenset({"acme/p07", "acme/p09"})), ["acme/p07"]),
            (UpstreamTimedOut("slow"), used),
            (Changes(timestamp=300, names=frozenset()), []),
        ):
            self.source.feed = feed
            self.get(self.sync(Mode.LAZY).run())
            self.assertEqual(expected, self.take())
        self.assertEqual([0, 100, 200, 200], self.source.since)
        self.assertEqual(300, self.get(self.records.state("a")).changes_since)

    def test_policy(self) -> None:
        """What may not be served is not downloaded: neither by the allow-list nor, when strict, without approval."""
        allowed = AllowList(names=["acme/p01", "acme/p02"], patterns=["acme/p1*"])
        self.get(self.sync(allowed=allowed).run())
        self.assertEqual(["acme/p01", "acme/p02"], self.take())
        self.get(self.packages.choose("a", Choices(strict=True)))
        self.get(self.packages.enable("a", ["acme/p05", "acme/p06"], self.cache.now()))
        self.get(self.packages.approve("a", ["acme/p05"], self.cache.now()))
        self.get(self.sync().run(Wish.UPDATE))
        self.assertEqual(["acme/p05", "acme/p05"], self.take())

    def test_goes_on(self) -> None:
        """A run whose process was killed is gone on with: names fetched before are not fetched again."""
        run = self.sync()
        self.source.gate = Deferred()
        killed = Deferred.fromCoroutine(run.run())
        self.assertEqual(4, self.source.under_way)
        self.get(self.records.release("a", "me"))
        self.get(self.records.fetched("a", 1, [Listed(name=f"acme/p0{number}", digest=f"digest{number}") for number in range(6)]))
        self.get(self.records.save("a", evolve(self.get(self.records.state("a")), cursor="acme/p05")))
        self.source.gate, gate = None, self.source.gate
        self.source.tells = False  # it must not list again
        other = self.sync(owner="other")
        self.assertTrue(self.get(other.is_due()))
        state = self.get(other.run())
        self.assertEqual([f"acme/p0{number}" for number in range(6, 10)], self.take())
        self.assertEqual((1, Phase.IDLE, 10), (state.run, state.phase, state.done))
        run.stop()
        gate.callback(None)
        self.failureResultOf(killed)

    def test_stop(self) -> None:
        """Stopping ends it after the requests under way; the state says where; nothing is left on the clock."""
        self.source.gate = Deferred()
        run = self.sync()
        running = Deferred.fromCoroutine(run.run())
        run.stop()
        self.assertNoResult(running)
        gate, self.source.gate = self.source.gate, None
        gate.callback(None)
        self.failureResultOf(running)
        self.assertEqual([], self.cache.clock.getDelayedCalls())
        self.assertEqual(4, len(self.take()))
        state = self.get(self.records.state("a"))
        self.assertEqual((Phase.FETCHING, None), (state.phase, state.error))
        self.get(self.sync().run())
        self.assertEqual(6, len(self.take()))

    def test_reset(self) -> None:
        """A reset forgets, but not before upstream's root was had; and it is a reset also after a kill."""
        self.get(self.sync().run())
        self.take()
        self.source.root_error = UpstreamFailed("https://up.example/packages.json: away")
        self.fails(self.sync().run(Wish.RESET), UpstreamFailed)
        self.assertEqual(0, self.source.forgotten)
        self.source.root_error = None
        self.get(self.sync().run())
        self.assertEqual((1, 10), (self.source.forgotten, len(self.take())))

    def test_lock(self) -> None:
        """One at a time, in this process and among processes; the lease is kept while it runs."""
        self.source.gate = Deferred()
        run = self.sync(owner="host:1:one")
        running = Deferred.fromCoroutine(run.run())
        self.assertIn("host:1", self.fails(run.run(), Conflict))
        for _ in range(10):
            self.cache.clock.advance(15)
        self.assertIn("host:1", self.fails(self.sync(owner="host:2:two").run(), Conflict))
        gate, self.source.gate = self.source.gate, None
        gate.callback(None)
        self.successResultOf(running)
        self.get(self.sync(owner="host:2:two").run())

    def test_single_failures(self) -> None:
        """A 404 is passed over; what failed is counted and tried again although the root is the same."""
        self.source.failures = {"acme/p01": NotFound("none"), "acme/p02": UpstreamTimedOut("slow")}
        state = self.get(self.sync().run())
        self.assertEqual((1, 8, None), (state.failed, state.changed, state.error))
        self.take()
        self.source.failures = {}
        state = self.get(self.sync().run())
        self.assertEqual((["acme/p02"], 0), (self.take(), state.failed))

    def test_refused(self) -> None:
        """A login that is missing ends the run with a message; what is stored stays, and the next run goes on."""
        self.source.failures = {"acme/p01": UpstreamRefused("https://up.example/x: upstream answered 401", status=401)}
        message = self.fails(self.sync().run(), UpstreamRefused)
        self.assertIn("401", message)
        state = self.get(self.records.state("a"))
        self.assertEqual((message, Phase.FETCHING), (state.error, state.phase))
        self.assertIsNone(state.synced_at)
        self.source.failures = {"acme/p01": UpstreamRefused("https://up.example/x: upstream answered 451", status=451)}
        self.assertEqual(1, self.get(self.sync().run()).failed)

    def test_full_store(self) -> None:
        """A store that takes nothing ends the run; what was not kept is fetched by the next one."""
        self.source.failures = {"acme/p07": StorageFailed("no space left")}
        self.assertIn("no space", self.fails(self.sync().run(), StorageFailed))
        self.source.failures = {}
        self.take()
        self.assertEqual(0, self.get(self.sync().run()).failed)
        self.assertIn("acme/p07", self.take())

    def test_strange_answers(self) -> None:
        """More than eleven damaged answers end the run; and so do a hundred failures in a row."""
        self.source.names = {f"acme/p{number:03d}": "digest" for number in range(150)}
        self.source.failures = {name: BadContent("an HTML page") for name in list(self.source.names)[::2]}
        self.assertIn("strange: 12 times such as an HTML page", self.fails(self.sync().run(), UpstreamFailed))
        self.source.failures = dict.fromkeys(self.source.names, UpstreamTimedOut("slow"))
        self.assertIn("away: 101 failures in a row", self.fails(self.sync().run(), UpstreamFailed))

    def test_due(self) -> None:
        """By what upstream offers, or as configured; a failed run soon; a frozen mirror never."""
        run = self.sync(Mode.LAZY)
        self.assertTrue(self.get(run.is_due()))
        self.get(run.run())
        self.assertFalse(self.get(run.is_due()))
        self.cache.clock.advance(1799)
        self.assertFalse(self.get(run.is_due()))
        self.assertTrue(self.get(self.sync(interval=timedelta(seconds=1799)).is_due()))
        self.source.feed = Changes(timestamp=1, names=None)
        self.assertTrue(self.get(run.is_due()))
        self.assertFalse(self.get(self.sync(Mode.FULL).is_due()))
        self.cache.clock.advance(1)
        self.source.root_error = UpstreamFailed("away")
        self.fails(run.run(), UpstreamFailed)
        self.assertFalse(self.get(self.sync(Mode.FULL).is_due()))
        self.cache.clock.advance(300)
        self.assertTrue(self.get(self.sync(Mode.FULL).is_due()))
        self.get(self.packages.choose("a", Choices(sync=False)))
        self.assertFalse(self.get(self.sync(Mode.FULL).is_due()))

    def test_progress(self) -> None:
        """Whoever asked is told as it goes."""
        seen: list[SyncState] = []
        self.get(self.sync().run(on_progress=seen.append))
        self.assertEqual(set(Phase) - {Phase.FORGETTING}, {state.phase for state in seen})
        self.assertEqual(10, max(state.done for state in seen))
