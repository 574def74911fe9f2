"""Which other sites' scripts may call us from a browser; cookies are never part of that."""

import re

from attrs import frozen
from twisted.web.iweb import IRequest

from packeton.web.responses import set_head

__all__ = ["Cors"]

MAX_ORIGIN = 255
METHODS = "GET, OPTIONS, POST, PUT, PATCH, DELETE"
FIELDS = "Content-Type, Authorization"
MAX_AGE = 3600


@frozen
class Cors:
    """Source: the reference's configuration of CORS; the Fetch standard, section 3.2."""

    _allowed: re.Pattern[str] | None

    def answer(self, request: IRequest) -> bool:
        """Add what a browser wants to know to the head; say if that is the whole answer, to a preflight."""
        origin = (request.requestHeaders.getRawHeaders(b"origin") or [b""])[0].decode("latin-1")
        if not origin or self._allowed is None:
            return False
        request.responseHeaders.addRawHeader(b"vary", b"Origin")
        asks: bool = request.requestHeaders.hasHeader(b"access-control-request-method")
        preflight = asks and request.method == b"OPTIONS"
        if len(origin) <= MAX_ORIGIN and self._allowed.search(origin):
            set_head(request, {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Link"})
            if preflight:
                head = {"Methods": METHODS, "Headers": FIELDS}
                set_head(request, {f"Access-Control-Allow-{name}": value for name, value in head.items()})
                set_head(request, {"Access-Control-Max-Age": str(MAX_AGE)})
        if preflight:
            request.setResponseCode(204)
        return preflight
