"""Who may see what of a mirror."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.modes import AllowList, ReservedVendors
from packeton.errors import NotFound
from packeton.features.mirroring.policy import Policy, PolicyRules


class RulesTests(SynchronousTestCase):
    """What the configuration alone decides."""

    def admit(self, policy: Policy, name: str) -> str:
        """Return the reason of a refusal, or ""."""
        outcome = Deferred.fromCoroutine(policy.admit(name))
        failure = getattr(outcome, "result", None)
        if failure is None:
            self.successResultOf(outcome)
            return ""
        return str(self.failureResultOf(outcome, NotFound).value)

    def test_open(self) -> None:
        """Without rules everything is admitted, and there is no list."""
        policy = Policy()
        self.assertEqual("", self.admit(policy, "acme/foo"))
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(policy.names())))

    def test_refused(self) -> None:
        """Reserved vendors, names of our own and what no list has are refused with the reason."""

        async def is_private(name: str) -> bool:
            return name == "own/secret"

        rules = PolicyRules(
            allowed=AllowList(names=["acme/foo", "own/secret"], patterns=["sym*/*"]),
            reserved=ReservedVendors(vendors=["corp"]),
        )
        policy = Policy(rules, is_private)
        self.assertEqual("", self.admit(policy, "acme/foo"))
        self.assertEqual("", self.admit(policy, "symfony/console"))
        self.assertIn("reserved", self.admit(policy, "corp/tool"))
        self.assertIn("own/secret is a package of our own", self.admit(policy, "own/secret"))
        self.assertIn("not on this mirror's list", self.admit(policy, "other/thing"))
        names = self.successResultOf(Deferred.fromCoroutine(policy.names()))
        self.assertEqual(["acme/foo", "own/secret"], names)
        self.assertEqual(("sym*/*",), policy.patterns)
