"""api/security-advisories/: the advisories about our own packages, for `composer audit`."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

import orjson
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.errors import Invalid
from packeton.features.advisories.own import OwnAdvisories
from packeton.web.access import Gate
from packeton.web.bodies import read_posted
from packeton.web.composer.packages import audience_of
from packeton.web.responses import send_bytes

__all__ = ["AdvisoryRoutes", "asked_names"]

MAX_NAMES = 10_000


class AdvisoryRoutes:
    """See the module."""

    def __init__(self, gate: Gate, advisories: OwnAdvisories) -> None:
        self._gate = gate
        self._advisories = advisories

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path in ("/api/security-advisories/", "/api/security-advisories"):
            app.route(path, methods=["GET", "HEAD", "POST"], endpoint=f"own-{path}")(self.about)

    async def about(self, request: IRequest) -> bytes:
        """
        Answer which advisories there are about the packages named in `packages[]`, of the form or of the query.

        Names that are no packages of ours, or none that this caller sees, are passed over. Source: packagist.org's API.
        """
        caller = await self._gate.reader(request)
        found = await self._advisories.about(audience_of(caller), asked_names(request))
        request.setHeader(b"cache-control", b"private, no-store")
        return send_bytes(request, orjson.dumps({"advisories": found}), "application/json")


def asked_names(request: IRequest) -> Sequence[str]:
    """Return the names that somebody wants advisories about, each once, in lower case. Raises Invalid: no list."""
    _, _, query = request.uri.partition(b"?")
    try:
        fields = [
            (name, value)
            for text in (query, read_posted(request))
            for name, value in parse_qsl(text.decode("latin-1"), max_num_fields=MAX_NAMES)
        ]
    except ValueError as error:
        raise Invalid("too many names at once") from error
    names = [value.lower() for name, value in fields if name.startswith("packages[") and name.endswith("]")]
    if not names:
        raise Invalid('Missing array of package names as the "packages" parameter')
    return list(dict.fromkeys(names))
