"""Reading a small body whole."""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.errors import BadContent
from packeton.interfaces.upstream import IBodyReceiver, IUpstreamResponse

__all__ = ["read_body"]


@implementer(IBodyReceiver)
class _Collector:
    def __init__(self, max_bytes: int) -> None:
        self.done: Deferred[bytes] = Deferred()
        self.producer: IPushProducer | None = None
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= self._max_bytes:
            self._parts.append(chunk)
        elif self.producer is not None:
            self.producer.stopProducing()

    def ended(self, failure: Failure | None) -> None:
        if self._size > self._max_bytes:
            self.done.errback(BadContent(f"the answer is larger than {self._max_bytes} bytes"))
        elif failure is not None:
            self.done.errback(failure)
        else:
            self.done.callback(b"".join(self._parts))


async def read_body(response: IUpstreamResponse, max_bytes: int) -> bytes:
    """
    Return the whole body of *response*.

    Raises:
        UpstreamFailed (and kinds): it broke off, or is larger than *max_bytes* (BadContent).
    """
    collector = _Collector(max_bytes)
    collector.producer = response.deliver(collector)
    return await collector.done
