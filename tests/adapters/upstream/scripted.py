"""A scripted server on a real socket, a client for it, and certificates: what the tests of this folder share."""

import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography.hazmat.primitives import serialization
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from packeton.adapters.upstream.http import HttpClient, HttpTransport
from packeton.config.settings import UpstreamSettings
from packeton.core.composer.credentials import Credentials
from packeton.errors import PacketonError
from packeton.features.caching.bodies import read_body
from packeton.interfaces.upstream import IBodyReceiver, UpstreamRequest
from tests.support.certificates import make_certificate

SECOND = dt.timedelta(seconds=1)


class _Script(Protocol):
    """Reads request heads and answers them as told."""

    def connectionMade(self) -> None:
        self.factory.open.add(self)
        self._data = b""

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.open.discard(self)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self.factory.heads.append(head.decode())
            self.factory.answer(self, head.split(b" ")[1].decode())


class Scripted(Factory):
    """A server whose answers are raw bytes by path; a callable gets the protocol."""

    protocol = _Script
    noisy = False

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[Protocol], None]] = {}
        self.heads: list[str] = []
        self.open: set[Protocol] = set()

    def answer(self, protocol: Any, path: str) -> None:
        answer = self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        if callable(answer):
            answer(protocol)
        else:
            protocol.transport.write(answer)

    def field(self, index: int, name: str) -> str | None:
        for line in self.heads[index].splitlines()[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


def ok(body: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields, b"", body])


def redirect(url: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


async def until(fact: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for *fact*."""
    for _ in range(int(seconds / 0.01)):
        if fact():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it did not come to pass")


@implementer(IBodyReceiver)
@define(eq=False)
class Taker:
    """Takes a body; `done` fires with it, or fails."""

    done: Deferred[bytes] = field(factory=Deferred)
    taken: bytearray = field(factory=bytearray)
    producer: IPushProducer | None = None

    def received(self, chunk: bytes) -> None:
        self.taken += chunk

    def ended(self, failure: Failure | None) -> None:
        if failure is None:
            self.done.callback(bytes(self.taken))
        else:
            self.done.errback(failure)


class ClientTestCase(TestCase):
    """A scripted server and a client."""

    timeout = 20

    def setUp(self) -> None:
        self.server = Scripted()
        self.port = self.listen(self.server)
        self.base = f"http://127.0.0.1:{self.port}"
        self.reports: list[tuple[str, str]] = []

    def listen(self, factory: Factory, context: Any = None) -> int:
        port = (
            reactor.listenTCP(0, factory, interface="127.0.0.1")
            if context is None
            else reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        )
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def client(
        self, credentials: Credentials | None = None, configured: tuple[str, ...] = (), environment: Any = None, **settings: Any
    ) -> HttpClient:
        transport = HttpTransport(reactor, UpstreamSettings(**settings), environment or {})
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close(transport)))
        return HttpClient(
            transport,
            credentials or Credentials(),
            configured,
            lambda host, outcome, *_: self.reports.append((host, outcome)),
        )

    async def close(self, transport: HttpTransport) -> None:
        await transport.close()
        for protocol in list(self.server.open):
            protocol.transport.abortConnection()
        await deferLater(reactor, 0.02)

    async def body(self, client: HttpClient, path: str, **request: Any) -> bytes:
        response = await client.request(UpstreamRequest(url=path if "://" in path else self.base + path, **request))
        return await read_body(response, 1 << 20)

    async def failure(self, kind: type[PacketonError], client: HttpClient, path: str, **request: Any) -> str:
        try:
            await self.body(client, path, **request)
        except kind as error:
            return str(error)
        raise AssertionError(f"no {kind.__name__}")


class TlsTestCase(ClientTestCase):
    """A certificate authority of our own, in `ca_file`."""

    def setUp(self) -> None:
        self.addCleanup(self.expect_only_known_warnings)
        super().setUp()
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.authority = make_certificate("authority", None, days=10)
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self.authority[1].public_bytes(serialization.Encoding.PEM))

    def expect_only_known_warnings(self) -> None:
        """Twisted hands pyOpenSSL objects to pyOpenSSL, which it no longer likes."""
        for warning in self.flushWarnings():
            self.assertIn("pyOpenSSL", str(warning["message"]))

    def serve(self, name: str, days: int = 10, authority: Any = None) -> int:
        key, certificate = make_certificate(name, authority or self.authority, days=days)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + certificate.public_bytes(serialization.Encoding.PEM)
        return self.listen(self.server, ssl.PrivateCertificate.loadPEM(pem).options())
