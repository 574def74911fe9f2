"""Signals over a real Redis server, also one that is away, restarts, or says nothing."""

import time
from collections.abc import Callable
from typing import Any
from unittest import skipUnless

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from packeton.adapters.queues.redis import RedisLink, RedisSignals
from packeton.config.redis import redis_address
from packeton.config.settings import Secret
from packeton.errors import StorageFailed
from packeton.interfaces.queues import ISignals
from tests.support.redis import REDIS, RedisServer


@skipUnless(REDIS, "redis-server is not installed")
class RedisTestCase(TestCase):
    """With a server."""

    timeout = 60

    def setUp(self) -> None:
        self.server = RedisServer()
        self.addCleanup(self.server.remove)

    def link(self, address: Any = None) -> RedisLink:
        link = RedisLink(reactor, address or redis_address(self.server.url))
        link.startService()
        self.addCleanup(link.stopService)
        return link

    async def until(self, holds: Callable[[], bool], act: Callable[[], Any] = lambda: None, seconds: float = 20) -> None:
        """Wait, and *act* now and then."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not come"
            act()
            await deferLater(reactor, 0.05)


class RedisSignalsTests(RedisTestCase):
    """Two nodes."""

    def setUp(self) -> None:
        super().setUp()
        self.ours, self.theirs = (RedisSignals(self.link(), name) for name in ("host:1", "host:2"))
        self.heard: list[str] = []

    async def test_round(self) -> None:
        """The other node hears it, any text unchanged; one's own is heard at once and once."""
        verifyObject(ISignals, self.ours)
        self.theirs.listen("jobs", self.heard.append)
        await self.until(lambda: bool(self.heard), lambda: self.ours.publish("jobs", "0012"))
        self.assertEqual({"0012"}, set(self.heard))
        mine: list[str] = []
        self.ours.listen("jobs", mine.append)
        for text in ("1.10", "", "ä \r\n$5"):
            self.ours.publish("jobs", text)
        self.assertEqual(["1.10", "", "ä \r\n$5"], mine)
        await self.until(lambda: self.heard[-1] == "ä \r\n$5")
        self.assertEqual(["1.10", "", "ä \r\n$5"], self.heard[-3:])
        self.assertEqual(3, len(mine))

    async def test_restart(self) -> None:
        """While the server is away publishing does not fail and one's own hear it; afterwards the others do again."""
        self.theirs.listen("jobs", self.heard.append)
        await self.until(lambda: bool(self.heard), lambda: self.ours.publish("jobs", "before"))
        self.server.stop()
        mine: list[str] = []
        self.ours.listen("jobs", mine.append)
        self.ours.publish("jobs", "lost")
        self.assertEqual(["lost"], mine)
        self.server.start()
        await self.until(lambda: "after" in self.heard, lambda: self.ours.publish("jobs", "after"), 30)


class RedisLinkTests(RedisTestCase):
    """What goes wrong."""

    async def test_silent(self) -> None:
        """A server that says nothing costs a few seconds once, then nothing for a moment; then all is well again."""
        link = self.link()
        await link.call("ping")
        self.server.stall()
        began = time.monotonic()
        for _ in range(5):
            with self.assertRaises(StorageFailed):
                await link.call("ping")
        self.assertLess(time.monotonic() - began, 5)
        self.server.go_on()
        await deferLater(reactor, 1.2)
        await link.call("ping")

    async def test_wrong_password(self) -> None:
        """Calls fail soon, and what is logged does not hold the password."""
        address = evolve(redis_address(self.server.url), password=Secret("tellnobody"))
        link = self.link(address)
        with self.assertRaises(StorageFailed) as caught:
            await link.call("get", "a")
        self.assertNotIn("tellnobody", str(caught.exception))
        self.assertNotIn("tellnobody", repr(address))

    async def test_stopped(self) -> None:
        """After the stop calls fail at once."""
        link = self.link()
        await link.stopService()
        with self.assertRaises(StorageFailed):
            await link.call("get", "a")
