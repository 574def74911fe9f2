"""One IResource: all routes below it, and what holds for every request."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from packeton.core.access.repositories import RESERVED_SLUGS, SLUG
from packeton.logs import AccessLog
from packeton.web import errors
from packeton.web.access import ISlug, Slug
from packeton.web.addresses import Addresses, IMountPoint, MountPoint
from packeton.web.cors import Cors
from packeton.web.protection import Protection
from packeton.web.responses import send_bytes, user_agent
from packeton.web.server import PacketonRequest
from packeton.web.uploads import UploadPlaces

__all__ = ["OnAnswer", "PacketonResource", "Routes"]

OnAnswer = Callable[[str, int, str, int, float], None]
"""Takes method, status, cache outcome, bytes of the body and seconds of a finished request."""

BODILESS = frozenset({b"GET", b"HEAD"})
MAX_URI_BYTES = 4096
SAFETY = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
"""What no answer of ours is taken for: another type, a part of another site's page. Source: the reference."""
HEAD = ((b"server", b"packeton"), *SAFETY)
LINK = re.compile(r"(/(?:reset-password/(?:reset|invite)|setup)/)[^/]+")
"""Paths with a secret in them, of links in mails."""
COMPOSER_ROUTES = (
    ("packages.json",), ("p",), ("p2",), ("zipball",), ("downloads",), ("metadata", "changes.json"),
    ("packages", "list.json"), ("search.json",), ("api", "security-advisories"),
)  # fmt: skip
"""What the paths of our own repository's routes begin with, also below the slug of a sub-repository."""


class Routes(Protocol):
    """A group of routes."""

    def install(self, app: Klein) -> None:
        """Add them to *app*."""


class _App(Klein):
    """Numbers its routes; Klein tells them apart by their functions' bare names, and the last one of a name wins."""

    def route(self, url: str, *args: Any, **keywords: Any) -> Any:
        """Add a route."""
        return super().route(url, *args, **{"endpoint": f"{url} {len(self.endpoints)}", **keywords})


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
        protection: Protection | None = None,
        cors: Cors | None = None,
        uploads: UploadPlaces | None = None,
        missing: errors.Missing | None = None,
    ) -> None:
        super().__init__()
        self._protection = protection
        self._cors = cors or Cors(None)
        app = _App()
        app.url_map.merge_slashes = app.url_map.strict_slashes = False  # an odd path is 404, not a redirect
        errors.install(app, missing)
        for group in routes:
            group.install(app)
        self._routed = app.resource()
        self._mounts = {tuple(path.strip("/").encode().split(b"/")): mount for path, mount in mounts.items()}
        self._addresses = addresses
        self._clock = clock
        self._access_log = access_log
        self._on_answer = on_answer
        self.uploads = uploads

    def render(self, request: IRequest) -> Any:
        """Answer, and write down what was answered."""
        assert isinstance(request, Request)
        began = self._clock.seconds()
        request.setComponent(IMountPoint, MountPoint.of(request))
        for name, value in HEAD:
            request.setHeader(name, value)
        request.notifyFinish().addBoth(lambda _: self._finished(request, began))
        problem = _refusal(request)
        if problem is not None:
            return errors.send_problem(request, *problem)
        hidden = None if self._protection is None else self._protection.hides(request)
        if hidden is not None:
            request.setResponseCode(hidden.status)
            request.setHeader(b"cache-control", b"no-store")
            return send_bytes(request, hidden.body, hidden.content_type)
        if self._cors.answer(request):
            return b""
        mount = self._mount_of(request)
        if mount is not None:
            for name, _ in SAFETY:  # what comes through there is another's
                request.responseHeaders.removeHeader(name)
            return mount.render(request)
        _take_slug(request)
        if request.method in BODILESS and _has_body(request):
            return errors.send_problem(request, 400, "a GET request has no body here")
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
        self._access_log(
            method=method,
            path=LINK.sub(r"\1***", request.uri.partition(b"?")[0].decode("latin-1")),
            status=request.code,
            sent=request.sentLength,
            seconds=seconds,
            client=self._addresses.client(request),
            agent=user_agent(request) or "-",
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


def _take_slug(request: Request) -> None:
    """
    Move the slug of a sub-repository from the path of a Composer route into a component of the request.

    So every such route works below every slug without knowing; if there is such a sub-repository, and who may use it,
    the Gate says.
    """
    path = request.postpath or []
    segments = [segment.decode() for segment in path]
    if len(segments) < 2 or segments[0] in RESERVED_SLUGS or SLUG.fullmatch(segments[0]) is None:
        return
    if any(tuple(segments[1 : 1 + len(words)]) == words for words in COMPOSER_ROUTES):
        request.setComponent(ISlug, Slug(segments[0]))
        request.prepath = [*(request.prepath or []), path[0]]
        request.postpath = path[1:]


def _has_body(request: IRequest) -> bool:
    if request.content is None:
        return False
    request.content.seek(0)
    return bool(request.content.read(1))
