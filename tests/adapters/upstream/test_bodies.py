"""Bodies on real sockets: whole or not, at the receiver's pace, and no socket left."""

import gzip
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from packeton.errors import BadContent, UpstreamFailed, UpstreamTimedOut
from packeton.features.caching.bodies import read_body
from packeton.interfaces.upstream import IUpstreamResponse, UpstreamLimits, UpstreamRequest
from tests.adapters.upstream.scripted import SECOND, ClientTestCase, Taker, TlsTestCase, ok, until

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


def then_close(data: bytes) -> Callable[[Any], None]:
    return lambda protocol: (protocol.transport.write(data), protocol.transport.loseConnection())


def then_reset(data: bytes) -> Callable[[Any], None]:
    def answer(protocol: Any) -> None:
        protocol.transport.write(data)
        protocol.transport.setTcpNoDelay(True)
        linger = struct.pack("ii", 1, 0)
        handle = protocol.transport.getHandle()
        reactor.callLater(0.05, handle.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, linger)
        reactor.callLater(0.06, protocol.transport.abortConnection)

    return answer


class EndTests(ClientTestCase):
    """Which end is a good one."""

    async def test_until_close(self) -> None:
        """Without length or chunks an orderly close is the end (RFC 9112 section 8); a reset is none."""
        self.server.answers["/x"] = then_close(UNTIL_CLOSE + b"whole")
        self.assertEqual(b"whole", await self.body(self.client(), "/x"))
        self.server.answers["/x"] = then_reset(UNTIL_CLOSE + b"half")
        self.assertIn("broke off after 4 bytes", await self.failure(UpstreamFailed, self.client(), "/x"))

    async def test_reset(self) -> None:
        """A reset before the head, and in a body with a length."""
        self.server.answers["/x"] = then_reset(b"")
        self.assertIn("lost before an answer", await self.failure(UpstreamFailed, self.client(), "/x"))
        self.server.answers["/x"] = then_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        self.assertIn("broke off after 3 bytes", await self.failure(UpstreamFailed, self.client(), "/x"))

    async def test_no_http(self) -> None:
        """Another protocol, contradicting lengths, an unknown transfer coding, a head without end."""
        client = self.client()
        for answer in (
            b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: strange\r\n\r\n",
        ):  # fmt: skip
            self.server.answers["/x"] = then_close(answer)
            message = await self.failure(UpstreamFailed, client, "/x")
            self.assertTrue(message.startswith(f"{self.base}/x: "), message)
        self.server.answers["/x"] = b"HTTP/1.1 200 OK\r\n" + (b"X-Y: " + b"z" * 999 + b"\r\n") * 400
        self.assertIn("head is larger than", await self.failure(BadContent, client, "/x"))
        self.server.answers["/x"] = b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000
        self.assertIn("head is larger than", await self.failure(BadContent, client, "/x"))

    async def test_gzip_ends(self) -> None:
        """gzip that ends too early is not whole although its Content-Length is; damaged gzip is said to be so."""
        coded = gzip.compress(os.urandom(1000))
        client = self.client()
        self.server.answers["/x"] = ok(coded[:-9], b"Content-Encoding: gzip")
        self.assertIn("ends too early", await self.failure(BadContent, client, "/x"))
        self.server.answers["/x"] = ok(b"<html>", b"Content-Encoding: gzip")
        self.assertIn("damaged", await self.failure(BadContent, client, "/x"))
        self.server.answers["/x"] = ok(b"", b"Content-Encoding: gzip")
        self.assertEqual(b"", await self.body(client, "/x"))
        self.server.answers["/x"] = ok(b"as it is", b"Content-Encoding: br")
        response = await client.request(UpstreamRequest(url=f"{self.base}/x"))
        self.assertIn(("Content-Encoding", "br"), response.headers)
        self.assertEqual(b"as it is", await read_body(response, 99))

    async def test_gzip_bomb(self) -> None:
        """The size limit holds for what comes out, and the receiver never has more than that."""
        self.server.answers["/x"] = ok(gzip.compress(b"\0" * (100 << 20)), b"Content-Encoding: gzip")
        limits = UpstreamLimits(max_body_bytes=1 << 20)
        response = await self.client().request(UpstreamRequest(url=f"{self.base}/x", limits=limits))
        self.assertIsNone(response.length)
        taker = Taker()
        response.deliver(taker)
        await self.assertFailure(taker.done, BadContent)
        self.assertLessEqual(len(taker.taken), 1 << 20)
        await until(lambda: not self.server.open)

    async def test_part_is_not_coded(self) -> None:
        """A request for a range offers no coding, since positions in it are those of the bytes on the wire."""
        self.server.answers["/x"] = ok(b"x")
        await self.body(self.client(), "/x", headers=(("Range", "bytes=1-"),))
        await self.body(self.client(), "/x")
        self.assertEqual([None, "gzip"], [self.server.field(index, "Accept-Encoding") for index in (0, 1)])

    async def test_without_body(self) -> None:
        """HEAD, 204 and 304 end at once, and their connection is used again."""
        self.server.answers["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n"
        self.server.answers["/y"] = b"HTTP/1.1 204 No\r\n\r\n"
        self.server.answers["/z"] = b'HTTP/1.1 304 No\r\nETag: "a"\r\n\r\n'
        client = self.client()
        self.assertEqual(b"", await self.body(client, "/x", method="HEAD"))
        self.assertEqual(b"", await self.body(client, "/y"))
        self.assertEqual(b"", await self.body(client, "/z", headers=(("If-None-Match", '"a"'),)))
        self.assertEqual(1, len(self.server.open))


class PaceTests(ClientTestCase):
    """The receiver sets the pace."""

    SIZE = 32 << 20

    def setUp(self) -> None:
        super().setUp()
        self.sent = 0
        self.server.answers["/x"] = self.flood

    def flood(self, protocol: Any) -> None:
        """Send as fast as the wire takes it."""
        test = self

        class Flood:
            def resumeProducing(self) -> None:
                if test.sent < test.SIZE:
                    test.sent += 1 << 16
                    protocol.transport.write(b"x" * (1 << 16))
                else:
                    protocol.transport.unregisterProducer()

            def stopProducing(self) -> None:
                pass

        protocol.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.SIZE)
        protocol.transport.registerProducer(Flood(), False)

    async def ask(self, **limits: Any) -> IUpstreamResponse:
        return await self.client().request(
            UpstreamRequest(url=f"{self.base}/x", decode=False, limits=UpstreamLimits(**limits))
        )

    async def test_back_pressure(self) -> None:
        """A pause reaches the sender; it costs no time-out; going on gives all bytes."""
        response = await self.ask(idle_timeout=SECOND / 2)
        taker = Taker()
        producer = response.deliver(taker)
        producer.pauseProducing()
        await deferLater(reactor, 0.6)
        self.assertLess(self.sent, self.SIZE)
        sent, taken = self.sent, len(taker.taken)
        await deferLater(reactor, 0.2)
        self.assertEqual((sent, taken), (self.sent, len(taker.taken)))
        producer.resumeProducing()
        self.assertEqual(self.SIZE, len(await taker.done))

    async def test_pause_inside(self) -> None:
        """A pause inside `received` holds at once."""
        paused: list[int] = []

        class Pausing(Taker):
            def received(self, chunk: bytes) -> None:
                super().received(chunk)
                if not paused and self.producer is not None:
                    paused.append(len(chunk))
                    self.producer.pauseProducing()

        response = await self.ask()
        taker = Pausing()
        await deferLater(reactor, 0.1)
        producer = response.deliver(taker)
        taker.producer = producer
        await until(lambda: bool(paused))
        taken = len(taker.taken)
        await deferLater(reactor, 0.2)
        self.assertEqual(taken, len(taker.taken))
        producer.stopProducing()
        await self.assertFailure(taker.done, UpstreamFailed)

    async def test_paused_gzip(self) -> None:
        """What one read unfolds to waits for the receiver, the end too."""
        self.server.answers["/x"] = ok(gzip.compress(b"\0" * (8 << 20)), b"Content-Encoding: gzip")
        response = await self.client().request(UpstreamRequest(url=f"{self.base}/x"))

        class Sipping(Taker):
            def received(self, chunk: bytes) -> None:
                super().received(chunk)
                if self.producer is not None:
                    self.producer.pauseProducing()
                    reactor.callLater(0, self.producer.resumeProducing)

        taker = Sipping()
        taker.producer = response.deliver(taker)
        taker.producer.pauseProducing()
        size = len(taker.taken)
        await deferLater(reactor, 0.1)
        self.assertEqual(size, len(taker.taken))
        self.assertFalse(taker.done.called)
        taker.producer.resumeProducing()
        self.assertEqual(8 << 20, len(await taker.done))
        await deferLater(reactor, 0.01)

    async def test_total_time_of_a_paused_body(self) -> None:
        """A receiver that never goes on does not hold the connection for ever."""
        response = await self.ask(total_timeout=SECOND / 5)
        taker = Taker()
        response.deliver(taker).pauseProducing()
        await self.assertFailure(taker.done, UpstreamTimedOut)
        await until(lambda: not self.server.open)

    async def test_given_up(self) -> None:
        """A paused body that is stopped, and one that nobody reads: sockets closed, turns free."""
        client = self.client(connections_per_host=1)
        request = UpstreamRequest(url=f"{self.base}/x")
        taker = Taker()
        producer = (await client.request(request)).deliver(taker)
        producer.pauseProducing()
        producer.stopProducing()
        await self.assertFailure(taker.done, UpstreamFailed)
        (await client.request(request)).abort()
        self.server.answers["/y"] = ok(b"next")
        self.assertEqual(b"next", await self.body(client, "/y"))
        await until(lambda: len(self.server.open) == 1)

    async def test_unwanted_and_silent(self) -> None:
        """The unwanted body of a redirect may be small and never end: it is waited for a second, not longer."""
        head = b"HTTP/1.1 302 F\r\nLocation: /y\r\nContent-Length: 5\r\n\r\nabc"
        self.server.answers.update({"/x": head, "/y": ok(b"there")})
        self.assertEqual(b"there", await self.body(self.client(), "/x"))
        self.assertEqual(2, len(self.server.open))
        await until(lambda: len(self.server.open) == 1)


class TlsBodyTests(TlsTestCase):
    """The same where TLS lies in between."""

    async def ask(self, path: str) -> IUpstreamResponse:
        return await self.tls.request(UpstreamRequest(url=self.secure + path, decode=False))

    def setUp(self) -> None:
        super().setUp()
        self.secure = f"https://127.0.0.1:{self.serve('127.0.0.1')}"
        self.tls = self.client(ca_file=self.ca_file)

    async def test_cut_without_goodbye(self) -> None:
        """Without length only TLS's own closing alert tells an end from a cut."""
        self.server.answers["/x"] = then_close(UNTIL_CLOSE + b"whole")
        self.assertEqual(b"whole", await read_body(await self.ask("/x"), 99))

        def cut(protocol: Any) -> None:
            protocol.transport.write(UNTIL_CLOSE + b"half")
            reactor.callLater(0.1, protocol.transport.transport.loseConnection)  # TCP closes, TLS says nothing

        self.server.answers["/x"] = cut
        response = await self.ask("/x")
        failure = await self.assertFailure(self.read(response), UpstreamFailed)
        self.assertIn("broke off after 4 bytes", str(failure))

    def read(self, response: IUpstreamResponse) -> "Deferred[bytes]":
        taker = Taker()
        response.deliver(taker)
        return taker.done

    async def test_paused_and_given_up(self) -> None:
        """A paused body that is stopped leaves no socket, although the other side never answers TLS's goodbye."""
        self.server.answers["/x"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 5_000_000
        taker = Taker()
        producer = (await self.ask("/x")).deliver(taker)
        producer.pauseProducing()
        await deferLater(reactor, 0.05)
        producer.stopProducing()
        await self.assertFailure(taker.done, UpstreamFailed)
        await until(lambda: not self.server.open)
