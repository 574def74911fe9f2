"""How far jobs are, and their logs as they grow."""

import re

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.errors import NotFound
from packeton.features.packages.watching import JobWatching
from packeton.web.access import Gate
from packeton.web.api.replies import reply
from packeton.web.responses import set_head
from packeton.web.streaming import stream

__all__ = ["JobRoutes"]

ID = re.compile(r"[0-9a-f]{40}")
POSITION = re.compile(r"[0-9]{1,15}")


class JobRoutes:
    """See the module."""

    def __init__(self, gate: Gate, jobs: JobWatching, clock: IReactorTime) -> None:
        self._gate = gate
        self._jobs = jobs
        self._clock = clock

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path in ("/api/jobs/<job_id>", "/jobs/<job_id>"):
            app.route(path, methods=["GET", "HEAD"], endpoint=f"job-{path}")(self.status)
        app.route("/api/jobs/<job_id>/log", methods=["GET"], endpoint="job-log")(self.log)

    async def status(self, request: IRequest, job_id: str) -> bytes:
        """Answer with how far a job is."""
        await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.MAINTAINER)
        report = await self._jobs.report(_id(job_id))
        document = {"status": report.status, "message": report.message}
        if report.details is not None:
            document["details"] = report.details
        return reply(request, document)

    async def log(self, request: IRequest, job_id: str) -> bytes:
        """Send the log as server-sent events, until the job is over."""
        await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.MAINTAINER)
        source = await self._jobs.follow(_id(job_id), _past(request))
        set_head(
            request,
            {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        await stream(request, source, self._clock)
        return b""


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise NotFound("no such job")
    return text


def _past(request: IRequest) -> int:
    """Return where the client's connection broke off."""
    text = (request.requestHeaders.getRawHeaders(b"last-event-id") or [b""])[0].decode("latin-1")
    return int(text) if POSITION.fullmatch(text) else 0
