"""What the server makes of heads that few clients send."""

import re
from typing import Any

from klein import Klein
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from packeton.web import errors
from packeton.web.addresses import Addresses, IMountPoint, MountPoint
from packeton.web.server import PacketonSite


class HeadTests(SynchronousTestCase):
    """A site that tells the address it was reached under."""

    def answer(self, head: str, place: Any = IPv4Address("TCP", "192.0.2.1", 8080)) -> str:  # noqa: B008  # a value
        app = Klein()
        errors.install(app)

        @app.route("/where", methods=["GET"])
        def where(request: Any) -> bytes:
            request.setComponent(IMountPoint, MountPoint(""))
            return Addresses(public_url=None, trusted_proxies=(), trusted_hosts=()).base_url(request).encode()

        protocol: Any = PacketonSite(app.resource()).buildProtocol(None)
        transport = StringTransport(hostAddress=place)
        transport.abortConnection = lambda: None  # type: ignore[method-assign]
        protocol.makeConnection(transport)
        protocol.dataReceived(f"{head}\r\n\r\n".encode())
        answer = transport.value().decode()
        protocol.connectionLost(Failure(ConnectionError()))
        return " ".join([answer.split(" ")[1], *re.findall(r"http://\S+", answer)])

    def test_absolute_target(self) -> None:
        """Its host counts, not the Host field's; what follows the host is the path."""
        self.assertEqual(self.answer("GET http://a.example/where HTTP/1.1\r\nHost: b.example"), "200 http://a.example")
        self.assertEqual(self.answer("GET HTTP://a.example:81/where?x=/ HTTP/1.1\r\nHost: b"), "200 http://a.example:81")
        self.assertEqual(self.answer("GET http://a.example HTTP/1.1\r\nHost: b.example")[:3], "404")
        self.assertEqual(self.answer("GET http://a@b.example/where HTTP/1.1\r\nHost: b.example")[:3], "400")

    def test_two_hosts(self) -> None:
        """Which of them counts nobody can know: refused."""
        self.assertEqual(self.answer("GET /where HTTP/1.1\r\nHost: a.example\r\nHost: b.example"), "400")

    def test_no_host(self) -> None:
        """HTTP/1.0 need not name one: the address that was reached counts. HTTP/1.1 must."""
        self.assertEqual(self.answer("GET /where HTTP/1.0"), "200 http://192.0.2.1:8080")
        self.assertEqual(self.answer("GET /where HTTP/1.0\r\nHost: a.example"), "200 http://a.example")
        self.assertEqual(self.answer("GET /where HTTP/1.0", IPv6Address("TCP", "2001:db8::1", 80)), "200 http://[2001:db8::1]:80")
        self.assertEqual(self.answer("GET /where HTTP/1.1")[:3], "400")
