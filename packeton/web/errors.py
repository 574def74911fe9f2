"""The table error kind → HTTP status, and its installation."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from klein import Klein
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from packeton.errors import (
    BadContent,
    Conflict,
    Denied,
    Invalid,
    NotAdmitted,
    NotFound,
    NotHad,
    PacketonError,
    StorageBusy,
    StorageFailed,
    TooLarge,
    TooManyAttempts,
    Unauthenticated,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamRefused,
    UpstreamTimedOut,
)
from packeton.web.addresses import IMountPoint

__all__ = [
    "FORBIDDEN",
    "INTERNAL",
    "STORAGE",
    "Missing",
    "install",
    "send_error",
    "send_failure",
    "send_problem",
    "status_of",
]

log = Logger()

STATUS: Final = {
    Invalid: 400,
    Unauthenticated: 401,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    TooManyAttempts: 429,
    UpstreamRefused: 424,  # permanent: Composer repeats a 5xx dist 16 times, a 424 never, and asks for no password
    StorageBusy: 503,
    StorageFailed: 500,
    BadContent: 502,
    UpstreamFailed: 502,
    UpstreamBusy: 503,
    UpstreamTimedOut: 504,
    PacketonError: 500,
}

FORBIDDEN: Final = "Forbidden"
INTERNAL: Final = "Internal Server Error"
STORAGE: Final = "the server cannot read or write what it stores; its log says why"
BUSY_SECONDS: Final = b"5"
PROBLEM: Final = "https://tools.ietf.org/html/rfc2616#section-10"


Missing = Callable[[IRequest], Awaitable[bytes]]


def status_of(error: PacketonError) -> int:
    """Return the status of the nearest listed ancestor of *error*'s class."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def send_error(request: IRequest, status: int, message: str) -> bytes:
    """Set the head and return the body of an error that the reference tells as `{"status":"error","message":…}`."""
    return _send(request, status, {"status": "error", "message": message})


def send_problem(request: IRequest, status: int, detail: str | None = None, *, warning: str | None = None) -> bytes:
    """
    Set the head for an error that no route has a body of its own for, and return the problem report.

    Args:
        detail: What the client is told; without it, what the status is called.
        warning: What Composer prints, which it does for 5xx and 424 and only if the Content-Type is exactly
            `application/json`; without it the detail.
    """
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {"status": status, "detail": detail or title, "title": title, "type": PROBLEM}
    if status == 424 or status >= 500:
        body["warning"] = warning or body["detail"]
    return _send(request, status, body)


def send_failure(request: IRequest, error: PacketonError) -> bytes:
    """Set the head for what went wrong, by the table, and return the body."""
    if isinstance(error, UpstreamBusy | TooManyAttempts) and error.retry_after is not None:
        request.setHeader(b"retry-after", b"%d" % max(1, round(error.retry_after.total_seconds())))
    status = status_of(error)
    if isinstance(error, StorageBusy):
        request.setHeader(b"retry-after", BUSY_SECONDS)
    if isinstance(error, Unauthenticated):
        request.setHeader(b"www-authenticate", b'Basic realm="Packeton"')
        return send_error(request, status, str(error))
    if isinstance(error, StorageFailed):  # where our database is, and what the disk says, is for the log
        log.warn("A request could not be answered: {why}", why=str(error))
        return send_problem(request, status, warning=STORAGE)
    if isinstance(error, NotAdmitted | NotHad):
        return send_problem(request, status, str(error))
    if isinstance(error, NotFound):
        return send_problem(request, status) if _is_problem(request) else send_error(request, status, "Not Found")
    return send_problem(request, status, str(error))


def _send(request: IRequest, status: int, body: dict[str, Any]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    for field in (b"etag", b"last-modified", b"accept-ranges", b"vary"):
        request.responseHeaders.removeHeader(field)
    content = json.dumps(body).encode()
    request.setHeader(b"content-length", b"%d" % len(content))
    return b"" if request.method == b"HEAD" else content


def _is_problem(request: IRequest) -> bool:
    """Say if what is missing here is a problem in the reference too: mirrors, users and groups, but not packages."""
    mounted: Any = IMountPoint(request, None)
    below = 0 if mounted is None else mounted.path.count("/")
    path = [part for part in (*(request.prepath or []), *(request.postpath or [])) if part][below:]
    return path[:1] == [b"mirror"] or path[:2] in ([b"api", b"user"], [b"api", b"group"])


def install(app: Klein, missing: Missing | None = None) -> None:
    """
    Make *app* answer errors by the table.

    Args:
        missing: Answers a browser that asks for a page that no route knows.
    """

    @app.handle_errors(PacketonError)
    def known(request: IRequest, failure: Failure) -> bytes:
        error: Any = failure.value
        return send_failure(request, error)

    @app.handle_errors(HTTPException)
    async def routed(request: IRequest, failure: Failure) -> bytes:
        error: Any = failure.value
        if missing is not None and error.code in {404, 405} and _wants_page(request):
            return await missing(request)
        for name, value in error.get_headers():
            if name.lower() == "allow":
                request.setHeader(b"allow", value.encode())
        return send_problem(request, error.code or 500)

    @app.handle_errors(Exception)
    def unknown(request: IRequest, failure: Failure) -> bytes:
        log.failure("A request failed", failure)
        return send_problem(request, 500)


def _wants_page(request: IRequest) -> bool:
    """Say if a person looks at this with a browser; Composer and scripts name no HTML."""
    accepted = b",".join(request.requestHeaders.getRawHeaders(b"accept") or ())
    return request.method in {b"GET", b"HEAD"} and b"text/html" in accepted.lower()
