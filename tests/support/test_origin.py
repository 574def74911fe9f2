"""The origin misbehaves exactly as its faults are named; else it is a good one."""

import http.client
import io
import time
import zipfile
from unittest import TestCase

from tests.support.client import Answer, fetch
from tests.support.origin import Fault, Origin, Package, make_zip

FOO = Package("acme/foo", "1.0.0", make_zip("acme/foo", "foo", 20_000))


class OriginTests(TestCase):
    """Asked by a plain client."""

    def setUp(self) -> None:
        self.origin = Origin([FOO]).start()
        self.addCleanup(self.origin.stop)
        self.path = self.origin.zip_path(FOO)

    def get(self, path: str = "", timeout: float = 5, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return fetch(self.origin.url + (path or self.path), headers=fields, timeout=timeout)

    def broken(self, kind: str, at: int = 0, **more: object) -> Answer:
        self.origin.fault(self.path, Fault(kind, at=at, **more))  # type: ignore[arg-type]
        answer = self.get()
        self.assertEqual(FOO.content, self.get().body)
        return answer

    def test_good(self) -> None:
        """Metadata leads over a redirect to the zip; validators and ranges work; all is counted."""
        listed = self.get("/p2/acme/foo.json").json()["packages"]["acme/foo"]
        self.assertEqual(self.origin.url + self.origin.api_path(FOO), listed[0]["dist"]["url"])
        self.assertEqual(self.origin.url + self.path, self.get(self.origin.api_path(FOO)).headers["location"])
        whole = self.get()
        self.assertEqual((200, FOO.content), (whole.status, whole.body))
        self.assertEqual(304, self.get(If_Modified_Since=whole.headers["last-modified"]).status)
        part = self.get(Range="bytes=100-", If_Range=whole.headers["etag"])
        self.assertEqual((206, FOO.content[100:]), (part.status, part.body))
        self.assertEqual(200, self.get(Range="bytes=100-", If_Range='"other"').status)
        self.assertEqual(4, self.origin.count(self.path))
        self.assertEqual("gzip", self.get("/p2/acme/foo.json", Accept_Encoding="gzip").headers["content-encoding"])

    def test_zip(self) -> None:
        """The same bytes each time, other ones for another seed, and a zip."""
        self.assertEqual(FOO.content, make_zip("acme/foo", "foo", 20_000))
        self.assertNotEqual(FOO.content, make_zip("acme/foo", "fox", 20_000))
        self.assertIsNone(zipfile.ZipFile(io.BytesIO(FOO.content)).testzip())

    def test_whole_but_wrong(self) -> None:
        """flip, short, html, body, status and redirect are complete answers."""
        flipped = self.broken("flip", 100)
        self.assertEqual(1, sum(one != two for one, two in zip(flipped.body, FOO.content, strict=True)))
        for answer, status, body in (
            (self.broken("short", 50), 200, FOO.content[:50]),
            (self.broken("body", body=b"[]"), 200, b"[]"),
            (self.broken("status", 503, headers={"Retry-After": "7"}), 503, b"no"),
            (self.broken("redirect", body=b"http://10.0.0.1/"), 302, b""),
            (self.broken("chunked", 1000), 200, FOO.content),
        ):
            self.assertEqual((status, body, True), (answer.status, answer.body, answer.complete))
        self.assertIn(b"<html>", self.broken("html").body)

    def test_broken_off(self) -> None:
        """cut, cut-chunked and long end early; reset gives no answer."""
        for kind in ("cut", "cut-chunked"):
            answer = self.broken(kind, 5000)
            self.assertEqual((200, False), (answer.status, answer.complete))
        self.assertFalse(self.broken("long").complete)
        self.origin.fault(self.path, Fault("reset"))
        with self.assertRaises((ConnectionError, http.client.RemoteDisconnected)):
            self.get()

    def test_slow(self) -> None:
        """hang and stall say nothing more; slow takes its time; stopping the origin ends them."""
        for kind in ("hang", "stall"):
            self.origin.fault(self.path, Fault(kind, at=5000))
            with self.assertRaises(TimeoutError):
                self.get(timeout=0.2)
        began = time.monotonic()
        self.assertEqual(FOO.content, self.broken("slow", 100_000).body)
        self.assertGreater(time.monotonic() - began, 0.15)

    def test_for_good(self) -> None:
        """A fault without a number of times stays; several are taken in turn."""
        self.origin.fault(self.path, Fault("status", at=500, times=None))
        self.assertEqual([500] * 3, [self.get().status for _ in range(3)])
        self.origin.fault(self.path, Fault("status", at=500), Fault("status", at=502))
        self.assertEqual([500, 502, 200], [self.get().status for _ in range(3)])

    def test_stopped(self) -> None:
        """A stopped origin ends its connections and refuses new ones, until it is started again at the same port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.origin.port, timeout=5)
        self.addCleanup(connection.close)
        connection.request("GET", self.path)
        self.assertEqual(FOO.content, connection.getresponse().read())
        self.origin.stop()
        connection.auto_open = False
        with self.assertRaises((OSError, http.client.HTTPException)):
            connection.request("GET", self.path)
            connection.getresponse()
        with self.assertRaises(OSError):
            self.get()
        self.origin.start()
        self.assertEqual(FOO.content, self.get().body)
