"""REST: advisories about what a package has locked, and those about the package itself."""

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Scope
from packeton.core.composer.advisory_forms import as_published
from packeton.errors import Invalid, NotFound
from packeton.features.advisories.monitoring import audit_of, may_see_audit
from packeton.features.advisories.own import OwnAdvisories, advisories_of
from packeton.features.packages.editing import Editing
from packeton.interfaces.packages import Package
from packeton.web.access import Caller, Gate
from packeton.web.api.replies import failed, reply
from packeton.web.bodies import read_json_object

__all__ = ["SecurityApi"]


class SecurityApi:
    """What a package has locked is for maintainers; what is known of the package itself for all who see it."""

    def __init__(self, gate: Gate, editing: Editing, advisories: OwnAdvisories) -> None:
        self._gate = gate
        self._editing = editing
        self._advisories = advisories

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/packages/<vendor>/<name>/security.json", methods=["GET", "HEAD"])(self.view)
        about = "/api/packages/<vendor>/<name>/advisories"
        app.route(about, methods=["GET", "HEAD"])(self.listing)
        app.route(about, methods=["POST"])(self.write)
        app.route(f"{about}/<number>", methods=["DELETE"])(self.withdraw)

    async def view(self, request: IRequest, vendor: str, name: str) -> bytes:
        """What the last check found; `checkedAt` is null where none was made."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ)
        package = await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
        if not may_see_audit(caller.identity, package):
            raise NotFound("no such package")
        state = audit_of(package)
        if state is None:
            return reply(request, {"name": package.name, "checkedAt": None, "advisories": []})
        listed = [{**as_published(one), "version": state.versions.get(one.package)} for one in state.advisories]
        return reply(
            request, {"name": package.name, "checkedAt": state.checked_at.isoformat(), "advisories": listed}
        )

    async def listing(self, request: IRequest, vendor: str, name: str) -> bytes:
        """The advisories about a package."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, anonymous=self._gate.audience.metadata)
        package = await self._seen(caller, vendor, name)
        return reply(request, {"advisories": [as_published(one) for one in advisories_of(package)]})

    async def write(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Write an advisory down, or another one under an id that there is."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_ALL)
        package = await self._seen(caller, vendor, name)
        try:
            written = await self._advisories.write(package, read_json_object(request), caller.identity)
        except Invalid as error:
            return failed(request, error)
        return reply(request, as_published(written), 201)

    async def withdraw(self, request: IRequest, vendor: str, name: str, number: str) -> bytes:
        """Take an advisory back."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_ALL)
        await self._advisories.withdraw(await self._seen(caller, vendor, name), number, caller.identity)
        request.setResponseCode(204)
        return b""

    async def _seen(self, caller: Caller, vendor: str, name: str) -> Package:
        return await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
