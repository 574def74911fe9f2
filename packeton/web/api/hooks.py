"""Hooks of forges: /api/update-package and its other names, and the trigger of outgoing webhooks."""

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.core.hooks.payloads import package_names, read_payload
from packeton.errors import Invalid
from packeton.features.hooks.incoming import Hook, IncomingHooks
from packeton.interfaces.clocks import InThread
from packeton.web.access import Gate
from packeton.web.api.replies import failed, query_of, reply
from packeton.web.bodies import content_type_of, form_of, read_posted

__all__ = ["HookRoutes"]

ANY = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NAMES = "composer_package_name"
MAX_HOOK_BYTES = 8 << 20
"""GitHub's payloads have at most 25 MB by its word, and 8 MB by experience."""
MAX_AT_ONCE = 64 << 10
"""Larger ones are read in a thread, so that others need not wait."""


class HookRoutes:
    """See the module."""

    def __init__(self, gate: Gate, hooks: IncomingHooks, in_thread: InThread) -> None:
        self._gate = gate
        self._hooks = hooks
        self._in_thread = in_thread

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path in ("/api/update-package", "/api/github", "/api/bitbucket"):
            app.route(path, methods=ANY, endpoint=f"hook-{path}")(self.pushed)
        app.route("/api/update-package/<vendor>/<name>", methods=ANY, endpoint="hook-by-name")(self.named)
        for path in ("/api/webhook-invoke", "/api/webhook-invoke/<name>"):
            app.route(path, methods=["POST"], endpoint=f"hook-{path}")(self.invoke)

    async def pushed(self, request: IRequest) -> bytes:
        """Something was pushed."""
        return await self._receive(request, ())

    async def named(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Something was pushed to this package."""
        return await self._receive(request, (f"{vendor}/{name}".lower(),))

    async def invoke(self, request: IRequest, name: str = "default") -> bytes:  # noqa: ARG002
        """Trigger outgoing webhooks; there are none that match."""
        await self._gate.caller(request, scope=Scope.WEBHOOKS, role=Role.MAINTAINER)
        return reply(request, {"status": "success", "jobs": []})

    async def _receive(self, request: IRequest, names: tuple[str, ...]) -> bytes:
        caller = await self._gate.caller(request, scope=Scope.WEBHOOKS, role=Role.MAINTAINER)
        try:
            hook = await self._read(request, names)
            jobs = await self._hooks.receive(hook, caller.identity, caller.repository)
        except Invalid as error:
            return failed(request, error)
        return reply(request, {"status": "success", "jobs": [job.id for job in jobs]}, 202)

    async def _read(self, request: IRequest, names: tuple[str, ...]) -> Hook:
        """Read a hook. Raises Invalid."""
        body, kind = read_posted(request, MAX_HOOK_BYTES), content_type_of(request)
        headers = {
            name.decode("latin-1").lower(): values[0].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        names = names or package_names(query_of(request).text(NAMES))
        if len(body) > MAX_AT_ONCE:
            return await self._in_thread(_hook, headers, kind, body, names)
        return _hook(headers, kind, body, names)


def _hook(headers: dict[str, str], kind: str, body: bytes, names: tuple[str, ...]) -> Hook:
    form = form_of(kind, body)
    text = body if form is None else form.get("payload", "").encode()
    names = names or package_names((form or {}).get(NAMES))
    try:
        payload = read_payload(text)
    except Invalid:
        if not names:
            raise
        payload = None  # who names packages may send what they like
    return Hook(payload=payload, names=names, body=body, headers=headers)
