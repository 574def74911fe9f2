"""REST `/packages/<vendor>/<name>/security.json`: advisories about what a package has locked."""

from typing import Any

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Scope
from packeton.core.composer.advisories import Advisory
from packeton.errors import NotFound
from packeton.features.advisories.monitoring import audit_of, may_see_audit
from packeton.features.packages.editing import Editing
from packeton.web.access import Gate
from packeton.web.api.replies import reply

__all__ = ["SecurityApi"]


class SecurityApi:
    """For maintainers."""

    def __init__(self, gate: Gate, editing: Editing) -> None:
        self._gate = gate
        self._editing = editing

    def install(self, app: Klein) -> None:
        """Add the route to *app*."""
        app.route("/packages/<vendor>/<name>/security.json", methods=["GET", "HEAD"])(self.view)

    async def view(self, request: IRequest, vendor: str, name: str) -> bytes:
        """What the last check found; `checkedAt` is null where none was made."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ)
        package = await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
        if not may_see_audit(caller.identity, package):
            raise NotFound("no such package")
        state = audit_of(package)
        if state is None:
            return reply(request, {"name": package.name, "checkedAt": None, "advisories": []})
        listed = [_document(one, state.versions.get(one.package)) for one in state.advisories]
        return reply(
            request, {"name": package.name, "checkedAt": state.checked_at.isoformat(), "advisories": listed}
        )


def _document(advisory: Advisory, version: str | None) -> dict[str, Any]:
    """Return an advisory in the words of packagist.org, with the locked version."""
    return {
        "advisoryId": advisory.id,
        "packageName": advisory.package,
        "version": version,
        "affectedVersions": advisory.affected,
        "title": advisory.title,
        "link": advisory.link,
        "cve": advisory.cve,
        "severity": advisory.severity,
        "reportedAt": advisory.reported_at,
        "sources": [{"name": name, "remoteId": number} for name, number in advisory.reporters],
    }
