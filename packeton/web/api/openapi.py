"""GET /apidoc.json: the description of the API, under the address that the client used."""

from importlib.resources import files
from typing import Any

import yaml
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.replies import reply

__all__ = ["OpenApiRoutes", "description"]


def description() -> dict[str, Any]:
    """Return the document as it is shipped."""
    found: dict[str, Any] = yaml.safe_load((files("packeton.web.api") / "openapi.yaml").read_text("utf-8"))
    return found


class OpenApiRoutes:
    """See the module."""

    def __init__(self, gate: Gate, addresses: Addresses) -> None:
        self._gate = gate
        self._addresses = addresses
        self._document = description()

    def install(self, app: Klein) -> None:
        """Add the route to *app*."""
        app.route("/apidoc.json", methods=["GET", "HEAD"], endpoint="openapi")(self.document)

    async def document(self, request: IRequest) -> bytes:
        """Answer with the document."""
        await self._gate.caller(request, role=Role.MAINTAINER)
        return reply(request, {**self._document, "servers": [{"url": self._addresses.base_url(request)}]})
