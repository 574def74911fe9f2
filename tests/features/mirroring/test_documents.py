"""Documents: fresh, refreshed behind, revalidated, stale, absent."""

from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.backoff import Attempts
from packeton.core.composer.metadata import read_object
from packeton.errors import BadContent, NotFound, UpstreamBusy, UpstreamFailed
from packeton.features.mirroring.documents import Document, DocumentRequest, Documents, Outcome
from packeton.features.mirroring.publications import Publications
from packeton.interfaces.upstream import UpstreamLimits
from tests.support.scripted import ScriptedResponse, immediately, pairs, script
from tests.support.store import MemoryCache

URL = "https://up.example/p2/acme/foo.json"
OLD = "Tue, 14 Nov 2023 22:13:20 GMT"
NEW = "Wed, 15 Nov 2023 22:13:20 GMT"


async def _locate() -> str:
    return URL


def answer(text: str, modified: str = OLD, **fields: str) -> ScriptedResponse:
    return ScriptedResponse(body=text.encode(), length=len(text), headers=pairs(Last_Modified=modified, **fields))


class DocumentsTests(SynchronousTestCase):
    """60 s fresh, refreshed behind for 600 s more."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.client = script()
        self.documents = self.of_upstream("one")

    def of_upstream(self, origin: str) -> Documents:
        return Documents(
            self.client, self.cache.storage, self.cache.fills, self.cache.clock, immediately, UpstreamLimits(),
            Attempts(), lambda: 0.5, timedelta(days=1), timedelta(seconds=600), origin,
        )  # fmt: skip

    def request(self, **more: Any) -> DocumentRequest:
        return DocumentRequest(key="k", locate=_locate, check=read_object, fresh_for=timedelta(seconds=60), **more)

    def ask(self) -> Deferred[Document]:
        return ensureDeferred(self.documents.find(self.request()))

    def content(self, outcome: Outcome) -> bytes:
        document = self.successResultOf(self.ask())
        self.assertEqual(outcome, document.outcome)
        return self.successResultOf(ensureDeferred(self.documents.content(document)))

    def hold(self, **fields: str) -> None:
        self.client.answers.append(answer('{"n":1}', **fields))
        self.assertEqual(b'{"n":1}', self.content(Outcome.MISS))

    def test_fresh(self) -> None:
        """A fresh copy is served unasked."""
        self.hold()
        self.cache.clock.advance(59)
        self.assertEqual(b'{"n":1}', self.content(Outcome.HIT))
        self.assertEqual(1, len(self.client.requests))

    def test_behind(self) -> None:
        """An older one is served at once, and refreshed conditionally for the next."""
        self.hold(ETag='"a"')
        self.cache.clock.advance(61)
        self.client.answers.append(answer('{"n":2}', NEW))
        self.assertEqual(Outcome.STALE, self.successResultOf(self.ask()).outcome)
        self.assertEqual(('"a"', OLD), (self.client.header(1, "If-None-Match"), self.client.header(1, "If-Modified-Since")))
        self.assertEqual(b'{"n":2}', self.content(Outcome.HIT))

    def test_confirmed(self) -> None:
        """304 makes the copy fresh again; the body is not fetched."""
        self.hold()
        self.cache.clock.advance(1000)
        self.client.answers.append(ScriptedResponse(status=304, body=b""))
        self.assertEqual(b'{"n":1}', self.content(Outcome.REVALIDATED))
        self.assertEqual(b'{"n":1}', self.content(Outcome.HIT))

    def test_another_upstream(self) -> None:
        """What the upstream before gave is no copy of this one's, but better than nothing, and gone when this one has none."""
        self.hold(ETag='"a"')
        self.documents = self.of_upstream("two")
        self.client.answers += [UpstreamFailed("down")] * 2
        asked = self.ask()
        self.cache.clock.pump([0.1] * 4)
        self.assertEqual(Outcome.STALE, self.successResultOf(asked).outcome)
        self.documents = self.of_upstream("two")
        self.client.answers[:] = [answer('{"n":7}', "Mon, 13 Nov 2023 22:13:20 GMT")]
        self.assertEqual(b'{"n":7}', self.content(Outcome.MISS))
        self.assertEqual((None, None), (self.client.header(-1, "If-None-Match"), self.client.header(-1, "If-Modified-Since")))
        self.assertEqual(b'{"n":7}', self.content(Outcome.HIT))
        self.documents = self.of_upstream("three")
        self.client.answers[:] = [ScriptedResponse(status=404, body=b"")]
        self.failureResultOf(self.ask(), NotFound)
        self.failureResultOf(self.ask(), NotFound)

    def test_failures(self) -> None:
        """An old copy is served on any failure; after a failure upstream is left alone for a while."""
        for failure in (UpstreamFailed("down"), ScriptedResponse(status=500), answer("<html>"), answer("[]")):
            self.setUp()
            self.hold()
            self.cache.clock.advance(1000)
            self.client.answers += [failure] * 2
            asked = self.ask()
            self.cache.clock.pump([0.1] * 4)
            self.assertEqual(Outcome.STALE, self.successResultOf(asked).outcome, failure)
            requests = len(self.client.requests)
            self.assertEqual(b'{"n":1}', self.content(Outcome.STALE))
            self.assertEqual(requests, len(self.client.requests))
            self.client.answers[:] = [answer('{"n":3}', NEW)]
            self.cache.clock.advance(31)
            self.assertEqual(b'{"n":3}', self.content(Outcome.MISS))

    def test_too_old(self) -> None:
        """A copy older than allowed is not served on failure."""
        self.hold()
        self.cache.clock.advance(86400 * 2)
        self.client.answers += [UpstreamFailed("down")] * 2
        asked = self.ask()
        self.cache.clock.pump([0.1] * 4)
        self.failureResultOf(asked, UpstreamFailed)
        self.failureResultOf(self.ask(), UpstreamBusy)

    def test_slow(self) -> None:
        """A client waits five seconds for a revalidation, no more; the answer that comes later counts."""
        self.hold()
        self.cache.clock.advance(1000)
        late = ScriptedResponse(length=7)
        self.client.answers.append(late)
        asked = self.ask()
        self.assertNoResult(asked)
        self.cache.clock.advance(5.1)
        self.assertEqual(Outcome.STALE, self.successResultOf(asked).outcome)
        late.send(b'{"n":4}')
        late.end()
        self.assertEqual(b'{"n":4}', self.content(Outcome.HIT))

    def test_slow_for_one_is_slow_for_all(self) -> None:
        """Once one waited in vain, others with an old copy of anything get it at once; a success ends that."""
        self.hold()
        self.cache.clock.advance(1000)
        self.client.answers.append(ScriptedResponse(length=7))
        asked = self.ask()
        self.cache.clock.advance(5.1)
        self.successResultOf(asked)
        self.assertEqual(Outcome.STALE, self.successResultOf(self.ask()).outcome)

    def test_absent(self) -> None:
        """404 and 410 are remembered for a minute, also past a failing upstream; then they are asked for again."""
        self.client.answers.append(ScriptedResponse(status=410, body=b""))
        self.failureResultOf(self.ask(), NotFound)
        self.cache.clock.advance(59)
        self.failureResultOf(self.ask(), NotFound)
        self.assertEqual(1, len(self.client.requests))
        self.cache.clock.advance(10)
        self.client.answers += [UpstreamFailed("down")] * 2
        asked = self.ask()
        self.cache.clock.pump([0.1] * 4)
        self.failureResultOf(asked, NotFound)
        self.cache.clock.advance(30)
        self.client.answers.append(answer('{"n":5}'))
        self.assertEqual(b'{"n":5}', self.content(Outcome.MISS))

    def test_gone(self) -> None:
        """What upstream has no more is gone here too, body and all, once it stood by that for a minute."""
        self.hold()
        self.cache.clock.advance(1000)
        for _ in range(2):
            self.client.answers.append(ScriptedResponse(status=404, body=b""))
        self.assertEqual(b'{"n":1}', self.content(Outcome.STALE))
        self.assertEqual(b'{"n":1}', self.content(Outcome.HIT))
        self.assertEqual(2, len(self.client.requests))
        self.cache.clock.advance(1000)
        self.failureResultOf(self.ask(), NotFound)
        self.assertEqual({}, self.cache.blobs.blobs)

    def test_flapping(self) -> None:
        """What is missing now and then was never gone; asked for by name it is said to be missing, and stays."""
        self.hold()
        for number in range(4):
            self.cache.clock.advance(1000)
            missing = number % 2 == 0
            self.client.answers.append(ScriptedResponse(status=404 if missing else 304, body=b""))
            self.assertEqual(b'{"n":1}', self.content(Outcome.STALE if missing else Outcome.REVALIDATED))
        self.client.answers.append(ScriptedResponse(status=404, body=b""))
        self.failureResultOf(ensureDeferred(self.documents.refresh(self.request())), NotFound)
        self.assertEqual(b'{"n":1}', self.content(Outcome.HIT))

    def test_not_to_go(self) -> None:
        """Where upstream's word does not count, what we hold stays, however long it stands by it."""

        async def never() -> bool:
            return False

        self.hold()
        for _ in range(3):
            self.cache.clock.advance(1000)
            self.client.answers.append(ScriptedResponse(status=404, body=b""))
            document = self.successResultOf(ensureDeferred(self.documents.find(self.request(may_go=never))))
            self.assertEqual(Outcome.STALE, document.outcome)

    def test_shared(self) -> None:
        """Two that ask at once cause one request; one that leaves takes nothing from the other."""
        response = ScriptedResponse(length=7)
        self.client.answers.append(response)
        one, two = self.ask(), self.ask()
        one.addErrback(lambda _: None)
        one.cancel()
        response.send(b'{"n":1}')
        response.end()
        self.assertEqual(b'{"n":1}', self.successResultOf(two).content)
        self.assertEqual(1, len(self.client.requests))

    def test_bad_without_a_copy(self) -> None:
        """Without a copy the reason is told, and a second question at once is not passed on."""
        self.client.answers += [answer("<html>")] * 2
        self.assertIn("an HTML page", str(self.failureResultOf(self.ask(), BadContent).value))
        self.failureResultOf(self.ask(), UpstreamBusy)
        self.assertEqual(1, len(self.client.requests))

    def test_backwards(self) -> None:
        """An answer older than ours is a lagging replica, for an hour; then it is believed."""
        self.client.answers.append(answer('{"n":1}', NEW))
        self.assertEqual(b'{"n":1}', self.content(Outcome.MISS))
        self.cache.clock.advance(700)
        self.client.answers.append(answer('{"n":0}', OLD))
        self.assertEqual(b'{"n":1}', self.content(Outcome.REVALIDATED))
        self.assertEqual(b'{"n":1}', self.content(Outcome.HIT))
        self.cache.clock.advance(3600)
        self.client.answers.append(answer('{"n":0}', OLD))
        self.assertEqual(b'{"n":0}', self.content(Outcome.MISS))

    def test_back_from_the_future(self) -> None:
        """A date that is still to come says nothing about what is older: upstream put its clock right."""
        self.client.answers.append(answer('{"n":1}', "Fri, 14 Nov 2036 22:13:20 GMT"))
        self.assertEqual(b'{"n":1}', self.content(Outcome.MISS))
        self.cache.clock.advance(700)
        self.client.answers.append(answer('{"n":2}', OLD))
        self.assertEqual(b'{"n":2}', self.content(Outcome.MISS))


class PublicationsTests(SynchronousTestCase):
    """Dates that go forward only."""

    def test_dates(self) -> None:
        """Upstream's until the output changes; then later, by a second at least; also across a restart."""
        cache = MemoryCache()
        self.addCleanup(cache.close)
        now = cache.now().replace(microsecond=0)

        def date(fingerprint: str, upstream: timedelta, publications: Publications) -> timedelta:
            work = publications.last_modified("k", fingerprint, now + upstream)
            return self.successResultOf(ensureDeferred(work)) - now

        second = timedelta(seconds=1)
        publications = Publications(cache.publications)
        self.assertEqual(0 * second, date("a", 0 * second, publications))
        self.assertEqual(0 * second, date("a", 9 * second, publications))
        self.assertEqual(second, date("b", 0 * second, publications))
        self.assertEqual(9 * second, date("c", 9 * second, publications))
        self.assertEqual(10 * second, date("d", -5 * second, Publications(cache.publications)))

    def test_two_processes(self) -> None:
        """What another process has sent meanwhile counts: no date stands for two contents."""
        cache = MemoryCache()
        self.addCleanup(cache.close)
        one, two = Publications(cache.publications), Publications(cache.publications)
        start = cache.now().replace(microsecond=0)

        def date(publications: Publications, fingerprint: str) -> int:
            work = publications.last_modified("k", fingerprint, start)
            return int((self.successResultOf(ensureDeferred(work)) - start).total_seconds())

        self.assertEqual([0, 0], [date(one, "a"), date(two, "a")])
        self.assertEqual(1, date(one, "b"))
        self.assertEqual([2, 1], [date(two, "c"), date(one, "b")])
        self.assertEqual([2, 3, 3], [date(one, "c"), date(one, "d"), date(two, "d")])
