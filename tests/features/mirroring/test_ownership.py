"""Names of our own packages, which no mirror serves."""

from collections.abc import Sequence
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.errors import NotAdmitted
from packeton.features.mirroring.ownership import OwnNames
from packeton.features.mirroring.policy import Policy


@define
class FakePackages:
    """Records and revisions in one."""

    held: list[str] = field(factory=list)
    number: int = 1
    reads: int = 0

    async def names(self) -> Sequence[str]:
        self.reads += 1
        return self.held

    def current(self, subject: str) -> int:
        return self.number if subject == "packages" else 0


class OwnNamesTests(SynchronousTestCase):
    """With packages that come."""

    def test_own(self) -> None:
        """Names are read once for each revision, and refused from then on."""
        packages = FakePackages(["acme/own"])
        policy = Policy(is_private=OwnNames(cast("Any", packages), cast("Any", packages)))
        for _ in range(3):
            self.successResultOf(Deferred.fromCoroutine(policy.admit("acme/other")))
            self.failureResultOf(Deferred.fromCoroutine(policy.admit("acme/own")), NotAdmitted)
        self.assertEqual(1, packages.reads)
        packages.held.append("acme/other")
        packages.number += 1
        self.failureResultOf(Deferred.fromCoroutine(policy.admit("acme/other")), NotAdmitted)
        self.assertEqual(2, packages.reads)
