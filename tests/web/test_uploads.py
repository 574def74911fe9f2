"""Uploads on their way to the disk: bodies, forms, and what is left when they break off."""

import errno
import io
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest

from packeton.adapters.files import DirectoryStore
from packeton.errors import Denied, UpstreamBusy
from packeton.web import errors
from packeton.web.server import PacketonSite
from packeton.web.uploads import ReceivedForm, UploadPlaces, UploadSink, receive
from tests.support.scripted import immediately

PATH = b"/packages/upload/acme/a/1.0.0"


class UploadTests(SynchronousTestCase):
    """A site with one route that takes uploads of at most 1000 bytes."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        numbers = count()
        self.store = DirectoryStore(Path(holder.name) / "library", lambda: f"draft{next(numbers)}")
        self.places = UploadPlaces(self.store, 1000, at_once=2)
        self.received: list[ReceivedForm] = []
        self.waiting: Deferred[None] | None = None
        app = Klein()
        errors.install(app)

        @app.route("/packages/upload/<vendor>/<name>/<version>", methods=["PUT", "POST"])
        async def upload(request: IRequest, **_: str) -> bytes:
            if request.requestHeaders.hasHeader(b"x-nobody"):
                raise Denied("not you")
            form = await receive(request, self.store, immediately, field="package")
            self.received.append(form)
            return b"taken"

        resource: Any = app.resource()
        resource.uploads = self.places
        self.site = PacketonSite(resource)
        self.site.resource = resource
        self.clock = Clock()

    def connect(self) -> tuple[Any, StringTransport, Callable[[], None]]:
        protocol: Any = self.site.buildProtocol(None)  # type: ignore[arg-type]
        channel = getattr(protocol, "_channel", protocol)
        channel.callLater = self.clock.callLater
        transport = StringTransport()
        transport.abortConnection = lambda: None  # type: ignore[attr-defined, method-assign]
        protocol.makeConnection(transport)
        return protocol, transport, lambda: protocol.connectionLost(Failure(ConnectionError()))

    def send(self, body: bytes, *, method: bytes = b"PUT", kind: bytes = b"application/zip", path: bytes = PATH, parts: int = 3) -> bytes:
        """Send a request in pieces and return what came back."""
        protocol, transport, lost = self.connect()
        head = b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (method, path, kind, len(body))
        protocol.dataReceived(head)
        size = max(1, len(body) // parts)
        for at in range(0, len(body), size):
            protocol.dataReceived(body[at : at + size])
        answer = transport.value()
        lost()
        return answer

    def left(self) -> int:
        return len([path for path in self.store.root.rglob("*") if path.is_file()]) if self.store.root.exists() else 0

    def form(self, *parts: tuple[str, bytes, str | None]) -> bytes:
        lines = []
        for name, content, filename in parts:
            disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
            lines.append(f"--sep\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n")
        return b"".join(lines) + b"--sep--\r\n"

    def test_raw(self) -> None:
        """The body is the file, byte for byte; the route owns it."""
        body = bytes(range(256)) * 3
        self.assertTrue(self.send(body).startswith(b"HTTP/1.1 200"))
        self.assertEqual(body, self.received[0].file.draft.read_bytes())
        self.assertEqual(1, self.left())

    def test_form(self) -> None:
        """The file and the fields beside it, for PUT and POST; boundaries inside the file do not count."""
        content = b"PK\r\n--sepp\r\n--se" + b"\0" * 500
        body = self.form(("src-type", b"git", None), ("package", content, "a b.zip"), ("src-ref", "ü".encode(), None), ("other", b"x", "o.zip"))
        for method in (b"PUT", b"POST"):
            answer = self.send(body, method=method, kind=b"multipart/form-data; boundary=sep", parts=17)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
            form = self.received.pop()
            self.assertEqual((content, "a b.zip"), (form.file.draft.read_bytes(), form.file.name))
            self.assertEqual({"src-type": "git", "src-ref": "ü"}, form.fields)
            form.file.draft.unlink()
        self.assertEqual(0, self.left())

    def test_bad_forms(self) -> None:
        """400, and nothing is left."""
        good = self.form(("package", b"x" * 100, "a.zip"))
        for body, kind in (
            (self.form(("file", b"x", "a.zip")), b"multipart/form-data; boundary=sep"),
            (good[:-30], b"multipart/form-data; boundary=sep"),
            (good, b"multipart/form-data; boundary=other"),
            (good, b"multipart/form-data"),
            (self.form(*((f"f{number}", b"", None) for number in range(60))), b"multipart/form-data; boundary=sep"),
        ):
            answer = self.send(body[:1000], kind=kind)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer)
        self.assertEqual(0, self.left())

    def begin(self, fields: bytes = b"", length: int = 900) -> tuple[Any, StringTransport, Callable[[], None]]:
        """Send the head of an upload, and let the route see it."""
        protocol, transport, lost = self.connect()
        protocol.dataReceived(b"PUT %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n" % (PATH, fields, length))
        self.assertEqual("paused", transport.producerState)
        self.clock.advance(0)
        return protocol, transport, lost

    def test_refused_early(self) -> None:
        """Who may not is told so before the body came, and without being asked for it; then the connection ends."""
        for expect in (b"", b"Expect: 100-continue\r\n"):
            protocol, transport, lost = self.begin(b"X-Nobody: 1\r\n" + expect)
            answer = transport.value()
            self.assertTrue(answer.startswith(b"HTTP/1.1 403"), answer)
            self.assertIn(b"\r\nConnection: close\r\n", answer)
            self.assertEqual(("producing", 0), (transport.producerState, self.left()))
            protocol.dataReceived(b"z" * 900 + b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual((answer, False), (transport.value(), transport.disconnecting))
            self.clock.advance(1)
            self.assertTrue(transport.disconnecting)
            lost()
        protocol, _, lost = self.begin(b"X-Nobody: 1\r\n")
        lost()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_continue(self) -> None:
        """Who may is asked for the body once, and the connection goes on."""
        protocol, transport, lost = self.begin(b"Expect: 100-continue\r\n", 5)
        self.assertEqual((b"HTTP/1.1 100 Continue\r\n\r\n", "producing"), (transport.value(), transport.producerState))
        transport.clear()
        protocol.dataReceived(b"12345" + b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n67" % PATH)
        self.assertEqual(2, transport.value().count(b"HTTP/1.1 200"))
        self.assertEqual([b"12345", b"67"], [form.file.draft.read_bytes() for form in self.received])
        lost()

    def test_too_large(self) -> None:
        """413 as soon as it is known; nothing is left."""
        _, transport, lost = self.begin(b"Expect: 100-continue\r\n", 1001)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 413"), transport.value())
        lost()
        protocol, transport, lost = self.connect()
        protocol.dataReceived(b"PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % PATH)
        self.clock.advance(0)
        for _ in range(5):
            self.assertEqual(b"", transport.value())
            protocol.dataReceived(b"fa\r\n" + b"y" * 250 + b"\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 413"), transport.value())
        protocol.dataReceived(b"0\r\n\r\n")
        self.assertEqual(1, transport.value().count(b"HTTP/1.1"))
        lost()
        self.assertEqual(([], 0), (self.received, self.left()))

    def test_too_large_elsewhere(self) -> None:
        """A body that no route takes is refused by its length, too."""
        protocol, transport, lost = self.connect()
        protocol.dataReceived(b"POST /p2/acme/a.json HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (65 << 20))
        self.clock.advance(0)
        self.assertIn(b"\r\nConnection: close\r\n", transport.value())
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 404"), transport.value())  # a resource of ours says 413
        lost()

    def test_cut_off(self) -> None:
        """An upload that ends half-way leaves nothing, and its place is free again."""
        for _ in range(5):
            protocol, _, lost = self.connect()
            protocol.dataReceived(b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" % PATH + b"z" * 500)
            self.assertEqual(1, self.left())
            lost()
            self.assertEqual(0, self.left())
        self.assertEqual([], self.received)

    def test_full_disk(self) -> None:
        """An upload that cannot be written is answered, also where the disk says so late; its place is free again."""

        class Full(io.BytesIO):
            def write(self, data: Any) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

        class Late(io.BytesIO):
            def flush(self) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            def close(self) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

        for file in (Full, Full, Full, Late, Late):
            self.patch(Path, "open", lambda *_, file=file: file())
            answer = self.send(b"z" * 900)
            self.assertTrue(answer.startswith(b"HTTP/1.1 500"), answer)
        self.assertEqual(0, self.left())

    def test_malformed(self) -> None:
        """A body or head that cannot be read is answered once, also while a route waits; nothing is left."""
        chunked = b"PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" % PATH
        for pieces in ((chunked + b"\r\nzz\r\n",), (chunked + b"\r\n3\r\nabc\r\n", b"zz\r\n"), (chunked + b"Content-Length: 5\r\nA: b\r\nC: d\r\n\r\n0\r\n\r\n",)):
            protocol, transport, lost = self.connect()
            for piece in pieces:
                protocol.dataReceived(piece)
                self.clock.advance(0)
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 400"), transport.value())
            self.assertEqual((1, 0), (transport.value().count(b"HTTP/1.1"), self.left()))
            self.clock.advance(1)
            self.assertTrue(transport.disconnecting)
            lost()
        self.assertEqual([], self.received)

    def test_other_paths(self) -> None:
        """Only uploads go to the library; no more than so many at once."""
        def sink(method: bytes, path: bytes, length: int | None = 10) -> UploadSink | None:
            return self.places.sink(method, path, length, lambda: None)

        for method, path in ((b"GET", PATH), (b"PUT", b"/p2/acme/a.json"), (b"PUT", b"/packages/upload/acme/a")):
            self.assertIsNone(sink(method, path))
        first, second, third = (sink(b"PUT", b"/prefix/api" + PATH) for _ in range(3))
        assert first is not None
        assert second is not None
        assert third is not None
        self.failureResultOf(Deferred.fromCoroutine(third.arrive()), UpstreamBusy)
        for one in (first, second, third):
            one.close()
            one.close()
        last = sink(b"POST", b"/archive/upload?x=1", None)
        assert last is not None
        self.assertNoResult(Deferred.fromCoroutine(last.arrive()))
        last.close()
