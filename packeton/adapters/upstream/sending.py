"""One request through treq: its URL as it stands, no cookies kept, and gzip left to `BodyReader` to undo."""

from typing import Any

from attrs import frozen
from hyperlink import EncodedURL
from treq.client import HTTPClient as TreqClient
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers as WireHeaders
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from packeton.adapters.upstream.connections import original
from packeton.adapters.upstream.decoding import Gunzip

__all__ = ["coding_of", "send_with_treq"]

GZIP = frozenset({"gzip", "x-gzip"})


async def send_with_treq(
    agent: IAgent, method: str, url: str, headers: WireHeaders, body: IBodyProducer | None
) -> IResponse:
    """Offer gzip, and return Twisted's own response, out of treq's wrappers; `coding_of` tells how it is coded."""
    client = TreqClient(_Coded(agent))  # a new one each time: it would keep cookies for others
    answer = await client.request(
        method, _Verbatim.of(url), headers=headers, data=body, allow_redirects=False, unbuffered=True
    )
    own: IResponse = original(answer)
    if own.headers.getRawHeaders(b"content-encoding") == [b""]:  # Twisted's ContentDecoderAgent adds it where none was
        own.headers.removeHeader(b"content-encoding")
    return own


def coding_of(answer: Any) -> Gunzip | None:
    """Return what undoes the content coding of an answer; None where it has none that we undo."""
    decoder: Gunzip | None = getattr(answer, "coding", None)
    return decoder


class _Verbatim(EncodedURL):
    """A URL that treq sends as it stands: it would lose an empty query, and cannot write IPv6 addresses."""

    _verbatim = ""

    @classmethod
    def of(cls, url: str) -> "_Verbatim":
        made = cls.from_text(url)
        assert isinstance(made, _Verbatim)
        made._verbatim = url  # noqa: SLF001
        return made

    def to_uri(self) -> "_Verbatim":
        return self

    def to_text(self, with_password: bool = False) -> str:  # noqa: ARG002  # hyperlink's signature
        return self._verbatim


@implementer(IAgent)
@frozen
class _Coded:
    """
    Keeps treq from undoing gzip: `BodyReader` does it, in pieces of bounded size, and notices where it ends too early.
    """

    _agent: IAgent

    def request(
        self, method: bytes, uri: bytes, headers: WireHeaders | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """Send a request."""
        answered: Deferred[Any] = self._agent.request(method, uri, headers, bodyProducer)
        return answered.addCallback(self._strip)

    def _strip(self, answer: Any) -> Any:
        values = answer.headers.getRawHeaders(b"content-encoding", [])
        if len(values) == 1 and values[0].decode("latin-1").strip().lower() in GZIP:
            answer.headers.removeHeader(b"content-encoding")
            answer.coding = Gunzip()
        return answer
