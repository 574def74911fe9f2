"""What goes along on a redirect, and what it costs."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from packeton.config.settings import Secret
from packeton.core.composer.credentials import Credentials
from packeton.errors import UpstreamBusy, UpstreamFailed, UpstreamTimedOut
from packeton.interfaces.upstream import UpstreamLimits, UpstreamRequest
from tests.adapters.upstream.scripted import SECOND, ClientTestCase, Scripted, TlsTestCase, ok, redirect, until


class CarriedTests(ClientTestCase):
    """From one http origin to another."""

    def setUp(self) -> None:
        super().setUp()
        self.other = Scripted()
        self.other_base = f"http://127.0.0.1:{self.listen(self.other)}"
        self.addCleanup(until, lambda: not self.other.open)

    async def test_fields_of_the_caller(self) -> None:
        """Conditions and ranges go anywhere; what may be a secret stays with the origin that it was meant for."""
        self.server.answers["/x"] = redirect("/y")
        self.server.answers["/y"] = redirect(f"{self.other_base}/z")
        self.other.answers["/z"] = redirect(f"{self.base}/end")
        self.server.answers["/end"] = ok(b"there")
        secret = {"Authorization": "Bearer s", "Cookie": "s", "PRIVATE-TOKEN": "s", "X-Api-Key": "s", "JOB-TOKEN": "s"}
        harmless = {"Range": "bytes=1-", "If-None-Match": '"a"', "User-Agent": "mine", "Accept": "a/b"}
        await self.body(self.client(), "/x", headers=tuple({**secret, **harmless}.items()))
        for name, value in harmless.items():
            seen = [server.field(index, name) for server, index in self.hops()]
            self.assertEqual([value] * 4, seen, name)
        for name, value in secret.items():
            seen = [server.field(index, name) for server, index in self.hops()]
            self.assertEqual([value, value, None, None], seen, name)

    def hops(self) -> list[tuple[Scripted, int]]:
        return [(self.server, 0), (self.server, 1), (self.other, 0), (self.server, 2)]

    async def test_our_credential_wins(self) -> None:
        """Where we hold a credential for the origin, the caller's own is not sent beside it."""
        self.server.answers["/x"] = ok(b"x")
        client = self.client(Credentials.gather(url=f"http://u:p@127.0.0.1:{self.port}"))
        await self.body(client, "/x", headers=(("authorization", "Bearer caller"),))
        lines = [line for line in self.server.heads[0].splitlines() if line.lower().startswith("authorization")]
        self.assertEqual(["Authorization: Basic dTpw"], lines)

    async def test_credentials_in_a_location(self) -> None:
        """User and password that an upstream puts into a Location are not sent."""
        self.server.answers["/x"] = redirect(f"http://u:p@127.0.0.1:{self.port}/y")
        self.server.answers["/y"] = ok(b"there")
        self.assertEqual(b"there", await self.body(self.client(), "/x"))
        self.assertIsNone(self.server.field(1, "Authorization"))

    async def test_other_methods(self) -> None:
        """A POST is not sent anywhere else; HEAD stays HEAD."""
        self.server.answers["/x"] = redirect("/y")
        response = await self.client().request(UpstreamRequest(method="POST", url=f"{self.base}/x", body=b""))
        self.assertEqual((302, f"{self.base}/x"), (response.status, response.url))
        response.abort()
        self.server.answers["/y"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        response = await self.client().request(UpstreamRequest(method="HEAD", url=f"{self.base}/x"))
        self.assertEqual((200, f"{self.base}/y"), (response.status, response.url))
        response.abort()
        self.assertTrue(self.server.heads[2].startswith("HEAD /y "))

    async def test_time(self) -> None:
        """All hops together have the time of one answer; the report names the host that was slow."""

        def later(answer: bytes) -> Any:
            return lambda protocol: reactor.callLater(0.15, protocol.transport.write, answer)

        self.server.answers.update({f"/{number}": later(redirect(f"/{number + 1}")) for number in range(9)})
        limits = UpstreamLimits(response_timeout=SECOND / 2)
        await self.failure(UpstreamTimedOut, self.client(), "/0", limits=limits)
        self.assertTrue(3 <= len(self.server.heads) <= 4)
        self.assertEqual([("127.0.0.1", "302")] * (len(self.server.heads) - 1) + [("127.0.0.1", "timeout")], self.reports)
        await deferLater(reactor, 0.2)

    async def test_silence_is_for_one_credential(self) -> None:
        """A 429 for one account does not silence another one at the same host."""
        self.server.answers["/x"] = b"HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
        self.server.answers["/y"] = ok(b"y")
        mine = self.client(Credentials.gather(url=f"http://mine:p@127.0.0.1:{self.port}"))
        yours = type(mine)(mine._transport, Credentials.gather(url=f"http://yours:p@127.0.0.1:{self.port}"), ())
        await self.body(mine, "/x")
        self.assertIn("asked to be left alone", await self.failure(UpstreamBusy, mine, "/y"))
        self.assertEqual(b"y", await self.body(yours, "/y"))

    async def test_unusable(self) -> None:
        """A Location that is no address, and a URL that is none, end in a kind of ours that shows no query."""
        client = self.client()
        for number, location in enumerate(("http://[", "http://h:x/", "javascript:alert(1)")):
            self.server.answers[f"/{number}?tellnobody"] = redirect(location)
            self.assertIn("no web address", await self.failure(UpstreamFailed, client, f"/{number}?tellnobody"))
        for url in ("ftp://h/x", "http://", "http://h:99999/?tellnobody", "http://u:tellnobody@[h/"):
            self.assertNotIn("tellnobody", await self.failure(UpstreamFailed, client, url if "://" in url else "x://"))


class Plain(Protocol):
    """A server that expects no TLS."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.transport.loseConnection()


class SecureTests(TlsTestCase):
    """From https."""

    async def test_down_to_http(self) -> None:
        """No credential goes from https to http, not even to the same host, and not on the hop after that."""
        secure = self.serve("127.0.0.1")
        self.server.answers["/x"] = redirect(f"{self.base}/y")
        self.server.answers["/y"] = redirect("/z")
        self.server.answers["/z"] = redirect(f"https://127.0.0.1:{secure}/end")
        self.server.answers["/end"] = ok(b"there")
        stored = {name: {"username": "u", "password": "p"} for name in (f"127.0.0.1:{self.port}", f"127.0.0.1:{secure}")}
        credentials = Credentials.gather(url="http://else.example", composer_auth={"http-basic": stored})
        client = self.client(credentials, ca_file=self.ca_file)
        self.assertEqual(b"there", await self.body(client, f"https://127.0.0.1:{secure}/x"))
        basic = "Basic dTpw"
        self.assertEqual([basic, None, None, basic], [self.server.field(n, "Authorization") for n in range(4)])

    async def test_certificates(self) -> None:
        """Each thing that can be wrong with a certificate is told by its name, and no request is sent."""
        client = self.client(ca_file=self.ca_file, no_proxy="", http_proxy=Secret(""))
        good = self.serve("127.0.0.1")
        for port, told, asking in (
            (good, "its authority is not known", self.client()), (self.serve("127.0.0.1", days=-1), "it has expired", client),
            (self.serve("127.0.0.2"), "it is for another name", client), (self.serve("a.example"), "it is for another name", client),
        ):  # fmt: skip
            message = await self.failure(UpstreamFailed, asking, f"https://127.0.0.1:{port}/x?tellnobody")
            self.assertEqual(f"https://127.0.0.1:{port}/x: the TLS certificate is not trusted: {told}", message)
        self.assertEqual([], self.server.heads)
        plain = self.listen(Factory.forProtocol(Plain))
        message = await self.failure(UpstreamFailed, client, f"https://127.0.0.1:{plain}/x")
        self.assertIn("TLS failed: wrong version number", message)
        self.server.answers["/x"] = ok(b"x")
        self.assertEqual(b"x", await self.body(client, f"https://127.0.0.1:{good}/x"))
