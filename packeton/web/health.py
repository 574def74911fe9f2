"""GET /api/healthz and /metrics: can we do our work, and what did we do?"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from klein import Klein
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role
from packeton.errors import PacketonError
from packeton.interfaces.clocks import now_of
from packeton.web.access import Gate
from packeton.web.addresses import Addresses, ranges
from packeton.web.metrics import Metrics
from packeton.web.responses import send_bytes

__all__ = ["Check", "HealthRoutes", "MetricRoutes"]


@frozen(kw_only=True)
class Check:
    """One thing to look at; raises PacketonError when it does not work."""

    run: Callable[[], Awaitable[object]]
    essential: bool = True
    """Without it we cannot do our work; else its status is `warn`, and the whole passes."""


class HealthRoutes:
    """
    `/api/healthz`, in the reference's form: 200 when what is essential passes, else 500; `[]` with 404 when switched
    off. Maintainers are told what is wrong.
    """

    def __init__(self, *, enabled: bool, checks: Mapping[str, Check], clock: IReactorTime, gate: Gate) -> None:
        self._enabled = enabled
        self._checks = checks
        self._clock = clock
        self._gate = gate

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/api/healthz", methods=["GET", "HEAD"])(self.healthz)

    async def healthz(self, request: IRequest) -> bytes:
        """Run all checks."""
        request.setHeader(b"cache-control", b"no-store")
        if not self._enabled:
            request.setResponseCode(404)
            return send_bytes(request, b"[]", "application/json")
        results = {name: await self._run(check) for name, check in self._checks.items()}
        if any("output" in result for result in results.values()) and not await self._is_maintainer(request):
            for result in results.values():
                result.pop("output", None)
        passed = all(result["status"] != "fail" for result in results.values())
        request.setResponseCode(200 if passed else 500)
        document = {"status": "pass" if passed else "fail", "checks": results}
        return send_bytes(request, json.dumps(document, indent=4).encode(), "application/json")

    async def _run(self, check: Check) -> dict[str, Any]:
        began = self._clock.seconds()
        told = {}
        try:
            await check.run()
            status = "pass"
        except PacketonError as error:
            status = "fail" if check.essential else "warn"
            told = {"output": str(error)}
        return {
            "time": _zulu(now_of(self._clock)()),
            "status": status,
            "observedValue": round((self._clock.seconds() - began) * 1000, 2),
            "observedUnit": "ms",
            **told,
        }

    async def _is_maintainer(self, request: IRequest) -> bool:
        try:
            await self._gate.caller(request, role=Role.MAINTAINER)
        except PacketonError:
            return False
        return True


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class MetricRoutes:
    """`/metrics`, for *allowed* addresses and administrators: it names mirrors and the hosts that are asked."""

    def __init__(
        self,
        metrics: Metrics,
        refresh: Callable[[], Awaitable[None]],
        gate: Gate,
        addresses: Addresses,
        allowed: Sequence[str],
    ) -> None:
        self._metrics = metrics
        self._refresh = refresh
        self._gate = gate
        self._addresses = addresses
        self._allowed = ranges(allowed)

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/metrics", methods=["GET", "HEAD"])(self.metrics)

    async def metrics(self, request: IRequest) -> bytes:
        """All figures."""
        if not (self._addresses.is_within(request, self._allowed) and self._addresses.is_direct(request)):
            await self._gate.caller(request, role=Role.ADMIN)
        request.setHeader(b"cache-control", b"no-store")
        await self._refresh()
        return send_bytes(request, self._metrics.text(), CONTENT_TYPE_LATEST)
