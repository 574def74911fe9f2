"""HttpClient on real sockets: limits, redirects, credentials, proxies, TLS."""

import gzip
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from packeton.config.settings import Secret
from packeton.core.composer.credentials import Credentials
from packeton.errors import BadContent, UpstreamBusy, UpstreamFailed, UpstreamRefused, UpstreamTimedOut
from packeton.features.caching.bodies import read_body
from packeton.interfaces.upstream import UpstreamLimits, UpstreamRequest
from tests.adapters.upstream.scripted import SECOND, ClientTestCase, Scripted, Taker, TlsTestCase, ok, redirect


class ExchangeTests(ClientTestCase):
    """One request and its answer."""

    async def test_answer(self) -> None:
        """Status, fields, length and body; a contactable User-Agent; a kept connection."""
        self.server.answers["/x"] = ok(b"hello", b'ETag: "a"')
        client = self.client()
        response = await client.request(UpstreamRequest(url=f"{self.base}/x?token=t"))
        self.assertEqual(404, response.status)
        response.abort()
        response = await client.request(UpstreamRequest(url=f"{self.base}/x"))
        self.assertEqual((200, 5, f"{self.base}/x"), (response.status, response.length, response.url))
        self.assertIn(("etag", '"a"'), [(name.lower(), value) for name, value in response.headers])
        self.assertEqual(b"hello", await read_body(response, 10))
        self.assertRegex(str(self.server.field(0, "User-Agent")), r"^packeton/\S+ \(\+https?://")
        self.assertEqual(1, len(self.server.open))
        self.assertEqual([("127.0.0.1", "404"), ("127.0.0.1", "200")], self.reports)

    async def test_codings(self) -> None:
        """gzip is undone for those who want it, and left alone for those who do not."""
        coded = gzip.compress(b"hello")
        self.server.answers["/x"] = ok(coded, b"Content-Encoding: gzip")
        self.assertEqual(b"hello", await self.body(self.client(), "/x"))
        self.assertEqual(coded, await self.body(self.client(), "/x", decode=False))

    async def test_no_cookies(self) -> None:
        """Cookies of an answer are not sent back."""
        self.server.answers["/x"] = ok(b"", b"Set-Cookie: a=b")
        client = self.client()
        await self.body(client, "/x")
        await self.body(client, "/x")
        self.assertIsNone(self.server.field(1, "Cookie"))

    async def test_broken_bodies(self) -> None:
        """Short of Content-Length, cut chunks, too large: each ends with a failure."""

        def cut(head: bytes) -> Callable[[Any], None]:
            return lambda protocol: (protocol.transport.write(head), protocol.transport.loseConnection())

        client = self.client()
        self.server.answers["/short"] = cut(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        self.assertIn("broke off after 3 bytes", await self.failure(UpstreamFailed, client, "/short"))
        self.server.answers["/chunks"] = cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await self.failure(UpstreamFailed, client, "/chunks")
        self.server.answers["/large"] = ok(b"x" * 1000)
        limits = UpstreamLimits(max_body_bytes=999)
        self.assertIn("more than 999 bytes", await self.failure(BadContent, client, "/large", limits=limits))

    async def test_time_limits(self) -> None:
        """No head, a silent body, and an endless one."""
        self.server.answers["/hang"] = lambda _: None
        self.server.answers["/silent"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
        client = self.client()
        quick = UpstreamLimits(response_timeout=SECOND / 2, idle_timeout=SECOND / 2, total_timeout=SECOND * 5)
        self.assertIn("no answer within 0.5", await self.failure(UpstreamTimedOut, client, "/hang", limits=quick))
        self.assertIn("fell silent after 3", await self.failure(UpstreamTimedOut, client, "/silent", limits=quick))
        ticks = UpstreamLimits(idle_timeout=SECOND, total_timeout=SECOND / 2)

        def drip(protocol: Any) -> None:
            if protocol in self.server.open:
                protocol.transport.write(b"1\r\nx\r\n")
                reactor.callLater(0.1, drip, protocol)

        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.server.answers["/drip"] = lambda protocol: (protocol.transport.write(head), drip(protocol))
        self.assertIn("took too long", await self.failure(UpstreamTimedOut, client, "/drip", limits=ticks))
        await deferLater(reactor, 0.2)

    async def test_pause(self) -> None:
        """A paused body comes no further, and the idle time does not count meanwhile; stopping ends it with a failure."""
        self.server.answers["/x"] = ok(b"x" * 5_000_000)
        response = await self.client().request(
            UpstreamRequest(url=f"{self.base}/x", limits=UpstreamLimits(idle_timeout=SECOND / 2))
        )
        taker = Taker()
        producer = response.deliver(taker)
        producer.pauseProducing()
        await deferLater(reactor, 0.1)
        size = len(taker.taken)
        await deferLater(reactor, 0.6)
        self.assertEqual(size, len(taker.taken))
        producer.resumeProducing()
        self.assertEqual(5_000_000, len(await taker.done))
        response = await self.client().request(UpstreamRequest(url=f"{self.base}/x"))
        taker = Taker()
        response.deliver(taker).stopProducing()
        await self.assertFailure(taker.done, UpstreamFailed)

    async def test_refused_and_unknown(self) -> None:
        """A closed port and an unknown name, said so, without user, password or query."""
        client = self.client()
        message = await self.failure(UpstreamFailed, client, "http://u:tellnobody@127.0.0.1:1/x?tellnobody")
        self.assertIn("http://127.0.0.1:1/x: connection refused", message)
        self.assertNotIn("tellnobody", message)

    async def test_permits(self) -> None:
        """No more than so many requests at once to one host; a permit comes back with the body's end."""
        self.server.answers["/x"] = ok(b"x")
        client = self.client(connections_per_host=2)
        held = [await client.request(UpstreamRequest(url=f"{self.base}/x")) for _ in range(2)]
        third = Deferred.fromCoroutine(client.request(UpstreamRequest(url=f"{self.base}/x")))
        await deferLater(reactor, 0.1)
        self.assertEqual(2, len(self.server.heads))
        self.assertFalse(third.called)
        await read_body(held[0], 10)
        response = await third
        response.abort()
        held[1].abort()
        await deferLater(reactor, 0.05)

    async def test_retry_after(self) -> None:
        """A host that asks for silence gets it."""
        self.server.answers["/x"] = b"HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
        client = self.client()
        await self.body(client, "/x")
        with self.assertRaises(UpstreamBusy) as caught:
            await self.body(client, "/y")
        self.assertTrue(0 < caught.exception.retry_after.total_seconds() <= 60)
        self.assertEqual(1, len(self.server.heads))


class RedirectTests(ClientTestCase):
    """Where redirects may lead, and what they may carry."""

    async def test_followed(self) -> None:
        """Relative and absolute ones; any status that means it."""
        self.server.answers.update({"/a": redirect("b"), "/b": redirect(f"{self.base}/c"), "/c": ok(b"there")})
        self.assertEqual(b"there", await self.body(self.client(), "/a"))
        response = await self.client().request(UpstreamRequest(url=f"{self.base}/a", follow_redirects=False))
        self.assertEqual(302, response.status)
        response.abort()

    async def test_bounds(self) -> None:
        """Circles, too many, and addresses that are none."""
        self.server.answers.update({"/a": redirect("/b"), "/b": redirect("/a"), "/f": redirect("file:///etc/passwd")})
        client = self.client()
        self.assertIn("circle", await self.failure(UpstreamFailed, client, "/a"))
        self.assertIn("no web address", await self.failure(UpstreamFailed, client, "/f"))
        self.server.answers.update({f"/{n}": redirect(f"/{n + 1}") for n in range(20)})
        limits = UpstreamLimits(max_redirects=5)
        self.assertIn("more than 5 redirects", await self.failure(UpstreamFailed, client, "/0", limits=limits))

    async def test_private_addresses(self) -> None:
        """Another host at a private, loopback or link-local address is refused, unless it is configured."""
        for number, target in enumerate(("http://localhost", "http://127.0.0.2", "http://169.254.169.254", "http://[::1]", "http://10.0.0.1", "http://0.0.0.0", "http://[::ffff:127.0.0.1]")):
            self.server.answers[f"/{number}"] = redirect(f"{target}:{self.port}/secret")
            message = await self.failure(UpstreamRefused, self.client(), f"/{number}")
            self.assertIn("the address is private", message)
        self.server.answers["/secret"] = ok(b"configured")
        self.assertEqual(b"configured", await self.body(self.client(configured=("localhost",)), "/0"))
        self.server.answers["/own"] = redirect(f"{self.base}/secret")
        self.assertEqual(b"configured", await self.body(self.client(), "/own"))

    async def test_credentials_stay_with_their_origin(self) -> None:
        """Authorization goes to its own origin, also after a redirect back, and to no other port."""
        other = Scripted()
        port = self.listen(other)
        self.server.answers["/a"] = redirect(f"http://127.0.0.1:{port}/b")
        other.answers["/b"] = redirect(f"{self.base}/c")
        self.server.answers["/c"] = ok(b"back")
        credentials = Credentials.gather(url=f"http://user:secret@127.0.0.1:{self.port}")
        self.assertEqual(b"back", await self.body(self.client(credentials), "/a"))
        self.assertEqual("Basic dXNlcjpzZWNyZXQ=", self.server.field(0, "Authorization"))
        self.assertIsNone(other.field(0, "Authorization"))
        self.assertEqual("Basic dXNlcjpzZWNyZXQ=", self.server.field(1, "Authorization"))
        for protocol in list(other.open):
            protocol.transport.abortConnection()


class ProxyTests(ClientTestCase):
    """Through an HTTP proxy."""

    async def test_plain(self) -> None:
        """http:// goes to the proxy in absolute form, with the proxy's credentials; no_proxy goes around it."""
        self.server.answers["http://upstream.example/x"] = ok(b"proxied")
        proxy = f"http://u:p@127.0.0.1:{self.port}"
        client = self.client(environment={"http_proxy": proxy, "HTTP_PROXY": "http://nowhere.example", "no_proxy": "127.0.0.1"})
        self.assertEqual(b"proxied", await self.body(client, "http://upstream.example/x"))
        self.assertEqual("Basic dTpw", self.server.field(0, "Proxy-Authorization"))
        self.server.answers["/x"] = ok(b"direct")
        self.assertEqual(b"direct", await self.body(client, "/x"))

    async def test_tunnel(self) -> None:
        """https:// goes through CONNECT; a refusal is said."""
        self.server.answers["upstream.example:443"] = b"HTTP/1.1 403 No\r\n\r\n"
        client = self.client(https_proxy=Secret(f"http://u:p@127.0.0.1:{self.port}"))
        message = await self.failure(UpstreamFailed, client, "https://upstream.example/x")
        self.assertIn("the proxy answered 403", message)
        self.assertTrue(self.server.heads[0].startswith("CONNECT upstream.example:443 HTTP/1.1"))
        self.assertEqual("Basic dTpw", self.server.field(0, "Proxy-Authorization"))


class TlsTests(TlsTestCase):
    """Certificates are verified."""

    async def test_private_ca(self) -> None:
        """A certificate of our own CA, for an address and for a name, is good; also through a tunnel."""
        self.server.answers["/x"] = ok(b"safe")
        client = self.client(ca_file=self.ca_file)
        port = self.serve("127.0.0.1")
        self.assertEqual(b"safe", await self.body(client, f"https://127.0.0.1:{port}/x"))

    async def test_refused(self) -> None:
        """Unknown CA, wrong name, expired: no request is sent."""
        port = self.serve("127.0.0.1")
        self.assertIn("TLS", await self.failure(UpstreamFailed, self.client(), f"https://127.0.0.1:{port}/x"))
        client = self.client(ca_file=self.ca_file)
        other = self.serve("other.example")
        self.assertIn("TLS", await self.failure(UpstreamFailed, client, f"https://127.0.0.1:{other}/x"))
        old = self.serve("127.0.0.1", days=-1)
        self.assertIn("it has expired", await self.failure(UpstreamFailed, client, f"https://127.0.0.1:{old}/x"))
        self.assertEqual([], self.server.heads)
