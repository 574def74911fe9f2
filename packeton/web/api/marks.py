"""What people say of packages, over the API."""

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Scope
from packeton.errors import Invalid
from packeton.features.packages.marking import Marking, Marks
from packeton.web.api.replies import failed, reply
from packeton.web.bodies import read_json_object
from packeton.web.changing import ChangeGate

__all__ = ["MarkApi"]


class MarkApi:
    """For who may edit the package."""

    def __init__(self, changes: ChangeGate, marking: Marking) -> None:
        self._changes = changes
        self._marking = marking

    def install(self, app: Klein) -> None:
        """Add the route to *app*."""
        app.route("/api/packages/<vendor>/<name>/settings", methods=["POST"])(self.mark)

    async def mark(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Abandoned, archived, visible for all, not read by itself, other requirements: what is not sent stays."""
        caller = await self._changes.caller(request, scope=Scope.PACKAGES_ALL)
        try:
            marks = Marks.read(read_json_object(request))
        except Invalid as error:
            return failed(request, error)
        package = await self._marking.mark(f"{vendor}/{name}", marks, caller.identity, caller.repository)
        document = {
            "status": "success",
            "name": package.name,
            "abandoned": package.replacement or True if package.abandoned else False,
            "archived": package.archived,
            "visibleForAll": package.visible_for_all,
            "disabledUpdate": bool(package.settings.get("disabledUpdate")),
            "requirePatches": package.settings.get("requirePatches") or {},
        }
        return reply(request, document)
