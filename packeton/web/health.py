"""GET /api/healthz: can we do our work?"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.errors import PacketonError
from packeton.interfaces.clocks import now_of
from packeton.web.responses import send_bytes

__all__ = ["HealthRoutes"]


class HealthRoutes:
    """`/api/healthz`, in the reference's form: 200 when all checks pass, else 500; `[]` with 404 when switched off."""

    def __init__(
        self, *, enabled: bool, checks: Mapping[str, Callable[[], Awaitable[object]]], clock: IReactorTime
    ) -> None:
        self._enabled = enabled
        self._checks = checks
        self._clock = clock

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/api/healthz", methods=["GET", "HEAD"])(self.healthz)

    async def healthz(self, request: IRequest) -> bytes:
        """Run all checks."""
        request.setHeader(b"cache-control", b"no-store")
        if not self._enabled:
            request.setResponseCode(404)
            return send_bytes(request, b"[]", "application/json")
        checks = {name: await self._run(check) for name, check in self._checks.items()}
        passed = all(check["status"] == "pass" for check in checks.values())
        request.setResponseCode(200 if passed else 500)
        document = {"status": "pass" if passed else "fail", "checks": checks}
        return send_bytes(request, json.dumps(document, indent=4).encode(), "application/json")

    async def _run(self, check: Callable[[], Awaitable[object]]) -> dict[str, Any]:
        began = self._clock.seconds()
        try:
            await check()
            status = "pass"
        except PacketonError:
            status = "fail"
        return {
            "time": _zulu(now_of(self._clock)()),
            "status": status,
            "observedValue": round((self._clock.seconds() - began) * 1000, 2),
            "observedUnit": "ms",
        }


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
