"""HTTP proxies: which one, and through it."""

from typing import Any
from unittest import TestCase

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.portforward import ProxyFactory, ProxyServer

from packeton.adapters.upstream.proxies import Proxies, Proxy
from packeton.config.settings import Secret
from packeton.core.composer.credentials import Credentials
from packeton.errors import ConfigurationInvalid, UpstreamFailed, UpstreamRefused, UpstreamTimedOut
from packeton.interfaces.upstream import UpstreamLimits, UpstreamRequest
from tests.adapters.upstream.scripted import SECOND, ClientTestCase, Taker, TlsTestCase, ok, redirect, until


def choose(environment: dict[str, str] | None = None, **settings: str | None) -> Proxies:
    return Proxies.choose(**{"http": None, "https": None, "no_proxy": None, **settings}, environment=environment or {})


class ChoiceTests(TestCase):
    """Source: curl's conventions."""

    def test_parse(self) -> None:
        """Host, port, credentials; a scheme may be missing."""
        for url, host, port in (
            ("http://proxy:3128", "proxy", 3128), ("proxy:3128", "proxy", 3128), ("http://proxy", "proxy", 80),
            ("http://u:p@[::1]:3128/", "::1", 3128),
        ):  # fmt: skip
            self.assertEqual((host, port), (Proxy.parse(url).host, Proxy.parse(url).port))
        proxy = Proxy.parse("http://us%40er:p%3Aw@proxy")
        self.assertEqual("Basic dXNAZXI6cDp3", proxy.authorization)
        self.assertNotIn("Basic", repr(proxy))

    def test_environment(self) -> None:
        """`http_proxy` in lower case only; for https both; settings go before, and an empty one means none."""
        self.assertIsNone(choose({"HTTP_PROXY": "http://evil"}).http)
        both = {"http_proxy": "a", "https_proxy": "b", "HTTPS_PROXY": "c", "no_proxy": "x", "NO_PROXY": "y"}
        proxies = choose(both)
        assert proxies.http is not None
        assert proxies.https is not None
        self.assertEqual(("a", "b", ("x",)), (proxies.http.host, proxies.https.host, proxies.no_proxy))
        upper = choose({"HTTPS_PROXY": "c", "NO_PROXY": "y"})
        assert upper.https is not None
        self.assertEqual(("c", ("y",)), (upper.https.host, upper.no_proxy))
        none = choose(both, http="", https="", no_proxy="")
        self.assertEqual((None, None, ()), (none.http, none.https, none.no_proxy))

    def test_not_a_proxy(self) -> None:
        """Refused by the name of the option or variable, without its value."""
        for url in ("socks5://tellnobody", "https://tellnobody:1", "http://u:tellnobody", "http://u:tellnobody@", "http://[tellnobody"):
            for settings, environment, where in (
                ({"http": url}, {}, "packeton.upstream.http_proxy: "), ({"https": url}, {}, "packeton.upstream.https_proxy: "),
                ({}, {"HTTPS_PROXY": url}, "HTTPS_PROXY: "),
            ):  # fmt: skip
                with self.assertRaises(ConfigurationInvalid, msg=url) as caught:
                    choose(environment, **settings)
                self.assertTrue(str(caught.exception).startswith(where), str(caught.exception))
                self.assertNotIn("tellnobody", str(caught.exception))
                self.assertIsNone(caught.exception.__cause__)

    def test_no_proxy(self) -> None:
        """`*`, hosts, domains, addresses, networks, and each with a port."""
        for patterns, host, port, direct in (
            ("*", "any.example", 80, True), ("", "any.example", 80, False), ("a.example", "a.example", 80, True),
            ("a.example", "b.a.example", 80, True), ("a.example", "ba.example", 80, False), (".a.example", "b.a.example", 80, True),
            (".a.example", "a.example", 80, True), ("x, A.Example", "a.EXAMPLE", 80, True), ("a.example:81", "a.example", 81, True),
            ("a.example:81", "a.example", 80, False), ("10.0.0.0/8", "10.1.2.3", 80, True), ("10.0.0.0/8", "11.1.2.3", 80, False),
            ("10.1.2.3", "10.1.2.3", 80, True), ("::1", "::1", 80, True), ("[::1]:81", "::1", 81, True), ("[::1]:81", "::1", 80, False),
            ("fd00::/8", "fd00::7", 80, True), (".", "a.example", 80, False), ("10.0.0.0/8", "a.example", 80, False),
        ):  # fmt: skip
            proxies = choose(http="proxy", no_proxy=patterns)
            self.assertEqual(direct, proxies.for_url("http", host, port) is None, (patterns, host, port))


class _Connect(Protocol):
    """A CONNECT proxy: forwards to the port that its factory knows."""

    data = b""
    peer: Any = None

    def connectionMade(self) -> None:
        self.factory.open.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.open.discard(self)
        if self.peer is not None:
            self.peer.connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.dataReceived(data)
            return
        self.data += data
        if b"\r\n\r\n" not in self.data:
            return
        self.factory.heads.append(self.data.decode())
        if not self.factory.mute:
            self.peer = ProxyServer()
            self.peer.factory = ProxyFactory("127.0.0.1", self.factory.target)
            self.transport.write(b"HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n")
            self.peer.makeConnection(self.transport)


class Connecting(Factory):
    protocol = _Connect
    noisy = False

    def __init__(self, target: int) -> None:
        self.target = target
        self.mute = False
        self.heads: list[str] = []
        self.open: set[Protocol] = set()


class TunnelTests(TlsTestCase):
    """https through CONNECT."""

    def setUp(self) -> None:
        super().setUp()
        self.connecting = Connecting(self.serve("upstream.example"))
        self.proxy = Secret(f"http://u:p@127.0.0.1:{self.listen(self.connecting)}")

    async def test_through(self) -> None:
        """TLS inside the tunnel is verified by the name of the other side, which never sees the proxy's credentials."""
        self.server.answers["/x"] = ok(b"z" * 3_000_000)
        credentials = Credentials.gather(url="https://a:b@upstream.example")
        client = self.client(credentials, ca_file=self.ca_file, https_proxy=self.proxy)
        response = await client.request(UpstreamRequest(url="https://upstream.example/x"))
        taker = Taker()
        producer = response.deliver(taker)
        producer.pauseProducing()
        reactor.callLater(0.1, producer.resumeProducing)
        self.assertEqual(3_000_000, len(await taker.done))
        self.assertEqual(3_000_000, len(await self.body_of(client, "https://upstream.example/x")))
        (head,) = self.connecting.heads
        self.assertTrue(head.startswith("CONNECT upstream.example:443 HTTP/1.1\r\nHost: upstream.example:443\r\n"), head)
        self.assertIn("Proxy-Authorization: Basic dTpw\r\n", head)
        self.assertNotIn("Basic YTpi", head)
        self.assertEqual(["Basic YTpi"] * 2, [self.server.field(index, "Authorization") for index in (0, 1)])
        self.assertIsNone(self.server.field(0, "Proxy-Authorization"))

    async def body_of(self, client: Any, url: str) -> bytes:
        taker = Taker()
        (await client.request(UpstreamRequest(url=url))).deliver(taker)
        return await taker.done

    async def test_wrong_name(self) -> None:
        """A proxy cannot put another server in the place of the one that was asked for."""
        client = self.client(ca_file=self.ca_file, https_proxy=self.proxy)
        message = await self.failure(UpstreamFailed, client, "https://other.example/x")
        self.assertIn("it is for another name", message)
        self.assertEqual([], self.server.heads)

    async def test_mute(self) -> None:
        """A proxy that does not answer costs the time limit, and its connection is closed."""
        self.connecting.mute = True
        client = self.client(ca_file=self.ca_file, https_proxy=self.proxy)
        limits = UpstreamLimits(response_timeout=SECOND)
        await self.failure(UpstreamTimedOut, client, "https://upstream.example/x", limits=limits)
        self.assertEqual(1, len(self.connecting.heads))
        await until(lambda: not self.connecting.open)

    async def test_mute_until_the_stop(self) -> None:
        """Closing the transport closes such a connection too."""
        self.connecting.mute = True
        client = self.client(ca_file=self.ca_file, https_proxy=self.proxy)
        asked = Deferred.fromCoroutine(client.request(UpstreamRequest(url="https://[2001:db8::1]/x")))
        await until(lambda: bool(self.connecting.heads))
        await client._transport.close()
        await self.assertFailure(asked, UpstreamFailed)
        await until(lambda: not self.connecting.open)
        self.assertIn("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n", self.connecting.heads[0])

    async def test_refused_and_odd(self) -> None:
        """What the proxy answers instead is told; a proxy that is not there, too."""
        proxy = Secret(f"http://127.0.0.1:{self.port}")
        for answer, told in (
            (b"HTTP/1.1 407 Who?\r\n\r\n", "the proxy answered 407"), (b"SSH-2.0-x\r\n\r\n", "something that is no HTTP"),
            (b"x" * 9000, "something that is no HTTP"), (lambda other: other.transport.loseConnection(), "the proxy closed"),
        ):  # fmt: skip
            self.server.answers["upstream.example:443"] = answer
            message = await self.failure(UpstreamFailed, self.client(https_proxy=proxy), "https://upstream.example/x")
            self.assertIn(told, message)
        message = await self.failure(UpstreamFailed, self.client(https_proxy=Secret("127.0.0.1:1")), "https://upstream.example/x")
        self.assertIn("connection refused", message)
        await until(lambda: not self.server.open)

    async def test_no_redirect_into_the_private(self) -> None:
        """A redirect to a private address is not carried to the proxy either."""
        self.server.answers["/x"] = redirect("https://169.254.169.254/latest")
        client = self.client(ca_file=self.ca_file, https_proxy=self.proxy)
        await self.failure(UpstreamRefused, client, "https://upstream.example/x")
        self.assertEqual(1, len(self.connecting.heads))


class PlainTests(ClientTestCase):
    """http in absolute form."""

    async def test_one_connection(self) -> None:
        """The connection to the proxy is kept, for all hosts; an empty query and a fragment stay what they are."""
        client = self.client(http_proxy=Secret(f"http://u:p@127.0.0.1:{self.port}"))
        for url in ("http://a.example/x?", "http://b.example:81/y", "http://[2001:db8::1]/z"):
            self.server.answers[url] = ok(b"proxied")
            self.assertEqual(b"proxied", await self.body(client, url + "#fragment"))
            self.assertEqual(b"proxied", await self.body(client, url, decode=False))
        self.assertEqual(1, len(self.server.open))
        self.assertEqual("b.example:81", self.server.field(2, "Host"))

    async def test_no_redirect_into_the_private(self) -> None:
        """As for https; a name is the proxy's to resolve."""
        self.server.answers["http://a.example/x"] = redirect("http://127.1/latest")
        self.server.answers["http://a.example/y"] = redirect("http://b.example/y")
        self.server.answers["http://b.example/y"] = ok(b"there")
        client = self.client(http_proxy=Secret(f"127.0.0.1:{self.port}"))
        self.assertIn("the address is private", await self.failure(UpstreamRefused, client, "http://a.example/x"))
        self.assertEqual(b"there", await self.body(client, "http://a.example/y"))
