"""Client connections that also tell the `Connection` field of a response, which Twisted keeps to itself."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web._newclient import HTTP11ClientProtocol, Request  # only here can it be had
from twisted.web.client import HTTPConnectionPool
from twisted.web.client import _HTTP11ClientFactory as HTTP11ClientFactory
from twisted.web.iweb import IResponse

__all__ = ["connection_values", "telling_pool"]


class _Protocol(HTTP11ClientProtocol):
    """Marks each response with what stood in its Connection fields. Source: RFC 9110 section 7.6.1."""

    def request(self, request: Request) -> Deferred[IResponse]:
        """Send *request*."""
        answered = super().request(request)
        parser = self._parser

        def mark(response: Any) -> Any:
            fields = getattr(parser, "connHeaders", None)
            response.connection_values = [] if fields is None else fields.getRawHeaders(b"connection", [])
            return response

        return answered.addCallback(mark)


class _Factory(HTTP11ClientFactory):
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> HTTP11ClientProtocol:  # noqa: ARG002  # Twisted's signature
        return _Protocol(self._quiescentCallback)


def telling_pool(reactor: Any) -> HTTPConnectionPool:
    """Return a pool of such connections."""
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool._factory = _Factory  # noqa: SLF001  # the documented seam of the pool, if a private one
    return pool


def connection_values(answer: Any) -> list[str]:
    """Return the values of the Connection fields of an answer, also of one in a wrapper."""
    values = getattr(answer, "connection_values", [])
    return [value.decode("latin-1") for value in values]
