"""A proxy mount over a scripted origin: who asks, who shares, what is forgotten."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from packeton.errors import UpstreamFailed
from packeton.features.proxying.exchange import Answer, Exchange, PassingAnswer, PlainAnswer, ProxyRequest, StoredAnswer
from packeton.features.proxying.origin import MAX_VARIANTS
from packeton.interfaces.upstream import UpstreamLimits, UpstreamRequest
from tests.support.scripted import ScriptedClient, ScriptedResponse, pairs
from tests.support.store import MemoryCache

FRESH = (("Cache-Control", "max-age=60"), ("ETag", '"1"'))
BODY = b"x" * 100


class HeldClient(ScriptedClient):
    """Gives a head at the clock's next turn, but none between `hold` and `release`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.held: list[Deferred[None]] | None = None
        self._clock = clock

    async def request(self, request: UpstreamRequest) -> Any:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if self.held is not None:
            waiter: Deferred[None] = Deferred()
            self.held.append(waiter)
            await waiter
        else:
            await deferLater(self._clock, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def hold(self) -> None:
        """Hold heads back from now on."""
        self.held = []

    def release(self) -> None:
        """Let all heads come."""
        waiting, self.held = self.held or [], None
        for waiter in waiting:
            waiter.callback(None)


class ExchangeTests(SynchronousTestCase):
    """One mount."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.client = HeldClient(self.cache.clock)
        self.exchange = Exchange(
            name="f",
            url="http://origin.example/base",
            client=self.client,
            storage=self.cache.storage,
            fills=self.cache.fills,
            now=self.cache.now,
            limits=UpstreamLimits(),
        )

    def script(self, *answers: ScriptedResponse | Exception) -> None:
        self.client.answers.extend(answers)

    def fresh(self, body: bytes | None = BODY, *more: tuple[str, str], status: int = 200) -> ScriptedResponse:
        length = None if body is None else len(body)
        return ScriptedResponse(status=status, headers=(*FRESH, *more), body=body, length=length)

    def ask(self, target: str = "/x", method: str = "GET", **headers: str) -> "Deferred[Answer]":
        request = ProxyRequest(method=method, target=target, headers=tuple(pairs(**headers)))
        return ensureDeferred(self.exchange.answer(request))

    def now(self, asked: "Deferred[Answer]") -> tuple[Answer, bytes]:
        """Return an answer that must be there, and its body."""
        self.age(0)
        answer = self.successResultOf(asked)
        if isinstance(answer, PassingAnswer):
            parts = []
            while chunk := self.run_now(answer.follower.read(1000)):
                parts.append(chunk)
            answer.follower.close()
            return answer, b"".join(parts)
        if isinstance(answer, StoredAnswer):
            body = answer.blob.read_at(0, answer.blob.size)
            answer.blob.close()
            return answer, body
        return answer, answer.body

    def run_now(self, work: "Coroutine[Any, Any, bytes]") -> bytes:
        return self.successResultOf(ensureDeferred(work))

    def age(self, seconds: float) -> None:
        self.cache.clock.advance(seconds)

    def test_hit(self) -> None:
        """The second is served from the store, with its age."""
        self.script(self.fresh())
        self.now(self.ask())
        self.age(5)
        answer, body = self.now(self.ask())
        self.assertEqual(BODY, body)
        self.assertIn(("Age", "5"), answer.headers)
        self.assertEqual(1, len(self.client.requests))
        self.assertEqual("http://origin.example/base/x", self.client.requests[0].url)

    def test_request_fields(self) -> None:
        """What belongs to one connection stays there; what belongs to the message goes on."""
        self.script(self.fresh())
        self.now(self.ask(Connection="Hop, close", Hop="1", Expect="100-continue", Host="us", TE="trailers", Kept="2"))
        self.assertEqual((("Kept", "2"), ("Via", "1.1 packeton")), tuple(self.client.requests[0].headers))

    def test_date(self) -> None:
        """A response without Date gets the time it came in. Source: RFC 9110 section 6.6.1."""
        self.script(self.fresh())
        passing, _ = self.now(self.ask())
        self.age(9)
        stored, _ = self.now(self.ask())
        for answer in (passing, stored):
            self.assertIn(("Date", "Fri, 15 Jan 2027 08:00:00 GMT"), answer.headers)

    def test_crowd(self) -> None:
        """All who ask before the head, or while the body comes, share one question; late ones see its age."""
        response = self.fresh(None)
        self.client.hold()
        self.script(response)
        asked = [self.ask() for _ in range(5)]
        self.assertEqual(1, len(self.client.requests))
        self.client.release()
        response.send(BODY)
        self.age(3)
        late = self.ask()
        response.end()
        answers = [self.now(each) for each in (*asked, late)]
        self.assertEqual({BODY}, {body for _, body in answers})
        self.assertIn(("Age", "3"), answers[-1][0].headers)
        self.assertEqual(1, len(self.client.requests))

    def test_crowd_of_the_uncacheable(self) -> None:
        """Who waited for what may not be shared asks alone; who comes later does not wait for it any more."""
        for forbidding in ("private", "no-store", "no-cache", "max-age=0"):
            self.client.requests.clear()
            self.client.hold()
            own = [
                ScriptedResponse(headers=(("Cache-Control", forbidding),), body=b"%d" % number) for number in range(4)
            ]
            self.script(*own)
            asked = [self.ask(f"/{forbidding}") for _ in range(3)]
            self.assertEqual(1, len(self.client.requests))
            self.client.release()
            self.assertEqual({b"0", b"1", b"2"}, {self.now(each)[1] for each in asked}, forbidding)
            self.client.hold()
            self.script(ScriptedResponse(body=b"4"))
            asked = [self.ask(f"/{forbidding}") for _ in range(2)]
            self.assertEqual(5, len(self.client.requests), forbidding)
            self.client.release()
            for each in asked:
                self.now(each)

    def test_crowd_once_cacheable(self) -> None:
        """What could not be shared is again from its first answer on that can."""
        self.script(ScriptedResponse(body=b"0"), self.fresh())
        self.now(self.ask())
        self.now(self.ask())
        self.age(100)
        self.client.hold()
        self.script(self.fresh(b"new"))
        asked = [self.ask() for _ in range(3)]
        self.client.release()
        self.assertEqual({b"new"}, {self.now(each)[1] for each in asked})
        self.assertEqual(3, len(self.client.requests))

    def test_crowd_of_variants(self) -> None:
        """What was chosen for one language is not shared with another."""
        self.client.hold()
        self.script(*(self.fresh(name, ("Vary", "Accept-Language")) for name in (b"de", b"fr")))
        german, again, french = (self.ask(Accept_Language=language) for language in ("de", "de", "fr"))
        self.client.release()
        self.assertEqual([b"de", b"de", b"fr"], [self.now(each)[1] for each in (german, again, french)])
        self.assertEqual(2, len(self.client.requests))

    def test_crowd_with_credentials(self) -> None:
        """Requests with credentials neither lead nor join."""
        self.client.hold()
        self.script(self.fresh(b"public"), self.fresh(b"mine"))
        public, mine = self.ask(), self.ask(Authorization="Basic dTpw")
        self.client.release()
        self.assertEqual((b"public", b"mine"), (self.now(public)[1], self.now(mine)[1]))

    def test_crowd_at_the_dead(self) -> None:
        """They fail together, and the next one tries."""
        self.client.hold()
        self.script(UpstreamFailed("down"), self.fresh())
        asked = [self.ask() for _ in range(3)]
        self.client.release()
        for each in asked:
            self.failureResultOf(each, UpstreamFailed)
        self.assertEqual(1, len(self.client.requests))
        self.assertEqual(BODY, self.now(self.ask())[1])

    def test_leader_leaves(self) -> None:
        """Who asked first and hangs up takes nothing from the others."""
        self.client.hold()
        self.script(self.fresh())
        leader, other = self.ask(), self.ask()
        leader.addErrback(lambda _: None)
        leader.cancel()
        self.client.release()
        self.assertEqual(BODY, self.now(other)[1])
        self.assertEqual(1, len(self.client.requests))

    def test_crowd_at_the_stale(self) -> None:
        """One question validates for all; a 304 updates what is stored."""
        self.script(self.fresh())
        self.now(self.ask())
        self.age(100)
        self.client.hold()
        self.script(ScriptedResponse(status=304, headers=(*FRESH, ("New", "1")), body=b""))
        asked = [self.ask() for _ in range(4)]
        self.client.release()
        for each in asked:
            answer, body = self.now(each)
            self.assertEqual(BODY, body)
            self.assertIn(("New", "1"), answer.headers)
            self.assertIn(("Age", "0"), answer.headers)
        self.assertEqual(2, len(self.client.requests))
        self.assertEqual('"1"', self.client.header(1, "If-None-Match"))

    def test_confirmed_is_young(self) -> None:
        """The age counts from the last validation, also when the 304 has neither Date nor Age."""
        self.script(self.fresh(BODY, ("Age", "30"), ("Date", "Fri, 15 Jan 2027 07:59:30 GMT")))
        self.now(self.ask())
        self.age(40)
        self.script(ScriptedResponse(status=304, body=b""))
        self.now(self.ask())
        self.age(7)
        self.assertIn(("Age", "7"), self.now(self.ask())[0].headers)
        self.assertEqual(2, len(self.client.requests))

    def test_crowd_at_the_changed(self) -> None:
        """A new body in answer to a validation is shared too, and replaces the old one."""
        self.script(self.fresh())
        self.now(self.ask())
        self.age(100)
        self.client.hold()
        self.script(self.fresh(b"new"))
        asked = [self.ask() for _ in range(4)]
        self.client.release()
        self.assertEqual({b"new"}, {self.now(each)[1] for each in asked})
        self.assertEqual(b"new", self.now(self.ask())[1])
        self.assertEqual(2, len(self.client.requests))

    def test_head_from_the_store(self) -> None:
        """HEAD is answered by a stored GET, also when that must be validated."""
        self.script(self.fresh())
        self.now(self.ask())
        self.assertIsInstance(self.now(self.ask(method="HEAD"))[0], StoredAnswer)
        self.age(100)
        self.script(ScriptedResponse(status=304, headers=FRESH, body=b""))
        self.assertIsInstance(self.now(self.ask(method="HEAD"))[0], StoredAnswer)
        self.assertEqual("GET", self.client.requests[1].method)

    def test_only_if_cached(self) -> None:
        """Nothing is asked for who wants nothing but what is stored."""
        answer, _ = self.now(self.ask(Cache_Control="only-if-cached"))
        self.assertEqual(504, answer.status)
        self.assertEqual([], self.client.requests)

    def test_not_modified(self) -> None:
        """A client's validator is compared here; the 304 says what the response would."""
        self.script(self.fresh())
        self.now(self.ask())
        answer, _ = self.now(self.ask(If_None_Match='W/"1"'))
        assert isinstance(answer, PlainAnswer)
        self.assertEqual(304, answer.status)
        self.assertIn(("ETag", '"1"'), answer.headers)
        self.assertEqual(1, len(self.client.requests))

    def test_stale_while_revalidate(self) -> None:
        """The stale copy goes out at once, one question is asked behind, and its answer counts then."""
        told = (("Cache-Control", "max-age=1, stale-while-revalidate=60"), ("ETag", '"1"'))
        self.script(ScriptedResponse(headers=told, body=b"old"))
        self.now(self.ask())
        self.age(5)
        self.client.hold()
        self.script(self.fresh(b"new"))
        self.assertEqual([b"old"] * 3, [self.now(self.ask())[1] for _ in range(3)])
        self.assertEqual(2, len(self.client.requests))
        self.client.release()
        self.assertEqual(b"new", self.now(self.ask())[1])
        self.assertEqual(2, len(self.client.requests))

    def test_stale_if_error(self) -> None:
        """The stale copy stands in for an origin that is dead or answers 5xx, where it may."""
        for allowed in (True, False):
            more = ", stale-if-error=60" if allowed else ""
            self.script(ScriptedResponse(headers=(("Cache-Control", f"max-age=1{more}"),), body=b"old"))
            target = f"/{allowed}"
            self.now(self.ask(target))
            self.age(5)
            self.script(ScriptedResponse(status=503, body=b"sorry"), UpstreamFailed("down"))
            self.assertEqual(b"old" if allowed else b"sorry", self.now(self.ask(target))[1])
            if allowed:
                self.assertEqual(b"old", self.now(self.ask(target))[1])
            else:
                asked = self.ask(target)
                self.age(0)
                self.failureResultOf(asked, UpstreamFailed)

    def test_unsafe(self) -> None:
        """A success forgets the target and what Location names; an error forgets nothing."""
        for target in ("/x", "/y"):
            self.script(self.fresh())
            self.now(self.ask(target))
        self.script(ScriptedResponse(status=500, body=b""))
        self.now(self.ask(method="DELETE"))
        self.now(self.ask())
        self.assertEqual(3, len(self.client.requests))
        self.script(ScriptedResponse(status=201, headers=(("Location", "/base/y"),), body=b""))
        self.now(self.ask(method="POST"))
        for target in ("/x", "/y"):
            self.script(self.fresh(b"new"))
            self.assertEqual(b"new", self.now(self.ask(target))[1])

    def test_unreadable_location(self) -> None:
        """An origin that sends nonsense in Location is passed on."""
        self.script(ScriptedResponse(status=201, headers=(("Location", "http://["),), body=b"made"))
        self.assertEqual(b"made", self.now(self.ask(method="POST"))[1])

    def test_overtaken(self) -> None:
        """What was asked for before an unsafe request is neither stored nor shared after it."""
        before = self.fresh(None)
        self.script(before)
        first = self.ask()
        self.script(ScriptedResponse(body=b""))
        self.now(self.ask(method="PUT"))
        self.script(self.fresh(b"after"))
        self.assertEqual(b"after", self.now(self.ask())[1])
        before.send(BODY)
        before.end()
        self.assertEqual(BODY, self.now(first)[1])
        self.assertEqual(b"after", self.now(self.ask())[1])

    def test_overtaken_question(self) -> None:
        """Who asks after an unsafe request does not join a question from before, whose head has not come."""
        self.client.hold()
        self.script(self.fresh(b"before"))
        first = self.ask()
        held, self.client.held = self.client.held, None
        self.script(ScriptedResponse(body=b""), self.fresh(b"after"))
        self.now(self.ask(method="PUT"))
        second = self.now(self.ask())[1]
        assert held is not None
        held[0].callback(None)
        self.assertEqual((b"before", b"after"), (self.now(first)[1], second))
        self.assertEqual(3, len(self.client.requests))
        self.assertEqual(second, self.now(self.ask())[1])

    def test_overtaken_validation(self) -> None:
        """A 304 that an unsafe request overtook does not bring back what was forgotten."""
        self.script(self.fresh())
        self.now(self.ask())
        self.age(100)
        self.client.hold()
        self.script(ScriptedResponse(status=304, headers=FRESH, body=b""))
        first = self.ask()
        held, self.client.held = self.client.held, None
        assert held is not None
        self.script(ScriptedResponse(body=b""))
        self.now(self.ask(method="PUT"))
        self.script(self.fresh(b"again"))
        held[0].callback(None)
        self.assertEqual(b"again", self.now(first)[1])

    def test_lost_body(self) -> None:
        """A stored response whose body is gone is fetched again, also when the origin says that it still holds."""
        for wait in (0, 100):
            self.script(self.fresh())
            self.now(self.ask(f"/{wait}"))
            self.cache.blobs.blobs.clear()
            self.age(wait)
            if wait:
                self.script(ScriptedResponse(status=304, headers=FRESH, body=b""))
            self.script(self.fresh(b"again"))
            self.assertEqual(b"again", self.now(self.ask(f"/{wait}"))[1])

    def test_limited_fields(self) -> None:
        """Fields that `private` names are not stored, those that `no-cache` names are not served from the store."""
        told = ("Cache-Control", 'max-age=60, private="A", no-cache="B"')
        self.script(ScriptedResponse(headers=(told, ("A", "1"), ("B", "2"), ("C", "3")), body=BODY))
        first, _ = self.now(self.ask())
        again, _ = self.now(self.ask())
        self.assertEqual({"A", "B", "C"}, {name for name, _ in first.headers} & {"A", "B", "C"})
        self.assertEqual({"C"}, {name for name, _ in again.headers} & {"A", "B", "C"})

    def test_variants_are_bounded(self) -> None:
        """A client that makes up variants fills no table; the last ones stay."""
        for number in range(MAX_VARIANTS + 5):
            self.script(self.fresh(BODY, ("Vary", "X")))
            self.now(self.ask(X=str(number)))
            self.age(timedelta(milliseconds=1).total_seconds())
        kept = self.successResultOf(ensureDeferred(self.cache.storage.variants("proxy/f/x")))
        self.assertEqual(MAX_VARIANTS, len(kept))
        self.assertEqual(MAX_VARIANTS, len(self.cache.blobs.blobs))
        self.now(self.ask(X=str(MAX_VARIANTS + 4)))
