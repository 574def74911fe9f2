"""Fills: mended, checked, shared, and never short."""

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.entries import CacheEntry
from packeton.errors import BadContent, NotFound, UpstreamChanged, UpstreamFailed, UpstreamRefused
from packeton.features.caching.fills import Body, Fill, FillEvent, Head, Plan
from packeton.features.caching.spools import Follower
from packeton.interfaces.upstream import UpstreamRequest
from tests.support.scripted import ScriptedClient, ScriptedResponse, pairs, script
from tests.support.store import MemoryCache

URL = "https://up.example/acme/foo.zip"
CONTENT = bytes(range(256)) * 40


class FillTests(SynchronousTestCase):
    """One fill over a scripted upstream."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)

    def plan(self, client: ScriptedClient, **changes: object) -> Plan:
        def keep(head: Head) -> CacheEntry:
            return CacheEntry(
                key="k", requested_at=head.requested_at, received_at=head.received_at, stored_at=head.received_at,
                blob="", size=0, sha256="", used_at=head.received_at,
            )

        values = {"key": "k", "client": client, "requests": (UpstreamRequest(url=URL),), "keep": keep, **changes}
        return Plan(**values)

    def start(self, client: ScriptedClient, **changes: object) -> Fill:
        return self.cache.fills.start(self.plan(client, **changes))

    def read(self, follower: Follower) -> Deferred[bytes]:
        async def work() -> bytes:
            parts = []
            while chunk := await follower.read(1000):
                parts.append(chunk)
            return b"".join(parts)

        return ensureDeferred(work())

    def stored(self, key: str = "k") -> bytes | None:
        entry = self.successResultOf(ensureDeferred(self.cache.storage.find(key)))
        return None if entry is None else self.cache.blobs.blobs[entry.blob]

    def test_streams_and_keeps(self) -> None:
        """A follower gets the first byte before the last has come; the whole is kept under its key."""
        response = ScriptedResponse(length=len(CONTENT))
        fill = self.start(script(response))
        head = self.successResultOf(fill.head())
        self.assertEqual(200, head.status)
        follower = fill.follow()
        assert follower is not None
        response.send(CONTENT[:100])
        first = self.successResultOf(ensureDeferred(follower.read(1000)))
        self.assertEqual(CONTENT[:100], first)
        rest = self.read(follower)
        response.send(CONTENT[100:])
        response.end()
        self.assertEqual(CONTENT[100:], self.successResultOf(rest))
        entry = self.successResultOf(fill.done())
        assert entry is not None
        self.assertEqual(len(CONTENT), entry.size)
        self.assertEqual(CONTENT, self.stored())

    def test_leaving_changes_nothing(self) -> None:
        """A follower that closes, and a waiter that cancels, leave the fill and the others alone."""
        response = ScriptedResponse(length=len(CONTENT))
        fill = self.start(script(response))
        leaving, staying = fill.follow(), fill.follow()
        assert leaving is not None
        assert staying is not None
        waiter = fill.done()
        waiter.addErrback(lambda _: None)
        waiter.cancel()
        response.send(CONTENT[:5000])
        leaving.close()
        body = self.read(staying)
        response.send(CONTENT[5000:])
        response.end()
        self.assertEqual(CONTENT, self.successResultOf(body))
        self.assertEqual(CONTENT, self.stored())

    def test_resumes_by_range(self) -> None:
        """A transfer that broke is continued with Range and If-Range from the byte reached."""
        broken = ScriptedResponse(body=CONTENT[:3000], length=len(CONTENT), headers=pairs(ETag='"a"'), cut=True)
        size = len(CONTENT)
        rest = ScriptedResponse(
            status=206, body=CONTENT[3000:], headers=pairs(ETag='"a"', Content_Range=f"bytes 3000-{size - 1}/{size}")
        )
        client = script(broken, rest)
        fill = self.start(client)
        self.cache.clock.pump([0.1] * 20)
        self.assertIsNotNone(self.successResultOf(fill.done()))
        self.assertEqual(CONTENT, self.stored())
        self.assertEqual("bytes=3000-", client.header(1, "Range"))
        self.assertEqual('"a"', client.header(1, "If-Range"))
        self.assertIn(FillEvent.RESUMED, [event for event, _, _ in self.cache.events])

    def test_restarts_and_compares(self) -> None:
        """Without a validator the body is asked for again; what comes again must be what we had."""
        client = script(
            ScriptedResponse(body=CONTENT[:3000], length=len(CONTENT), cut=True),
            ScriptedResponse(body=CONTENT, length=len(CONTENT)),
        )
        fill = self.start(client)
        self.cache.clock.pump([0.1] * 20)
        self.assertIsNotNone(self.successResultOf(fill.done()))
        self.assertEqual(CONTENT, self.stored())
        self.assertIsNone(client.header(1, "Range"))

    def test_changed_on_restart(self) -> None:
        """A body that came back different fails the fill; its follower sees neither a mixture nor an end."""
        other = b"X" + CONTENT[1:]
        client = script(
            ScriptedResponse(body=CONTENT[:3000], length=len(CONTENT), cut=True),
            ScriptedResponse(body=other, length=len(CONTENT)),
        )
        fill = self.start(client)
        follower = fill.follow()
        assert follower is not None
        body = self.read(follower)
        self.cache.clock.pump([0.1] * 20)
        self.failureResultOf(body, UpstreamChanged)
        self.failureResultOf(fill.done(), UpstreamChanged)
        self.assertIsNone(self.stored())

    def test_wrong_range_is_not_glued(self) -> None:
        """A 206 that starts elsewhere, or is of another whole, is not used."""
        size = len(CONTENT)
        for content_range in (f"bytes 2999-{size - 1}/{size}", f"bytes 3000-{size}/{size + 1}", "bytes */5"):
            client = script(
                ScriptedResponse(body=CONTENT[:3000], length=size, headers=pairs(ETag='"a"'), cut=True),
                *[ScriptedResponse(status=206, body=b"?", headers=pairs(Content_Range=content_range))] * 4,
            )
            fill = self.start(client)
            self.cache.clock.pump([0.5] * 20)
            self.failureResultOf(fill.done(), UpstreamFailed)
            self.assertIsNone(self.stored())

    def test_short_body_is_no_body(self) -> None:
        """A body shorter than its Content-Length, for good, is not kept, and followers see a failure."""
        client = script(*[ScriptedResponse(body=CONTENT[:100], length=len(CONTENT)) for _ in range(6)])
        fill = self.start(client)
        follower = fill.follow()
        assert follower is not None
        body = self.read(follower)
        self.cache.clock.pump([0.5] * 20)
        self.failureResultOf(body, UpstreamFailed)
        self.failureResultOf(fill.done(), UpstreamFailed)
        self.assertIsNone(self.stored())

    def test_check_before_the_end(self) -> None:
        """The held-back end shows only after the check; a rejected body is never whole to anybody, nor kept."""

        async def reject(body: Body) -> None:
            raise BadContent("damaged")

        response = ScriptedResponse(length=len(CONTENT))
        fill = self.start(script(response), check=reject, hold_back_bytes=100)
        follower = fill.follow()
        assert follower is not None
        body = self.read(follower)
        response.send(CONTENT)
        self.assertEqual(len(CONTENT) - 100, follower.position)
        response.end()
        self.failureResultOf(body, BadContent)
        self.failureResultOf(fill.done(), BadContent)
        self.assertIsNone(self.stored())
        self.assertEqual(FillEvent.REJECTED, self.cache.events[-1][0])

    def test_full_disk_passes_through(self) -> None:
        """When the disk takes no more, followers still get the whole body, and nothing is kept."""
        self.cache.blobs.room = 1000
        response = ScriptedResponse(length=len(CONTENT))
        fill = self.start(script(response))
        follower = fill.follow()
        assert follower is not None
        body = self.read(follower)
        for at in range(0, len(CONTENT), 500):
            response.send(CONTENT[at : at + 500])
        response.end()
        self.assertEqual(CONTENT, self.successResultOf(body))
        self.assertIsNone(self.successResultOf(fill.done()))
        self.assertIsNone(self.stored())

    def test_retries_what_may_pass(self) -> None:
        """A 503 and a refused connection are asked again after a pause; the answer counts."""
        client = script(
            UpstreamFailed("connection refused"), ScriptedResponse(status=503), ScriptedResponse(body=b"ok", length=2)
        )
        fill = self.start(client)
        self.assertEqual(1, len(client.requests))
        self.cache.clock.pump([0.2] * 10)
        self.successResultOf(fill.done())
        self.assertEqual(b"ok", self.stored())

    def test_final_answers(self) -> None:
        """404 is NotFound and 403 UpstreamRefused, at the first answer."""
        for status, kind in ((404, NotFound), (410, NotFound), (403, UpstreamRefused), (451, UpstreamRefused)):
            client = script(ScriptedResponse(status=status))
            fill = self.start(client)
            self.failureResultOf(fill.head(), kind)
            self.failureResultOf(fill.done(), kind)
            self.assertEqual(1, len(client.requests))

    def test_next_address(self) -> None:
        """When the first address has it not, the next one is asked."""
        client = script(ScriptedResponse(status=404), ScriptedResponse(body=b"ok", length=2))
        requests = (UpstreamRequest(url="https://a.example/"), UpstreamRequest(url="https://b.example/"))
        fill = self.start(client, requests=requests)
        self.successResultOf(fill.done())
        self.assertEqual(b"ok", self.stored())

    def test_stop_aborts(self) -> None:
        """A stop waits its time, then fails what still runs, and its followers."""
        response = ScriptedResponse(length=10)
        fill = self.start(script(response))
        follower = fill.follow()
        assert follower is not None
        body = self.read(follower)
        from datetime import timedelta

        stopped = ensureDeferred(self.cache.fills.stop(timedelta(seconds=1)))
        self.cache.clock.pump([0.1] * 5)
        self.assertNoResult(stopped)
        self.cache.clock.pump([0.1] * 10)
        self.successResultOf(stopped)
        self.failureResultOf(body, UpstreamFailed)
        self.assertEqual(0, len(self.cache.fills))

    def test_slow_disk_pauses_upstream(self) -> None:
        """Upstream is paused while more than the window waits for the disk, and resumed after."""
        waiting: list[Deferred[None]] = []

        async def slowly(work: object, *args: object) -> object:
            turn: Deferred[None] = Deferred()
            waiting.append(turn)
            await turn
            return work(*args)  # type: ignore[operator]

        self.cache.fills.in_thread = slowly
        response = ScriptedResponse()
        self.start(script(response))
        for _ in range(40):
            response.send(bytes(1 << 16))
        self.assertTrue(response.paused)
        while waiting:
            waiting.pop(0).callback(None)
        self.assertFalse(response.paused)
