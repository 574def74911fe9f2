"""One IResource: all routes below it, and what holds for every request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from packeton.logs import AccessLog
from packeton.web import errors
from packeton.web.addresses import Addresses, IMountPoint, MountPoint
from packeton.web.server import PacketonRequest

__all__ = ["OnAnswer", "PacketonResource", "Routes"]

OnAnswer = Callable[[str, int, str, int, float], None]
"""Takes method, status, cache outcome, bytes of the body and seconds of a finished request."""

BODILESS = frozenset({b"GET", b"HEAD"})
MAX_URI_BYTES = 4096


class Routes(Protocol):
    """A group of routes."""

    def install(self, app: Klein) -> None:
        """Add them to *app*."""


class PacketonResource(Resource):
    """
    Our root. Mount it anywhere in a `twisted.web` tree or as a Klein branch; addresses in answers follow.

    *mounts* are resources of their own below a path (`/files` → resource) that take any method.
    """

    isLeaf = True

    def __init__(
        self,
        *,
        routes: Sequence[Routes],
        mounts: Mapping[str, IResource],
        addresses: Addresses,
        clock: IReactorTime,
        access_log: AccessLog | None,
        on_answer: OnAnswer,
    ) -> None:
        super().__init__()
        app = Klein()
        app.url_map.merge_slashes = app.url_map.strict_slashes = False  # an odd path is 404, not a redirect
        errors.install(app)
        for group in routes:
            group.install(app)
        self._routed = app.resource()
        self._mounts = {tuple(path.strip("/").encode().split(b"/")): mount for path, mount in mounts.items()}
        self._addresses = addresses
        self._clock = clock
        self._access_log = access_log
        self._on_answer = on_answer

    def render(self, request: IRequest) -> Any:
        """Answer, and write down what was answered."""
        assert isinstance(request, Request)
        began = self._clock.seconds()
        request.setComponent(IMountPoint, MountPoint.of(request))
        request.setHeader(b"server", b"packeton")
        request.notifyFinish().addBoth(lambda _: self._finished(request, began))
        problem = _refusal(request)
        if problem is not None:
            return errors.send_error(request, *problem)
        mount = self._mount_of(request)
        if mount is not None:
            return mount.render(request)
        if request.method in BODILESS and _has_body(request):
            return errors.send_error(request, 400, "a GET request has no body here")
        return self._routed.render(request)

    def _mount_of(self, request: IRequest) -> IResource | None:
        """Return the mount that the path leads into; its own prefix is moved from postpath to prepath."""
        segments = tuple(request.postpath)
        for path, mount in self._mounts.items():
            if segments[: len(path)] == path:
                request.prepath = [*request.prepath, *path]
                request.postpath = list(segments[len(path) :])
                return mount
        return None

    def _finished(self, request: Request, began: float) -> None:
        seconds = self._clock.seconds() - began
        method = request.method.decode("latin-1")
        cache = (request.responseHeaders.getRawHeaders(b"x-cache") or [b"-"])[0].decode("latin-1")
        self._on_answer(method, request.code, cache, request.sentLength, seconds)
        if self._access_log is None:
            return
        agent = (request.requestHeaders.getRawHeaders(b"user-agent") or [b"-"])[0].decode("latin-1")
        self._access_log(
            method=method,
            path=request.uri.partition(b"?")[0].decode("latin-1"),
            status=request.code,
            sent=request.sentLength,
            seconds=seconds,
            client=self._addresses.client(request),
            agent=agent,
            cache=cache,
        )


def _refusal(request: IRequest) -> tuple[int, str] | None:
    """Return status and message for a request that no route should see."""
    if len(request.uri) > MAX_URI_BYTES:
        return 414, "the address is too long"
    if isinstance(request, PacketonRequest) and request.body_refused:
        return 413, "the body is too large"
    try:
        path = b"/".join(request.postpath).decode()
    except UnicodeDecodeError:
        return 400, "the address is not UTF-8"
    if not path.isprintable():
        return 400, "the address has control characters"
    return None


def _has_body(request: IRequest) -> bool:
    if request.content is None:
        return False
    request.content.seek(0)
    return bool(request.content.read(1))
