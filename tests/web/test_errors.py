"""What clients are told about what went wrong."""

import json

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from packeton.errors import Invalid, NotFound, StorageFailed
from packeton.web.errors import send_failure


class ErrorTests(SynchronousTestCase):
    """The body of an error."""

    def test_storage(self) -> None:
        """Where the database is, and what it says, is for the log alone."""
        request = DummyRequest([b"x"])
        document = json.loads(send_failure(request, StorageFailed("connection to 10.1.2.3 refused for user root")))
        self.assertEqual((500, "error"), (request.responseCode, document["status"]))
        self.assertNotIn("10.1.2.3", json.dumps(document))
        self.assertIn("log", document["warning"])

    def test_plain(self) -> None:
        """What the client did wrong is told; what it may not see is not there."""
        for error, status, message in ((Invalid("a: b"), 400, "a: b"), (NotFound("hidden"), 404, "Not Found")):
            request = DummyRequest([b"x"])
            self.assertEqual(message, json.loads(send_failure(request, error))["message"])
            self.assertEqual(status, request.responseCode)
