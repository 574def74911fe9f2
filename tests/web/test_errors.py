"""What clients are told about what went wrong."""

import json
from typing import Any

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest
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
from packeton.web.errors import install, send_failure
from tests.support.wire import Wire

TYPE = "https://tools.ietf.org/html/rfc2616#section-10"


def problem(status: int, title: str, detail: str | None = None) -> dict[str, Any]:
    """Return a problem report as the reference has it."""
    return {"status": status, "detail": detail or title, "title": title, "type": TYPE}


class ErrorTests(SynchronousTestCase):
    """The body of an error."""

    def told(self, error: PacketonError, *path: bytes) -> tuple[int, Any]:
        """Return status and body."""
        request = DummyRequest(list(path or (b"x",)))
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
        plain = {"status": "error", "message": "Not Found"}
        for path in ((b"p2", b"acme", b"a.json"), (b"packages", b"acme", b"a.json"), (b"zipball",), (b"api", b"packages")):
            self.assertEqual((404, plain), self.told(NotFound("hidden"), *path))
        for path in ((b"mirror", b"up", b"p2"), (b"api", b"user", b"7"), (b"api", b"group", b"7")):
            self.assertEqual((404, problem(404, "Not Found")), self.told(NotFound("hidden"), *path))
        refused = self.told(NotAdmitted("acme/a is not approved yet"), b"mirror", b"up")
        self.assertEqual((404, problem(404, "Not Found", "acme/a is not approved yet")), refused)

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
