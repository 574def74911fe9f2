"""The port to upstream HTTP servers: one request out, one streamed answer in."""

from collections.abc import Sequence
from datetime import timedelta

from attrs import field, frozen
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

__all__ = ["Headers", "IBodyReceiver", "IHttpClient", "IUpstreamResponse", "UpstreamLimits", "UpstreamRequest"]

Headers = Sequence[tuple[str, str]]
"""Header fields in order, names as sent; repeated fields stay repeated. Latin-1 text."""


@frozen(kw_only=True)
class UpstreamLimits:
    """The bounds of one upstream exchange; every one of them always applies."""

    connect_timeout: timedelta = timedelta(seconds=10)
    response_timeout: timedelta = timedelta(seconds=30)
    """From the request (all redirects and the wait for a free connection included) to the last response head."""
    idle_timeout: timedelta = timedelta(seconds=30)
    """The longest silence inside a body; time during which the receiver paused us does not count."""
    total_timeout: timedelta = timedelta(minutes=30)
    max_body_bytes: int = 2 * 2**30
    max_redirects: int = 10


@frozen(kw_only=True)
class UpstreamRequest:
    """One request. Credentials, User-Agent and proxies are added by the client, by the URL's origin."""

    method: str = "GET"
    url: str
    headers: Headers = ()
    body: bytes | None = None
    limits: UpstreamLimits = field(factory=UpstreamLimits)
    follow_redirects: bool = True
    decode: bool = True
    """True: offer gzip and undo it (`length` is then unknown for a coded answer; a request with a Range offers none).
    False: bytes as on the wire."""


class IBodyReceiver(Interface):
    """Takes one body. Exactly one `ended` comes, after the last `received`."""

    def received(chunk: bytes) -> None:
        """Take the next bytes, never empty."""

    def ended(failure: Failure | None) -> None:
        """
        Take the end: None when the body is complete, as its framing says.

        A body that has neither a length nor chunks is complete when its connection was closed in order (RFC 9112
        section 8). A `Failure` holds an `UpstreamFailed` (or a kind of it): connection lost or reset, short of its
        Content-Length, idle too long, over `max_body_bytes` (`BadContent`), a content coding that was damaged or ended
        too early (`BadContent`), total time over.
        """


class IUpstreamResponse(Interface):
    """A response head, with its body still to come. Either `deliver` or `abort` must be called, once."""

    status: int = Attribute("the status of the last hop")
    headers: Headers = Attribute("all fields of the last hop; without Content-Encoding if that was undone")
    length: int | None = Attribute("body size in bytes, when the head gave it")
    url: str = Attribute("the URL that answered, after redirects, without credentials")

    def deliver(receiver: IBodyReceiver) -> IPushProducer:
        """
        Send the body to *receiver*.

        Returns:
            Flow control of this body: `pauseProducing`, `resumeProducing`; `stopProducing` aborts the
            transfer and `ended` then still comes, with a failure.
        """

    def abort() -> None:
        """Give the body up without reading it."""


class IHttpClient(Interface):
    """Asks upstream servers, within limits."""

    async def request(request: UpstreamRequest) -> IUpstreamResponse:
        """
        Send *request* and wait for the response head.

        Any status is a response, also 4xx and 5xx. 3xx with Location is followed when asked for and the
        method is GET or HEAD.

        Raises:
            UpstreamTimedOut: no head within the limits.
            UpstreamBusy: the host asked to be left alone, or too many wait for it; its `retry_after` says how long.
            BadContent: an answer that is no HTTP, or whose head does not end.
            UpstreamFailed: not reachable, TLS not trusted, connection lost, too many redirects; the text names the
                host and the reason, never a credential.
            UpstreamRefused: the URL is no http or https address, or a redirect led to an address that upstream may
                not send us to.
        """
