"""REST `/api/groups` and `/api/group/<id>`: customer groups."""

from typing import Any

from attrs import evolve
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.accounts import Group
from packeton.core.access.days import day_text
from packeton.core.access.identities import Role, Scope
from packeton.errors import InvalidFields, NotFound, Taken
from packeton.features.access.audiences import Groups
from packeton.interfaces.accounts import IGroupRecords
from packeton.web.access import Gate
from packeton.web.api.answers import PAGE, page_of, send_fields, send_json, send_nothing
from packeton.web.api.forms import Form, acl_lines, day, text, texts
from packeton.web.bodies import read_json_object

__all__ = ["GroupApi"]


class GroupApi:
    """For administrators."""

    def __init__(self, gate: Gate, records: IGroupRecords, groups: Groups) -> None:
        self._gate = gate
        self._records = records
        self._groups = groups

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/api/groups", methods=["GET", "HEAD"])(self.listing)
        app.route("/api/groups", methods=["POST"])(self.create)
        app.route("/api/group/<int(max=2147483647):group_id>", methods=["GET", "HEAD"])(self.item)
        app.route("/api/group/<int(max=2147483647):group_id>", methods=["PUT"])(self.change)
        app.route("/api/group/<int(max=2147483647):group_id>", methods=["DELETE"])(self.remove)

    async def listing(self, request: IRequest) -> bytes:
        """Groups, 25 a page."""
        await self._admin(request)
        groups = await self._records.listing(PAGE, page_of(request))
        return send_json(request, [_document(group) for group in groups])

    async def item(self, request: IRequest, group_id: int) -> bytes:
        """One group."""
        await self._admin(request)
        return send_json(request, _document(await self._found(group_id)))

    async def create(self, request: IRequest) -> bytes:
        """Make one."""
        await self._admin(request)
        form = Form(read_json_object(request))
        try:
            made = await self._groups.create(_changed(Group(id=0, name=""), form))
        except (InvalidFields, Taken) as error:
            return send_fields(request, error)
        return send_json(request, {"id": made.id}, 201)

    async def change(self, request: IRequest, group_id: int) -> bytes:
        """Change one; what is not sent stays, an empty list clears."""
        await self._admin(request)
        await self._found(group_id)
        body = read_json_object(request)
        try:
            await self._groups.change(group_id, lambda held: _changed(held, Form(body)))
        except (InvalidFields, Taken) as error:
            return send_fields(request, error)
        return send_nothing(request)

    async def remove(self, request: IRequest, group_id: int) -> bytes:
        """Delete one; its members keep what other groups give them."""
        await self._admin(request)
        await self._groups.remove(group_id)
        return send_nothing(request)

    async def _admin(self, request: IRequest) -> None:
        await self._gate.caller(request, role=Role.ADMIN, scope=Scope.GROUPS)

    async def _found(self, group_id: int) -> Group:
        group: Group | None = await self._records.get(group_id)
        if group is None:
            raise NotFound("no such group")
        return group


def _changed(group: Group, form: Form) -> Group:
    """Return *group* with what was sent. Raises InvalidFields."""
    changed = evolve(
        group,
        name=form.take("name", text, group.name),
        updates_until=form.take("expiredUpdatesAt", day, group.updates_until),
        min_stability=form.take("minStability", _stability, group.min_stability),
        mirrors=form.take("proxies", texts, group.mirrors),
        lines=form.take("aclPermissions", acl_lines, group.lines),
    )
    form.check()
    return changed


def _stability(value: Any) -> str | None:
    return None if value is None else text(value)


def _document(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "proxies": list(group.mirrors),
        "expiredUpdatesAt": day_text(group.updates_until),
        "minStability": group.min_stability,
        "packages": list(dict.fromkeys(line.package for line in group.lines)),
        "aclPermissions": [
            {"name": line.package, "version": line.constraint, "minStability": line.min_stability}
            for line in group.lines
        ],
    }
