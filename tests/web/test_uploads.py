"""Uploads on their way to the disk: bodies, forms, and what is left when they break off."""

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
from packeton.web import errors
from packeton.web.server import PacketonSite
from packeton.web.uploads import ReceivedForm, UploadPlaces, receive
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

    def test_too_large(self) -> None:
        """413 for a body that is too large, whether it says so or not; nothing is left."""
        self.assertTrue(self.send(b"x" * 1001).startswith(b"HTTP/1.1 413"))
        protocol, transport, lost = self.connect()
        protocol.dataReceived(b"PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % PATH)
        for _ in range(5):
            protocol.dataReceived(b"fa\r\n" + b"y" * 250 + b"\r\n")
        protocol.dataReceived(b"0\r\n\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 413"), transport.value())
        lost()
        self.assertEqual(([], 0), (self.received, self.left()))

    def test_cut_off(self) -> None:
        """An upload that ends half-way leaves nothing, and its place is free again."""
        for _ in range(5):
            protocol, _, lost = self.connect()
            protocol.dataReceived(b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" % PATH + b"z" * 500)
            self.assertEqual(1, self.left())
            lost()
            self.assertEqual(0, self.left())
        self.assertEqual([], self.received)

    def test_other_paths(self) -> None:
        """Only uploads go to the library; no more than so many at once."""
        for method, path in ((b"GET", PATH), (b"PUT", b"/p2/acme/a.json"), (b"PUT", b"/packages/upload/acme/a")):
            self.assertIsNone(self.places.sink(method, path, 10))
        sinks = [self.places.sink(b"PUT", b"/prefix/api" + PATH, 10) for _ in range(3)]
        self.assertEqual([False, False, True], [sink is None for sink in sinks])
        for sink in sinks[:2]:
            assert sink is not None
            sink.close()
            sink.close()
        last = self.places.sink(b"POST", b"/archive/upload?x=1", None)
        assert last is not None
        last.close()
