"""Packages over the API: submit, list, view, edit, delete, and what belongs to one."""

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.errors import BadCredentials, Denied, Invalid, NotFound, Unauthenticated
from packeton.features.packages.changelogs import Changelogs
from packeton.features.packages.dependents import Dependents
from packeton.features.packages.editing import Editing
from packeton.features.packages.submitting import Submitting
from packeton.features.packages.viewing import Viewing
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.replies import MAX_PAGE, failed, query_of, reply
from packeton.web.bodies import read_form, read_json_object
from packeton.web.changing import ChangeGate
from packeton.web.composer.packages import audience_of

__all__ = ["PackageApi"]

READ = ["GET", "HEAD"]
LISTED = ("id", "name", "description", "language", "abandoned", "replacementPackage")


class PackageApi:
    """See the module."""

    def __init__(
        self,
        gate: Gate,
        changes: ChangeGate,
        addresses: Addresses,
        submitting: Submitting,
        editing: Editing,
        viewing: Viewing,
        dependents: Dependents,
        changelogs: Changelogs,
    ) -> None:
        self._gate = gate
        self._changes = changes
        self._addresses = addresses
        self._submitting = submitting
        self._editing = editing
        self._viewing = viewing
        self._dependents = dependents
        self._changelogs = changelogs

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        of_one = "/api/packages/<vendor>/<name>"
        for path, methods, method in (
            ("/api/create-package", ["POST"], self.create),
            ("/api/packages", READ, self.listing),
            ("/packages/list.json", READ, self.listing),
            (of_one, READ, self.view),
            ("/packages/<vendor>/<name>.json", READ, self.view),
            (of_one, ["PUT"], self.edit),
            (of_one, ["DELETE"], self.delete),
            ("/packages/<vendor>/<name>", ["DELETE"], self.delete),
            ("/versions/<int:number>/delete", ["DELETE"], self.delete_version),
            ("/packages/<vendor>/<name>", ["PUT"], self.refresh),
            (f"{of_one}/changelog", READ, self.changelog),
            ("/packages/<vendor>/<name>/changelog", READ, self.changelog),
            ("/api/packages/<path:name>/dependents", READ, self.dependents),
            ("/packages/<path:name>/dependents.json", READ, self.dependents),
        ):
            app.route(path, methods=methods, endpoint=f"api-{methods[0]}-{path}")(method)

    async def create(self, request: IRequest) -> bytes:
        """Submit a package."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_ALL, role=Role.MAINTAINER)
        try:
            fields = read_json_object(request)
            package, job = await self._submitting.submit(fields, caller.identity, caller.repository)
        except Invalid as error:
            return failed(request, error)
        return reply(request, {"status": "success", "name": package.name, "job": job.id}, 202)

    async def listing(self, request: IRequest) -> bytes:
        """Names, or chosen fields, of all packages that are seen."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.FULL_CUSTOMER)
        query, audience = query_of(request), audience_of(caller)
        kind, vendor, fields = query.text("type"), query.text("vendor"), list(query.all("fields"))[:50]
        if not fields:
            return reply(request, {"packageNames": await self._viewing.names(audience, type_=kind, vendor=vendor)})
        base = self._addresses.base_url(request)
        return reply(
            request, {"packages": await self._viewing.listing(audience, fields, base, type_=kind, vendor=vendor)}
        )

    async def view(self, request: IRequest, vendor: str, name: str) -> bytes:
        """All that is known of a package, with the versions that this caller sees."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, anonymous=self._gate.audience.metadata)
        base, full = self._addresses.base_url(request), f"{vendor}/{name}"
        document = await self._viewing.document(audience_of(caller), full, base)
        await self._editing.looked_at(full, caller.identity, caller.repository)
        return reply(request, document)

    async def edit(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Change the fields that are posted."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_ALL)
        full = f"{vendor}/{name}"
        package = await self._editing.seen(full, caller.identity, caller.repository)
        if package.parent_id is not None:
            return failed(request, Invalid("Package is readonly"), 400)
        try:
            package, job = await self._editing.edit(full, read_json_object(request), caller.identity, caller.repository)
        except Invalid as error:
            return failed(request, error)
        return reply(request, {"status": "success", "name": package.name, "job": job.id})

    async def delete(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Delete a package."""
        caller = await self._changes.caller(request, scope=Scope.PACKAGES_ALL)
        await self._editing.remove(f"{vendor}/{name}", caller.identity, caller.repository)
        request.setResponseCode(204)
        return b""

    async def delete_version(self, request: IRequest, number: int) -> bytes:
        """Delete a version; it comes back with the next reading if its tag or branch is still there."""
        caller = await self._changes.caller(request, scope=Scope.PACKAGES_ALL)
        await self._editing.remove_version(number, caller.identity, caller.repository)
        request.setResponseCode(204)
        return b""

    async def refresh(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Have a package read, from its page or by who may."""
        try:
            caller = await self._changes.caller(request, scope=Scope.PACKAGES_ALL)
        except Unauthenticated as error:
            if isinstance(error, BadCredentials):
                raise
            raise Denied(str(error)) from error
        query = query_of(request) | (read_form(request) or {})
        job = await self._editing.refresh(
            f"{vendor}/{name}",
            caller.identity,
            caller.repository,
            update=bool(query.flag("update")) or bool(query.flag("updateAll")),
            update_all=bool(query.flag("updateAll")),
            auto_updated=query.flag("autoUpdated"),
        )
        return reply(request, {"status": "success", **({} if job is None else {"job": job.id})}, 202)

    async def changelog(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Subjects of the commits between two versions."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ)
        if not caller.identity.has(Role.MAINTAINER):
            return reply(request, {"error": "Access denied"}, 403)
        package = await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
        versions = await self._viewing.versions(audience_of(caller), package)
        query = query_of(request)
        try:
            found = await self._changelogs.between(package, versions, query.text("from"), query.text("to"))
        except Invalid as error:
            return reply(request, {"error": str(error)}, 400)
        ends = {"from": found.from_, "to": found.to, "package": package.name}
        return reply(request, {"result": list(found.subjects), "error": None, "metadata": ends})

    async def dependents(self, request: IRequest, name: str) -> bytes:
        """A page of the packages that require this one."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.FULL_CUSTOMER)
        if name.count("/") > 1:
            raise NotFound("no such package")
        page = query_of(request).number("page", 1, most=MAX_PAGE)
        audience = audience_of(caller)
        found = await self._dependents.page(audience, name.lower(), page)
        listed = await self._viewing.rows(found.names)
        rows = [{key: row[key] for key in LISTED} for row in listed.rows]
        meta = {"downloads": listed.installs, "favers": listed.favers}
        return reply(request, {"packages": rows, "count": found.count, "meta": meta, "name": name})
