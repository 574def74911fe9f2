"""What forms ask before they are sent: R28 of contract 02."""

from collections.abc import Mapping
from typing import Any

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.errors import Invalid, InvalidFields
from packeton.features.packages.prechecks import Prechecks
from packeton.web.addresses import Addresses
from packeton.web.api.replies import reply
from packeton.web.bodies import read_fields
from packeton.web.changing import ChangeGate

__all__ = ["PrecheckApi", "refused", "token_in"]


class PrecheckApi:
    """For maintainers, by credentials or by a session with its form token."""

    def __init__(self, changes: ChangeGate, addresses: Addresses, prechecks: Prechecks) -> None:
        self._changes = changes
        self._addresses = addresses
        self._prechecks = prechecks

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/packages/fetch-info/<kind>", methods=["POST"])(self.look)
        app.route("/packages/fetch-monorepo-info", methods=["POST"])(self.found)

    async def look(self, request: IRequest, kind: str) -> bytes:
        """The name that a package would have, and packages with names like it."""
        fields = read_fields(request)
        caller = await self._changes.caller(
            request, scope=Scope.PACKAGES_ALL, role=Role.MAINTAINER, form_token=token_in(fields)
        )
        try:
            seen = await self._prechecks.look({**_plain(fields), "repoType": kind}, caller.identity)
        except Invalid as error:
            return refused(request, error)
        base = self._addresses.base_url(request)
        similar = [{"name": name, "url": f"{base}/packages/{name}"} for name in seen.similar]
        return reply(request, {"status": "success", "name": seen.name, "similar": similar, "details": []})

    async def found(self, request: IRequest) -> bytes:
        """The files that the patterns of a mono-repo find."""
        fields = read_fields(request)
        caller = await self._changes.caller(
            request, scope=Scope.PACKAGES_ALL, role=Role.MAINTAINER, form_token=token_in(fields)
        )
        try:
            files = await self._prechecks.found_in(_plain(fields), caller.identity)
        except Invalid as error:
            return refused(request, error)
        return reply(request, {"status": "success", "files": list(files)})


def token_in(fields: Mapping[str, Any]) -> str | None:
    """Return the token of a form."""
    token = fields.get("_token")
    return token if isinstance(token, str) else None


def _plain(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in fields.items() if name not in {"_token", "repoType"}}


def refused(request: IRequest, error: Invalid) -> bytes:
    """Answer with what is wrong, as a check does: 200."""
    by_field = error.fields if isinstance(error, InvalidFields) else {}
    reasons = [f"{name}: {text}" for name, text in by_field.items()] or [str(error)]
    return reply(request, {"status": "error", "reason": reasons})
