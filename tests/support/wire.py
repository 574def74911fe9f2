"""A resource asked over HTTP without a socket: real bytes in, real bytes out, on a clock of the test's own."""

import http.client
import io
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import IResource
from twisted.web.server import Site

from tests.support.client import Answer

__all__ = ["Wire"]


class _Socket:
    """What http.client reads an answer from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


class Wire:
    """One resource; each `ask` is a connection of its own. What waits for more than the test's own code never answers."""

    def __init__(self, resource: IResource, clock: Clock | None = None) -> None:
        self._site = Site(resource, reactor=clock or Clock())
        self._site.timeOut = None
        self._site.doStart()

    def close(self) -> None:
        """Let go of the site."""
        self._site.doStop()

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Return the answer to one request."""
        fields = {"Host": "repo.example.com", "Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        transport: Any = StringTransport(IPv4Address("TCP", "192.0.2.2", 80), IPv4Address("TCP", "192.0.2.1", 1234))
        channel = self._site.buildProtocol(transport.getPeer())
        channel.makeConnection(transport)
        channel.dataReceived("\r\n".join(lines).encode() + body)
        response = http.client.HTTPResponse(_Socket(transport.value()), method=method)  # type: ignore[arg-type]
        response.begin()
        content = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=content, complete=True)
