"""A proxy mount on real sockets: what the conformance suite does not ask."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast
from unittest import TestCase

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from packeton.features.proxying.exchange import Exchange, ProxyRequest
from packeton.web.proxies import ProxyResource
from tests.support.client import Answer, fetch
from tests.support.origin import Fault, Origin
from tests.support.server import Server

BIG = bytes(range(256)) * 8192


class BrokenExchange:
    """Fails as only a programming error does."""

    async def answer(self, request: ProxyRequest) -> Any:
        raise ZeroDivisionError


class BrokenTests(SynchronousTestCase):
    """A mistake of our own."""

    def test_answered(self) -> None:
        """It is logged, and the client gets a 500 instead of silence."""
        request = DummyRequest([b"x"])
        request.prepath, request.uri, request.content, request.startedWriting = [b"files"], b"/files/x", None, False
        ProxyResource(cast("Exchange", BrokenExchange()), Clock()).render(request)
        self.assertEqual((500, 1), (request.responseCode, request.finished))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class ProxyTests(TestCase):
    """One origin below /files."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.origin = Origin([]).start()
        cls.addClassCleanup(cls.origin.stop)
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        settings = {"proxies": {"f": {"url": f"{cls.origin.url}/base", "path": "/files"}}}
        cls.server = Server(Path(holder.name) / "s", settings).start()
        cls.addClassCleanup(cls.server.stop)
        cls.origin.extra["/base/x"] = ("text/plain", b"hello")
        cls.origin.extra["/base/big"] = ("application/octet-stream", BIG)

    def setUp(self) -> None:
        self.origin.faults.clear()
        self.origin.log.clear()

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return fetch(f"{self.server.url}/files{path}", method, fields, body)

    def fresh(self, path: str, cache_control: str = "max-age=60", **fault: object) -> None:
        """Let the origin's answers for *path* carry a Cache-Control."""
        self.origin.fault(f"/base{path}", Fault("as it is", times=None, headers={"Cache-Control": cache_control}))

    def test_path_and_query(self) -> None:
        """Path and query reach the origin as they came."""
        self.get("/a%2Fb/%C3%A9?q=%20&r=a+b")
        self.assertEqual("/base/a%2Fb/%C3%A9?q=%20&r=a+b", self.origin.log[0][1])

    def test_fresh_and_ranges(self) -> None:
        """A fresh response is served from the store, whole and in parts, with its age."""
        self.fresh("/big")
        self.assertEqual(BIG, self.get("/big").body)
        part = self.get("/big", Range="bytes=1000-1003")
        self.assertEqual((206, BIG[1000:1004]), (part.status, part.body))
        self.assertIn("age", part.headers)
        self.assertEqual(1, self.origin.count("/base/big"))

    def test_head(self) -> None:
        """HEAD says what GET would, whether it comes from the origin or from the store."""
        self.origin.extra["/base/headed"] = ("application/octet-stream", BIG)
        self.fresh("/headed")
        heads = [self.get("/headed", "HEAD")]
        self.get("/headed")
        heads.append(self.get("/headed", "HEAD"))
        for head in heads:
            self.assertEqual((200, b"", str(len(BIG))), (head.status, head.body, head.headers["content-length"]))
        self.assertEqual(["HEAD", "GET"], [method for method, _, _ in self.origin.log])

    def test_authorization_is_not_shared(self) -> None:
        """What one got with credentials, another does not get from the store."""
        self.fresh("/x")
        for _ in range(2):
            self.assertEqual(b"hello", self.get("/x", Authorization="Basic dTpw").body)
        self.get("/x")
        self.assertEqual(3, self.origin.count("/base/x"))
        self.assertEqual("Basic dTpw", self.origin.log[0][2]["Authorization"])
        self.assertNotIn("Authorization", self.origin.log[2][2])

    def test_crowd(self) -> None:
        """Thirty that ask at once for something slow and cacheable cause one request."""
        self.origin.extra["/base/slow"] = ("application/octet-stream", BIG)
        fault = Fault("slow", at=4 << 20, times=None, headers={"Cache-Control": "max-age=60"})
        self.origin.fault("/base/slow", fault)
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _: self.get("/slow"), range(30)))
        self.assertEqual({BIG}, {answer.body for answer in answers})
        self.assertEqual(1, self.origin.count("/base/slow"))

    def test_behind_and_errors(self) -> None:
        """Stale while it is revalidated, and stale when that fails, as the origin allows."""
        self.origin.extra["/base/behind"] = ("text/plain", b"hello")
        self.fresh("/behind", "max-age=1, stale-while-revalidate=30, stale-if-error=60")
        self.get("/behind")
        time.sleep(1.2)
        began = time.monotonic()
        self.origin.fault("/base/behind", Fault("status", at=503, times=None))
        self.assertEqual(b"hello", self.get("/behind").body)
        self.assertLess(time.monotonic() - began, 5)
        time.sleep(0.3)
        self.assertEqual(2, self.origin.count("/base/behind"))
        self.assertEqual(b"hello", self.get("/behind", Cache_Control="max-age=0").body)

    def test_post(self) -> None:
        """A body goes through; a success forgets what was stored."""
        self.fresh("/downloads/")
        self.origin.extra["/base/downloads/"] = ("text/plain", b"list")
        self.get("/downloads/")
        self.assertEqual(201, self.get("/downloads/", "POST", b"x" * 100_000).status)
        self.assertEqual(b"x" * 100_000, self.origin.posted[-1])
        self.get("/downloads/")
        self.assertEqual(2, [method for method, path, _ in self.origin.log].count("GET"))

    def test_failures(self) -> None:
        """A dead or broken origin is a 502; a body that breaks off is never whole."""
        self.origin.fault("/base/x", Fault("reset", times=None))
        self.assertEqual(502, self.get("/x", Cache_Control="no-cache").status)
        self.origin.extra["/base/cut"] = ("application/octet-stream", BIG)
        self.origin.fault("/base/cut", Fault("cut", at=1 << 20, times=None))
        self.assertFalse(self.get("/cut").complete)
        self.origin.faults.clear()
        self.assertEqual(BIG, self.get("/cut").body)

    def test_elsewhere(self) -> None:
        """Beside the mount nothing of it is reached."""
        self.assertEqual(404, fetch(f"{self.server.url}/filesx").status)
        self.assertEqual(404, fetch(self.server.url, path="/f%69les/x").status)
