"""Attempts counted for this process, and in a real Redis server for several."""

from collections.abc import Awaitable
from datetime import timedelta

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.adapters.queues.throttles import LocalThrottle, RedisThrottle
from packeton.core.access.attempts import Limit, LoginThrottle
from packeton.interfaces.clocks import now_of
from packeton.interfaces.throttles import IThrottle
from tests.adapters.queues.test_redis import RedisTestCase
from tests.support.accounts import settled

HERE = "192.0.2.1"


def limits() -> LoginThrottle:
    return LoginThrottle(Limit(3, timedelta(minutes=3)), Limit(6, timedelta(minutes=6)), Limit(10, timedelta(minutes=10)))


class LocalThrottleTests(SynchronousTestCase):
    """The clock is the throttle's own."""

    def test_round(self) -> None:
        """Full, then emptied by time or by success."""
        clock = Clock()
        throttle = LocalThrottle(limits(), now_of(clock))
        verifyObject(IThrottle, throttle)
        self.assertEqual([None] * 3, [settled(throttle.begin("ann", HERE)) for _ in range(3)])
        self.assertEqual(timedelta(minutes=1), settled(throttle.begin("ann", HERE)))
        clock.advance(60)
        self.assertIsNone(settled(throttle.begin("ann", HERE)))
        settled(throttle.succeeded("ann", HERE))
        self.assertIsNone(settled(throttle.begin("ann", HERE)))


class RedisThrottleTests(RedisTestCase):
    """Two nodes."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.links = [self.link(), self.link()]
        self.ours, self.theirs = (RedisThrottle(link, "login", limits(), now_of(self.clock)) for link in self.links)

    async def connected(self) -> None:
        for link in self.links:
            await link.call("ping")

    async def all_of(self, *attempts: Awaitable[timedelta | None]) -> list[timedelta | None]:
        return [await attempt for attempt in attempts]

    async def test_shared(self) -> None:
        """What one node counted holds at the other; refused attempts are not charged; time and success empty the buckets."""
        verifyObject(IThrottle, self.ours)
        await self.connected()
        self.assertEqual([None] * 3, await self.all_of(self.ours.begin("ann", HERE), self.theirs.begin("Ann ", HERE), self.ours.begin("ann", HERE)))
        for _ in range(3):
            self.assertEqual(timedelta(minutes=1), await self.theirs.begin("ann", HERE))
        self.assertIsNone(await self.theirs.begin("ann", "192.0.2.2"))
        self.clock.advance(60)
        self.assertIsNone(await self.theirs.begin("ann", HERE))
        self.assertEqual(timedelta(minutes=1), await self.ours.begin("ann", HERE))
        await self.theirs.succeeded("ann", HERE)
        self.assertIsNone(await self.ours.begin("ann", HERE))
        self.assertIsNone(await RedisThrottle(self.links[0], "token", limits(), now_of(self.clock)).begin("ann", HERE))

    async def test_account_and_address(self) -> None:
        """An account has a limit from anywhere, an address one for all names; what succeeded gives its charge back there."""
        await self.connected()
        for number in range(6):
            self.assertIsNone(await self.ours.begin("ann", f"198.51.100.{number}"))
        self.assertEqual(timedelta(minutes=1), await self.theirs.begin("ann", "198.51.100.99"))
        await self.theirs.succeeded("ann", "198.51.100.0")
        self.assertIsNone(await self.theirs.begin("ann", "198.51.100.99"))
        for number in range(10):
            self.assertIsNone(await self.ours.begin(f"user{number}", HERE))
        self.assertEqual(timedelta(minutes=1), await self.theirs.begin("other", HERE))

    async def test_what_is_kept(self) -> None:
        """No name and no address stands in Redis, and nothing for longer than its limit."""
        await self.connected()
        await self.ours.begin("ann", HERE)
        keys = await self.links[0].call("keys", "packeton:throttle:*")
        self.assertEqual(3, len(keys))
        for key in keys:
            self.assertRegex(key, r"^packeton:throttle:login:[0-9a-f]{32}$")
            self.assertLessEqual(await self.links[0].call("ttl", key), 600)
            self.assertGreater(await self.links[0].call("ttl", key), 0)

    async def test_away(self) -> None:
        """While the server is away each node counts for itself, and fails nobody."""
        await self.connected()
        self.server.stop()
        self.assertEqual([None] * 3, [await self.ours.begin("ann", HERE) for _ in range(3)])
        self.assertEqual(timedelta(minutes=1), await self.ours.begin("ann", HERE))
        self.assertIsNone(await self.theirs.begin("ann", HERE))
        await self.ours.succeeded("ann", HERE)
        self.assertIsNone(await self.ours.begin("ann", HERE))
