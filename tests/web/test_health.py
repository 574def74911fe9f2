"""What `/api/healthz` says, and to whom."""

import json
from typing import Any, cast

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from packeton.core.access.identities import Role
from packeton.errors import StorageFailed, Unauthenticated
from packeton.web import errors
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.health import Check, HealthRoutes, MetricRoutes
from packeton.web.metrics import Metrics
from tests.support.wire import Wire


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


class MetricTests(SynchronousTestCase):
    """Who reads `/metrics`; the peer is 192.0.2.1."""

    def ask(self, *allowed: str, role: str | None = None, proxies: tuple[str, ...] = (), **headers: str) -> int:
        app = Klein()
        errors.install(app)
        addresses = Addresses(public_url=None, trusted_proxies=proxies, trusted_hosts=())
        MetricRoutes(Metrics(), good, cast("Gate", OneCaller(role)), addresses, allowed).install(app)
        wire = Wire(app.resource())
        self.addCleanup(wire.close)
        answer = wire.ask("GET", "/metrics", {name.replace("_", "-"): value for name, value in headers.items()})
        self.assertEqual(answer.status == 200, b"packeton_requests" in answer.body)
        return answer.status

    def test_addresses(self) -> None:
        """Those of the setting, and no others; administrators from everywhere."""
        self.assertEqual(401, self.ask("127.0.0.0/8, ::1"))
        self.assertEqual(401, self.ask())
        self.assertEqual(200, self.ask("127.0.0.1", "192.0.2.0/24"))
        self.assertEqual(200, self.ask("0.0.0.0/0, ::/0"))
        self.assertEqual(200, self.ask(role=Role.ADMIN))
        self.assertEqual(401, self.ask(role=Role.MAINTAINER))

    def test_proxies(self) -> None:
        """Behind a trusted proxy its client counts; behind one that is not, nobody's address is known."""
        near = "192.0.2.0/24"
        self.assertEqual(401, self.ask(near, proxies=("192.0.2.1",), X_Forwarded_For="203.0.113.9"))
        self.assertEqual(200, self.ask("203.0.113.0/24", proxies=("192.0.2.1",), X_Forwarded_For="203.0.113.9"))
        self.assertEqual(200, self.ask(near, proxies=("192.0.2.1",)))
        for field in ("X_Forwarded_For", "Forwarded", "Via", "X_Real_IP"):
            self.assertEqual(401, self.ask(near, **{field: "192.0.2.1"}))
