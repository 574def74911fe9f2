"""What clients are told about what went wrong."""

import json
from typing import Any

from klein import Klein
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.test.requesthelper import DummyRequest

from packeton.errors import (
    Denied,
    Invalid,
    NotAdmitted,
    NotFound,
    PacketonError,
    StorageBusy,
    StorageFailed,
    TooLarge,
    Unauthenticated,
    UpstreamFailed,
)
from packeton.web.addresses import Addresses
from packeton.web.errors import install, send_failure
from packeton.web.root import PacketonResource
from tests.support.wire import Wire

TYPE = "https://tools.ietf.org/html/rfc2616#section-10"


def problem(status: int, title: str, detail: str | None = None) -> dict[str, Any]:
    """Return a problem report as the reference has it."""
    return {"status": status, "detail": detail or title, "title": title, "type": TYPE}


class ErrorTests(SynchronousTestCase):
    """The body of an error."""

    def told(self, error: PacketonError) -> tuple[int, Any]:
        """Return status and body."""
        request = DummyRequest([b"x"])
        body = json.loads(send_failure(request, error))
        self.assertEqual([b"application/json"], request.responseHeaders.getRawHeaders(b"content-type"))
        return request.responseCode or 200, body

    def test_storage(self) -> None:
        """Where the database is, and what it says, is for the log alone; Composer prints that there is a log."""
        status, document = self.told(StorageFailed("connection to 10.1.2.3 refused for user root"))
        warning = document.pop("warning")
        self.assertEqual((500, problem(500, "Internal Server Error")), (status, document))
        self.assertNotIn("10.1.2.3", warning)
        self.assertIn("log", warning)

    def test_busy(self) -> None:
        """A database that others hold is asked again later."""
        request = DummyRequest([b"x"])
        document = json.loads(send_failure(request, StorageBusy("the database failed: database is locked")))
        self.assertEqual((503, "Service Unavailable"), (request.responseCode, document["detail"]))
        self.assertEqual([b"5"], request.responseHeaders.getRawHeaders(b"retry-after"))

    def test_problems(self) -> None:
        """What no route answers by itself is a problem report; what the client did wrong is its detail."""
        for error, expected in (
            (Invalid("a: b"), problem(400, "Bad Request", "a: b")),
            (Denied("Forbidden"), problem(403, "Forbidden")),
            (TooLarge("more than 5"), problem(413, "Request Entity Too Large", "more than 5")),
            (UpstreamFailed("mirror up: gone"), {**problem(502, "Bad Gateway", "mirror up: gone"), "warning": "mirror up: gone"}),
        ):
            self.assertEqual((expected["status"], expected), self.told(error))

    def test_credentials(self) -> None:
        """Who must sign in gets the reference's own form."""
        self.assertEqual((401, {"status": "error", "message": "who?"}), self.told(Unauthenticated("who?")))

    def test_missing(self) -> None:
        """A package that is hidden is one that is not there; what a mirror does not admit it may say."""
        plain, refused = {"status": "error", "message": "Not Found"}, "acme/a is not approved yet"
        for mounted in ("", "/composer"):
            for path in ("p2/acme/a.json", "packages/acme/a.json", "zipball", "api/packages/acme/a", "sub/p2/mirror/a.json"):
                self.assertEqual((404, plain), self.missed(mounted, path))
            for path in ("mirror/up/p2/acme/a.json", "api/user/7", "api/group/7"):
                self.assertEqual((404, problem(404, "Not Found")), self.missed(mounted, path))
            self.assertEqual((404, problem(404, "Not Found", refused)), self.missed(mounted, "mirror/up/x", NotAdmitted(refused)))

    def missed(self, mounted: str, path: str, error: PacketonError | None = None) -> tuple[int, Any]:
        """Return what is answered where a route raises *error*, below our root at *mounted*."""

        class Everything:
            def install(self, app: Klein) -> None:
                @app.route("/<path:path>")
                def route(request: IRequest, path: str) -> bytes:
                    raise error or NotFound("hidden")

        addresses = Addresses(public_url=None, trusted_proxies=(), trusted_hosts=())
        root: Any = PacketonResource(
            routes=[Everything()], mounts={}, addresses=addresses, clock=Clock(), access_log=None, on_answer=lambda *_: None
        )
        for name in mounted.split("/")[:0:-1]:
            above = Resource()
            above.putChild(name.encode(), root)
            root = above
        wire = Wire(root)
        try:
            answer = wire.ask("GET", f"{mounted}/{path}")
        finally:
            wire.close()
        return answer.status, answer.json()

    def test_routing(self) -> None:
        """An address that no route knows, a method that none takes, and a fault of ours are problems too."""
        app = Klein()
        install(app)

        @app.route("/broken", methods=["GET"])
        def broken(request: IRequest) -> bytes:
            raise ZeroDivisionError("of a secret")

        wire = Wire(app.resource())
        self.addCleanup(wire.close)
        for method, path, expected in (
            ("GET", "/nowhere", problem(404, "Not Found")), ("PATCH", "/broken", problem(405, "Method Not Allowed")),
            ("GET", "/broken", {**problem(500, "Internal Server Error"), "warning": "Internal Server Error"}),
        ):  # fmt: skip
            answer = wire.ask(method, path)
            self.assertEqual((expected["status"], expected), (answer.status, answer.json()))
            self.assertEqual("application/json", answer.headers["content-type"])
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
