"""Decisions about a mirror, and what its policy makes of them."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.mirrors import MirrorRecords
from packeton.core.caching.decisions import Choices
from packeton.core.caching.modes import AllowList, ReservedVendors
from packeton.errors import Invalid, NotFound, StorageFailed
from packeton.features.mirroring.approvals import Approvals
from packeton.features.mirroring.policy import MAX_WAITING, Policies, Policy, PolicyRules
from packeton.interfaces.mirrors import Which
from tests.support.store import MemoryCache


class ApprovalTests(SynchronousTestCase):
    """One mirror, in two processes."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.records = MirrorRecords(self.cache.database)
        self.rules = PolicyRules(
            alias="a",
            allowed=AllowList(patterns=["acme/*", "own/*", "corp/*"]),
            reserved=ReservedVendors(vendors=["corp"]),
        )
        self.policy = self.make_policy()
        self.policies = Policies(self.records, {"a": self.policy})
        self.approvals = Approvals(self.policy, self.records, self.cache.now)

    def make_policy(self) -> Policy:
        async def is_private(name: str) -> bool:
            return name.startswith("own/")

        return Policy(self.rules, is_private, self.records, self.cache.now)

    def get(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, name: str, policy: Policy | None = None, **more: bool) -> str:
        """Return why *name* is not admitted, "" when it is."""
        outcome = Deferred.fromCoroutine((policy or self.policy).admit(name, **more))
        outcome.addErrback(lambda failure: failure.trap(NotFound) and failure.getErrorMessage())
        return self.successResultOf(outcome) or ""

    def waiting(self) -> list[str]:
        return [one.name for one in self.get(self.records.packages("a", Which.WAITING))]

    def test_strict(self) -> None:
        """Strict: what is not approved is refused and listed for review, with how often; the rest is admitted."""
        self.assertEqual("", self.refused("acme/foo"))
        self.get(self.approvals.choose(Choices(strict=True)))
        self.assertEqual("acme/foo is not approved yet", self.refused("acme/foo"))
        self.assertEqual("acme/foo is not approved yet", self.refused("acme/foo"))
        self.assertEqual([], self.get(self.policy.names()))
        self.get(self.policies.watch())
        (package,) = self.get(self.records.packages("a", Which.WAITING))
        self.assertEqual(("acme/foo", 2, self.cache.now()), (package.name, package.requests, package.first_requested))
        checked = self.get(self.approvals.approve(["Acme/Foo", "acme/foo"]))
        self.assertEqual((["acme/foo"], []), (checked.fresh, checked.known))
        self.assertEqual("", self.refused("acme/foo"))
        self.assertEqual(["acme/foo"], self.get(self.policy.names()))
        self.assertEqual(["acme/foo"], self.get(self.policy.allowed(["acme/bar", "acme/foo"])))
        self.assertEqual([], self.waiting())
        self.assertEqual(1, self.get(self.approvals.disapprove(["acme/foo"])))
        self.assertIn("not approved", self.refused("acme/foo"))

    def test_other_process(self) -> None:
        """What another process decided is in force with the next look, which is every second."""
        other = self.make_policy()
        policies = Policies(self.records, {"a": other})
        self.assertEqual("", self.refused("acme/foo", other))
        before = other.revision
        self.get(self.approvals.choose(Choices(strict=True, disable_v2=True, sync=False)))
        self.get(self.approvals.approve(["acme/bar"]))
        self.get(policies.watch())
        self.assertIn("not approved", self.refused("acme/foo", other))
        self.assertEqual("", self.refused("acme/bar", other))
        self.assertTrue(other.disable_v2 and other.frozen and other.strict)
        self.assertNotEqual(before, other.revision)
        self.get(self.approvals.remove(["acme/bar"]))
        self.get(policies.watch())
        self.assertIn("not approved", self.refused("acme/bar", other))

    def test_private(self) -> None:
        """Reserved vendors and names of our own are refused; approving a lot leaves them out unless told otherwise."""
        self.assertIn("reserved", self.refused("corp/tool"))
        self.assertIn("of our own", self.refused("own/tool"))
        for strict in (False, True):
            self.get(self.approvals.choose(Choices(strict=strict)))
            checked = self.get(self.approvals.approve(["corp/tool", "own/tool", "acme/foo"]))
            self.assertEqual(["corp/tool", "own/tool"], sorted(checked.private))
            self.assertNotEqual("", self.refused("corp/tool"))
            self.assertNotEqual("", self.refused("own/tool"))
            self.assertEqual("", self.refused("acme/foo"))
        self.get(self.approvals.approve(["corp/tool"], even_private=True))
        self.assertEqual("", self.refused("corp/tool"))
        self.get(self.approvals.choose(Choices()))
        self.assertEqual("", self.refused("corp/tool"))
        self.assertEqual(["acme/foo", "corp/tool"], self.get(self.policy.allowed(["acme/foo", "corp/tool", "own/tool", "x/y"])))

    def test_read_only(self) -> None:
        """A token that may only read has what others use."""
        self.assertIn("nobody uses this package yet", self.refused("acme/foo", read_only=True))
        self.assertEqual("", self.refused("acme/foo"))
        self.policy.note_served("acme/foo")
        self.get(self.policies.watch())
        self.assertEqual("", self.refused("acme/foo", read_only=True))
        self.get(self.approvals.remove(["acme/foo"]))
        self.assertNotEqual("", self.refused("acme/foo", read_only=True))
        self.get(self.approvals.enable(["acme/foo"]))
        self.assertEqual("", self.refused("acme/foo", read_only=True))
        self.get(self.approvals.choose(Choices(strict=True)))
        self.assertIn("not approved", self.refused("acme/foo", read_only=True))

    def test_bounded_review(self) -> None:
        """Somebody who asks for made-up names does not fill the database."""
        self.get(self.approvals.choose(Choices(strict=True)))
        self.get(self.records.requested("a", {f"x/n{number}": 1 for number in range(MAX_WAITING + 1)}, self.cache.now()))
        self.refused("acme/foo")
        self.get(self.policies.watch())
        self.assertEqual(MAX_WAITING + 1, self.get(self.approvals.counts()).waiting)

    def test_no_names(self) -> None:
        """What is no package name is refused."""
        for text in ("acme", "acme/../x", "a/b/c", "x" * 300 + "/y"):
            self.failureResultOf(Deferred.fromCoroutine(self.approvals.approve([text])), Invalid)

    def test_broken_records(self) -> None:
        """What cannot be known at the start is not admitted; what was read once goes on being in force."""
        self.assertEqual("", self.refused("acme/foo"))
        other = self.make_policy()

        async def broken(*_: object) -> None:
            raise StorageFailed("the database failed")

        self.cache.database._in_thread = broken  # type: ignore[assignment]
        self.failureResultOf(Deferred.fromCoroutine(other.admit("acme/foo")), StorageFailed)
        self.assertEqual("", self.refused("acme/bar"))
        self.policy.note_served("acme/bar")
        self.failureResultOf(Deferred.fromCoroutine(self.policies.watch()), StorageFailed)
        self.cache.clock.advance(timedelta(seconds=1).total_seconds())
        self.assertEqual("", self.refused("acme/bar"))
