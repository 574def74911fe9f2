"""What `/api/healthz` says, and to whom."""

import json
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from packeton.core.access.identities import Role
from packeton.errors import StorageFailed, Unauthenticated
from packeton.web.access import Gate
from packeton.web.health import Check, HealthRoutes


class OneCaller:
    """A gate that lets a maintainer through, or nobody."""

    def __init__(self, role: str | None) -> None:
        self.role = role

    async def caller(self, _request: object, *, role: str) -> None:
        if self.role != role:
            raise Unauthenticated("no")


async def good() -> None:
    """Work."""


async def bad() -> None:
    """Do not."""
    raise StorageFailed("10.1.2.3 is away")


class HealthTests(SynchronousTestCase):
    """Checks that pass, fail, and only warn."""

    def ask(self, checks: dict[str, Check], *, role: str | None = None, enabled: bool = True) -> tuple[int, Any]:
        request = DummyRequest([b"api", b"healthz"])
        request.method = b"GET"
        routes = HealthRoutes(enabled=enabled, checks=checks, clock=Clock(), gate=cast("Gate", OneCaller(role)))
        body = self.successResultOf(Deferred.fromCoroutine(routes.healthz(cast("Any", request))))
        return request.responseCode or 200, json.loads(body)

    def test_pass(self) -> None:
        """In the reference's form."""
        status, document = self.ask({"database:ping": Check(run=good)})
        self.assertEqual((200, "pass"), (status, document["status"]))
        self.assertEqual(["time", "status", "observedValue", "observedUnit"], list(document["checks"]["database:ping"]))

    def test_fail(self) -> None:
        """500; only maintainers are told why."""
        status, document = self.ask({"a": Check(run=good), "b": Check(run=bad)})
        self.assertEqual((500, "fail", "pass", "fail"), (status, document["status"], *(one["status"] for one in document["checks"].values())))
        self.assertNotIn("10.1.2.3", json.dumps(document))
        told = self.ask({"b": Check(run=bad)}, role=Role.MAINTAINER)[1]
        self.assertEqual("10.1.2.3 is away", told["checks"]["b"]["output"])

    def test_warn(self) -> None:
        """What only costs time does not take a server out of service."""
        status, document = self.ask({"a": Check(run=good), "redis:ping": Check(run=bad, essential=False)})
        self.assertEqual((200, "pass", "warn"), (status, document["status"], document["checks"]["redis:ping"]["status"]))

    def test_off(self) -> None:
        """Switched off it is not there."""
        self.assertEqual((404, []), self.ask({}, enabled=False))
