"""What every IMirrorRecords and ISyncRecords promise."""

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from packeton.core.caching.decisions import Choices, Listed, MirrorCounts, MirrorPatch, Phase, SyncState, Wish
from packeton.interfaces.mirrors import IMirrorRecords, ISyncRecords, Which

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
LEASE = timedelta(minutes=1)


class _Contract:
    """Runs coroutines to their end."""

    make_records: Any

    def setUp(self) -> None:
        self.records = self.make_records()

    def get(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))  # type: ignore[attr-defined]


class MirrorRecordsContract(_Contract):
    """Mix into a SynchronousTestCase; `make_records` gives empty records."""

    def names(self, which: Which, alias: str = "a", **more: Any) -> list[str]:
        return [one.name for one in self.get(self.records.packages(alias, which, **more))]

    def test_interface(self) -> None:
        """They are what they say."""
        verifyObject(IMirrorRecords, self.records)

    def test_choices(self) -> None:
        """Defaults until something is chosen; a choice moves the revision of its mirror alone."""
        self.assertEqual(Choices(), self.get(self.records.choices("a")))
        self.assertEqual({}, self.get(self.records.revisions()))
        chosen = Choices(strict=True, sync=False, disable_v2=True)
        self.get(self.records.choose("a", chosen))
        self.assertEqual(chosen, self.get(self.records.choices("a")))
        self.assertEqual(Choices(), self.get(self.records.choices("b")))
        first = self.get(self.records.revisions())
        self.get(self.records.choose("a", Choices()))
        second = self.get(self.records.revisions())
        self.assertEqual((["a"], ["a"]), (list(first), list(second)))
        self.assertGreater(second["a"], first["a"])

    def test_enabled_and_approved(self) -> None:
        """Enabling moves no revision; approving does, and enables; each counts what is new only."""
        self.assertEqual(2, self.get(self.records.enable("a", ["x/b", "x/a"], NOW)))
        self.assertEqual(1, self.get(self.records.enable("a", ["x/b", "x/c"], LATER)))
        self.assertEqual({}, self.get(self.records.revisions()))
        self.assertEqual(2, self.get(self.records.approve("a", ["x/b", "y/d"], LATER)))
        self.assertEqual(0, self.get(self.records.approve("a", ["x/b"], LATER)))
        self.assertEqual(["a"], list(self.get(self.records.revisions())))
        self.assertEqual(["x/a", "x/b", "x/c", "y/d"], self.names(Which.ENABLED))
        self.assertEqual(["x/b", "y/d"], self.names(Which.APPROVED))
        self.assertEqual(["x/c"], self.names(Which.ENABLED, after="x/b", limit=1))
        self.assertEqual([], self.names(Which.ENABLED, alias="b"))
        found = self.get(self.records.find("a", "x/b"))
        self.assertEqual((NOW, LATER), (found.enabled_at, found.approved_at))
        self.assertIsNone(self.get(self.records.find("a", "no/ne")))
        self.assertEqual(1, self.get(self.records.disapprove("a", ["x/b", "x/a", "no/ne"])))
        self.assertEqual(["y/d"], self.names(Which.APPROVED))
        self.assertEqual(4, self.get(self.records.counts("a")).enabled)
        self.assertEqual(1, self.get(self.records.remove("a", ["x/b", "no/ne"])))
        self.assertEqual(MirrorCounts(enabled=3, approved=1, waiting=0), self.get(self.records.counts("a")))

    def test_requested(self) -> None:
        """Requests add up with the first and the last time; what is approved waits no longer."""
        self.get(self.records.enable("a", ["x/used"], NOW))
        self.get(self.records.requested("a", {"x/a": 2, "x/used": 1}, NOW))
        self.get(self.records.requested("a", {"x/a": 3, "x/b": 1}, LATER))
        found = self.get(self.records.find("a", "x/a"))
        self.assertEqual((NOW, LATER, 5), (found.first_requested, found.last_requested, found.requests))
        self.assertIsNone(found.enabled_at)
        self.assertEqual(["x/a", "x/b", "x/used"], self.names(Which.WAITING))
        self.assertEqual(MirrorCounts(enabled=1, waiting=3), self.get(self.records.counts("a")))
        self.get(self.records.approve("a", ["x/a"], LATER))
        self.assertEqual(["x/b", "x/used"], self.names(Which.WAITING))
        self.assertEqual(MirrorCounts(enabled=2, approved=1, waiting=2), self.get(self.records.counts("a")))

    def test_patches(self) -> None:
        """One a version; each change moves the revision."""
        first = MirrorPatch(name="x/a", version="1.0.0.0", strategy="merge", patch={"a": [1, {"b": None}]}, changed_at=NOW)
        self.get(self.records.patch("a", first))
        second = MirrorPatch(name="x/a", version="1.1.0.0", strategy="replace", patch={}, changed_at=NOW)
        self.get(self.records.patch("a", second))
        self.assertEqual([first, second], self.get(self.records.patches("a")))
        other = MirrorPatch(name="x/a", version="1.0.0.0", strategy="replace", patch={"c": "d"}, changed_at=LATER)
        before = self.get(self.records.revisions())["a"]
        self.get(self.records.patch("a", other))
        self.assertEqual([other, second], self.get(self.records.patches("a")))
        self.assertGreater(self.get(self.records.revisions())["a"], before)
        self.assertEqual(0, self.get(self.records.unpatch("a", "x/a", "9.0.0.0")))
        self.assertEqual(1, self.get(self.records.unpatch("a", "x/a", "1.0.0.0")))
        self.assertEqual(1, self.get(self.records.unpatch("a", "x/a")))
        self.assertEqual([], self.get(self.records.patches("a")))

    def test_many(self) -> None:
        """More names than a statement takes parameters."""
        names = [f"vendor{number % 7}/name{number}" for number in range(2500)]
        self.assertEqual(2500, self.get(self.records.approve("a", names, NOW)))
        self.assertEqual(sorted(names), self.names(Which.APPROVED, limit=3000))
        self.assertEqual(2500, self.get(self.records.remove("a", names)))


class SyncRecordsContract(_Contract):
    """Mix into a SynchronousTestCase; `make_records` gives empty records."""

    def due(self, run: int, **more: Any) -> list[str]:
        return [one.name for one in self.get(self.records.due("a", run, **more))]

    def test_interface(self) -> None:
        """They are what they say."""
        verifyObject(ISyncRecords, self.records)

    def test_state(self) -> None:
        """The initial one, then what was saved; saving leaves lock and wishes alone."""
        self.assertEqual(SyncState(), self.get(self.records.state("a")))
        self.get(self.records.claim("a", "me", NOW, LEASE))
        self.get(self.records.wish("a", Wish.UPDATE))
        state = SyncState(
            run=3, phase=Phase.FETCHING, wish=Wish.RESET, cursor="x/a", changes_since=16140636710498, root="r", listing="l",
            total=5, done=4, changed=3, failed=2, began_at=NOW, ended_at=LATER, synced_at=NOW, error="no",
        )  # fmt: skip
        self.get(self.records.save("a", state))
        self.assertEqual(state, self.get(self.records.state("a")))
        self.assertEqual("me", self.get(self.records.claim("a", "you", NOW, LEASE)))
        self.assertEqual({"a": Wish.UPDATE}, self.get(self.records.wishes(take=False)))

    def test_lock(self) -> None:
        """One has it, until it gives it back or its lease is over; keeping it makes it longer."""
        self.assertIsNone(self.get(self.records.holder("a", NOW)))
        self.assertIsNone(self.get(self.records.claim("a", "me", NOW, LEASE)))
        self.assertEqual("me", self.get(self.records.claim("a", "you", NOW + LEASE, LEASE)))
        self.assertEqual("me", self.get(self.records.holder("a", NOW + LEASE)))
        self.assertIsNone(self.get(self.records.holder("a", NOW + LEASE * 1.5)))
        self.assertIsNone(self.get(self.records.claim("b", "you", NOW, LEASE)))
        self.assertIsNone(self.get(self.records.claim("a", "me", NOW + LEASE, LEASE)))
        self.assertEqual("me", self.get(self.records.claim("a", "you", NOW + LEASE * 1.5, LEASE)))
        self.assertIsNone(self.get(self.records.claim("a", "you", NOW + LEASE * 3, LEASE)))
        self.get(self.records.release("a", "me"))
        self.assertEqual("you", self.get(self.records.claim("a", "me", NOW + LEASE * 3, LEASE)))
        self.get(self.records.release("a", "you"))
        self.assertIsNone(self.get(self.records.claim("a", "me", NOW + LEASE * 3, LEASE)))

    def test_wishes(self) -> None:
        """A reset is not weakened by an update; taken ones are gone."""
        self.assertEqual({}, self.get(self.records.wishes(take=True)))
        self.get(self.records.wish("a", Wish.UPDATE))
        self.get(self.records.wish("b", Wish.RESET))
        self.get(self.records.wish("b", Wish.UPDATE))
        expected = {"a": Wish.UPDATE, "b": Wish.RESET}
        self.assertEqual(expected, self.get(self.records.wishes(take=False)))
        self.assertEqual(expected, self.get(self.records.wishes(take=True)))
        self.assertEqual({}, self.get(self.records.wishes(take=False)))

    def test_names(self) -> None:
        """What has another digest is due, and what has none once a run; what is not listed again goes."""
        with_digest = [Listed(name=f"x/{letter}", digest=f"1{letter}") for letter in "abc"]
        without = [Listed(name="y/d"), Listed(name="y/e")]
        self.get(self.records.listed("a", 1, [*with_digest, *without]))
        self.assertEqual(["x/a", "x/b", "x/c", "y/d", "y/e"], self.due(1))
        self.assertEqual(["x/c", "y/d"], self.due(1, after="x/b", limit=2))
        self.assertEqual((5, 5), self.get(self.records.totals("a", 1)))
        self.get(self.records.fetched("a", 1, [with_digest[0], with_digest[1], without[0]]))
        self.assertEqual(["x/c", "y/e"], self.due(1))
        self.assertEqual(["x/c", "y/d", "y/e"], self.due(2))
        changed = Listed(name="x/a", digest="2a")
        self.get(self.records.listed("a", 2, [changed, *with_digest[1:], without[0]]))
        self.assertEqual(1, self.get(self.records.drop_unlisted("a", 2)))
        self.assertEqual([changed, with_digest[2], without[0]], self.get(self.records.due("a", 2)))
        self.assertEqual(["x/a", "x/b", "x/c", "y/d"], self.get(self.records.names("a")))
        self.assertEqual(["x/c"], self.get(self.records.names("a", after="x/b", limit=1)))
        self.get(self.records.listed("b", 1, with_digest))
        self.get(self.records.forget("a"))
        self.assertEqual([], self.due(2))
        self.assertEqual((3, 3), self.get(self.records.totals("b", 1)))

    def test_many(self) -> None:
        """More names than a statement takes parameters."""
        names = [Listed(name=f"vendor{number % 7}/name{number}", digest=str(number)) for number in range(2500)]
        self.get(self.records.listed("a", 1, names))
        self.get(self.records.listed("a", 2, names))
        self.get(self.records.fetched("a", 2, names[:2000]))
        self.assertEqual((2500, 500), self.get(self.records.totals("a", 2)))
