"""What all clients share: kept connections, the User-Agent, and a stop that leaves nothing."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.upstream.transport import user_agent
from packeton.errors import UpstreamFailed, UpstreamTimedOut
from packeton.interfaces.upstream import IUpstreamResponse, UpstreamLimits, UpstreamRequest
from tests.adapters.upstream.scripted import SECOND, ClientTestCase, Taker, TlsTestCase, ok, until


class UserAgentTests(SynchronousTestCase):
    """Never empty, always one line, contactable where an address is known."""

    def test_contact(self) -> None:
        """What an operator may write as contact."""
        self.assertRegex(user_agent("ops@acme.example"), r"^packeton/\S+ \(\+ops@acme.example; Twisted; Python 3\.\S+\)$")
        for contact in ("", "  ", "\r\n", "é"):
            self.assertRegex(user_agent(contact), r"^packeton/\S+ \(Twisted; Python 3\.\S+\)$")
        self.assertNotRegex(user_agent("a\r\nX-Evil: 1"), r"[\r\n]")


class CloseTests(ClientTestCase):
    """Every stage of an exchange ends at once when the transport is closed; trial finds sockets and timers left."""

    def ask(self, client: Any, path: str, **request: Any) -> "Deferred[IUpstreamResponse]":
        return Deferred.fromCoroutine(client.request(UpstreamRequest(url=self.base + path, **request)))

    async def test_all_stages(self) -> None:
        """Connecting to the deaf, waiting for a head, for a turn, in a body, unread, idle: all of them."""
        self.server.answers.update({
            "/hang": lambda _: None, "/ok": ok(b"x"), "/long": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc",
        })  # fmt: skip
        client = self.client(connections_per_host=4)
        await self.body(client, "/ok")
        taker, paused = Taker(), Taker()
        (await self.ask(client, "/long")).deliver(taker)
        (await self.ask(client, "/long")).deliver(paused).pauseProducing()
        unread = await self.ask(client, "/long")
        hanging, waiting = self.ask(client, "/hang"), self.ask(client, "/hang")
        await until(lambda: len(self.server.heads) == 5)
        await client._transport.close()
        for failing in (hanging, waiting, taker.done, paused.done):
            self.assertTrue(failing.called)
        for asked in (hanging, waiting):
            self.assertIn("we are stopping", str(await self.assertFailure(asked, UpstreamFailed)))
        for body in (taker.done, paused.done):
            await self.assertFailure(body, UpstreamFailed)
        unread.abort()
        self.assertEqual([], [pool for pool in client._transport._pools if pool.live or pool._connections])
        await until(lambda: not self.server.open)

    async def test_looking_up(self) -> None:
        """A time-out while a name is looked up is a time-out, not an unknown name; a late answer is ignored."""
        receivers: list[Any] = []

        class Slow:
            def resolveHostName(self, receiver: Any, name: str, *args: Any, **kwargs: Any) -> None:
                receivers.append(receiver)

        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(Slow()))
        limits = UpstreamLimits(response_timeout=SECOND / 10)
        message = await self.failure(UpstreamTimedOut, self.client(), "http://slow.example/x", limits=limits)
        self.assertEqual("http://slow.example/x: no answer within 0.1 seconds", message)
        receivers[0].resolutionComplete()

    async def test_again(self) -> None:
        """A service that is started again asks again."""
        self.server.answers["/ok"] = ok(b"x")
        client = self.client()
        await client._transport.close()
        self.assertEqual(b"x", await self.body(client, "/ok"))

    async def test_cancelled_by_the_caller(self) -> None:
        """A caller's own cancelling stays that, so that its time-out works; connection and turn are given back."""
        self.server.answers.update({"/hang": lambda _: None, "/ok": ok(b"x")})
        client = self.client(connections_per_host=1)
        asked = self.ask(client, "/hang")
        await until(lambda: len(self.server.heads) == 1)
        asked.cancel()
        await self.assertFailure(asked, CancelledError)
        self.assertEqual(b"x", await self.body(client, "/ok"))
        await until(lambda: len(self.server.open) == 1)

    async def test_pool_keeps_no_empty_keys(self) -> None:
        """Of a host that is not connected to any more nothing is kept."""
        client = self.client()
        (pool, *_) = client._transport._pools
        pool.cachedConnectionTimeout = 0.05
        self.server.answers["/ok"] = ok(b"x")
        await self.body(client, "/ok")
        self.assertEqual(1, len(pool._connections))
        await until(lambda: not pool._connections)

    async def test_uninvited(self) -> None:
        """Bytes on an idle connection never become the next request's answer."""
        evil = ok(b"evil")
        self.server.answers["/ok"] = lambda protocol: (
            protocol.transport.write(ok(b"good")), reactor.callLater(0.02, protocol.transport.write, evil),
        )  # fmt: skip
        client = self.client()
        self.assertEqual(b"good", await self.body(client, "/ok"))
        await deferLater(reactor, 0.1)
        self.assertEqual(b"good", await self.body(client, "/ok"))
        await deferLater(reactor, 0.1)

    async def test_unknown_name(self) -> None:
        """A name that is not known is said to be so."""

        class Failing:
            def resolveHostName(self, receiver: Any, name: str, *args: Any, **kwargs: Any) -> None:
                receiver.resolutionBegan(None)
                receiver.resolutionComplete()

        previous = reactor.installNameResolver(Failing())
        self.addCleanup(reactor.installNameResolver, previous)
        message = await self.failure(UpstreamFailed, self.client(), "http://nowhere.example/x?tellnobody")
        self.assertEqual("http://nowhere.example/x: the host name is not known", message)


class TlsCloseTests(TlsTestCase):
    """The same over TLS, where an orderly close would wait for the other side."""

    async def test_deaf(self) -> None:
        """A handshake that never ends, and an idle connection."""
        self.server.answers["/ok"] = ok(b"x")
        client = self.client(ca_file=self.ca_file)
        secure = f"https://127.0.0.1:{self.serve('127.0.0.1')}"
        await self.body(client, f"{secure}/ok")
        deaf = Deferred.fromCoroutine(client.request(UpstreamRequest(url=self.base.replace("http", "https") + "/ok")))
        await until(lambda: len(self.server.open) == 2)
        await client._transport.close()
        self.assertIn("we are stopping", str(await self.assertFailure(deaf, UpstreamFailed)))
        await until(lambda: not self.server.open)
