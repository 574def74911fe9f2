"""Warming: what it says was fetched lies in the store."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from packeton.features.mirroring.directory import MirrorSite
from packeton.features.mirroring.warming import Locked, Warmed, Warming, WarmOutcome
from packeton.interfaces.upstream import IHttpClient, IUpstreamResponse, UpstreamRequest
from tests.support.mirror import BASE, MirrorTestCase
from tests.support.scripted import ScriptedResponse, immediately
from tests.support.shapes import make_shape, zips

LOCKED = Locked(name="acme/lib", version="2.0.1", reference="d" * 40, type="zip")


ZIP = zips()["/zips/acme/lib/d.zip"]


@implementer(IHttpClient)
@define
class StubClient:
    """Answers by a function."""

    request: Callable[[UpstreamRequest], Awaitable[IUpstreamResponse]]


class WarmingTests(MirrorTestCase):
    """One package through one mirror; the test sends the dist."""

    def setUp(self) -> None:
        self.build(make_shape("v2", BASE))
        self.second("acme/lib")
        self.second("acme/lib", dev=True)
        self.sent: list[ScriptedResponse] = []
        files = self.client.request

        async def request(request: UpstreamRequest) -> IUpstreamResponse:
            if not request.url.endswith(".zip"):
                return await files(request)
            self.sent.append(ScriptedResponse(length=len(ZIP), url=request.url))
            return self.sent[-1]

        self.dists._client = StubClient(request)

    def warm(self) -> Deferred[Warmed]:
        site = MirrorSite(mirror=self.mirror, dists=self.dists, source=None)  # type: ignore[arg-type]
        return self.deferred(Warming({"up": site}).warm(LOCKED))

    def send(self) -> None:
        self.sent[-1].send(ZIP)
        self.sent[-1].end()

    def test_lies_in_the_store(self) -> None:
        """It has not ended before the dist is kept: whoever waits for it may end the process."""
        held: list[Deferred[None]] = []

        def slowly(work: Callable[..., Any], /, *arguments: object) -> Awaitable[Any]:
            if work.__name__ != "commit":
                return immediately(work, *arguments)
            held.append(Deferred())
            return held[-1].addCallback(lambda _: work(*arguments))

        self.cache.storage._in_thread = slowly
        warmed = self.warm()
        self.send()
        self.assertNoResult(warmed)
        held[0].callback(None)
        self.assertEqual(WarmOutcome.FETCHED, self.successResultOf(warmed).outcome)
        self.assertEqual(WarmOutcome.HELD, self.successResultOf(self.warm()).outcome)

    def test_not_kept(self) -> None:
        """A dist that the store does not take was not had."""
        self.cache.blobs.room = 10
        waiting = self.warm()
        self.send()
        warmed = self.successResultOf(waiting)
        self.assertEqual((WarmOutcome.MISSING, "up: the dist could not be kept"), (warmed.outcome, warmed.reason))
