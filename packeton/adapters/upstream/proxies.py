"""Which HTTP proxy a URL is fetched through, and the tunnel that a proxy gives for https."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.core.composer.credentials import basic_login, bracketed
from packeton.errors import ConfigurationInvalid

__all__ = ["Proxies", "Proxy", "ProxyFailed", "TunnelEndpoint"]

MAX_PROXY_ANSWER_BYTES = 8192
DEFAULT_PORT = 80
"""Source: Composer's Util/Http/ProxyHelper."""


class ProxyFailed(ConnectError):
    """The proxy gave no tunnel; the text says why."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "the proxy failed"


@frozen
class Proxy:
    """One HTTP proxy."""

    host: str
    port: int
    authorization: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """
        Read `http://[user:password@]host[:port]`; the port is 80 where none is written, as in Composer.

        Raises:
            ValueError: it is none; the text holds nothing of *url*.
        """
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            host, port = parts.hostname, parts.port or DEFAULT_PORT
        except ValueError:
            host, port = None, 0
        if not host or parts.scheme != "http":
            raise ValueError("a proxy is http://[user:password@]host:port")
        authorization = None
        if parts.username is not None:
            authorization = basic_login(unquote(parts.username), unquote(parts.password or ""))
        return cls(host, port, authorization)


@frozen(kw_only=True)
class Proxies:
    """Which proxy a URL is fetched through. Source: the conventions of curl (`man curl`, ENVIRONMENT)."""

    http: Proxy | None
    https: Proxy | None
    no_proxy: tuple[str, ...]

    @classmethod
    def choose(
        cls, *, http: str | None, https: str | None, no_proxy: str | None, environment: Mapping[str, str]
    ) -> "Proxies":
        """
        Read settings and, where one is None, the environment; an empty text means no proxy.

        Raises:
            ConfigurationInvalid: the text names the option or the variable, and none of its value.
        """
        # HTTP_PROXY in upper case is not read: a client of a CGI program can set it with a header `Proxy`.
        return cls(
            http=_choose("packeton.upstream.http_proxy", http, ("http_proxy",), environment),
            https=_choose("packeton.upstream.https_proxy", https, ("https_proxy", "HTTPS_PROXY"), environment),
            no_proxy=_hosts(no_proxy if no_proxy is not None else _first(("no_proxy", "NO_PROXY"), environment)[1]),
        )

    def for_url(self, scheme: str, host: str, port: int | None = None) -> Proxy | None:
        """Return the proxy for a URL, None for a direct connection."""
        port = port or (443 if scheme == "https" else 80)
        if any(_matches(pattern, host.lower().strip("[]"), port) for pattern in self.no_proxy):
            return None
        return self.https if scheme == "https" else self.http


def _choose(option: str, value: str | None, names: tuple[str, ...], environment: Mapping[str, str]) -> Proxy | None:
    source = option
    if value is None:
        source, value = _first(names, environment)
    try:
        return Proxy.parse(value) if value else None
    except ValueError as error:
        raise ConfigurationInvalid(f"{source}: {error}") from None


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, str]:
    return next(((name, environment[name]) for name in names if environment.get(name)), (names[0], ""))


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in text.replace(",", " ").split())


def _matches(pattern: str, host: str, port: int) -> bool:
    """Say if one part of `no_proxy` means *host*: `*`, a host, a domain, an address, a network, each with a port."""
    if pattern == "*":
        return True
    name, colon, number = pattern.rpartition(":")
    if colon and number.isdecimal() and (":" not in name or name.startswith("[")):
        if int(number) != port:
            return False
        pattern = name
    bare = pattern.strip("[]").removeprefix(".")
    if host == bare or host.endswith("." + bare):
        return bool(bare)
    try:
        return ip_address(host) in ip_network(bare, strict=False)
    except ValueError:
        return False


class _Tunnel(ProtocolWrapper):
    """Asks an HTTP proxy for a tunnel; what comes after its 2xx is the other side. Source: RFC 9110 section 9.3.6."""

    def __init__(self, factory: "_TunnelFactory", wrapped: Protocol) -> None:
        super().__init__(cast("Any", factory), wrapped)
        self._answer = b""
        self._open = False
        self._request = factory.request
        self._opened = factory.opened
        factory.tunnels.append(self)

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._open:
            self.wrappedProtocol.dataReceived(data)
            return
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end and len(head) < MAX_PROXY_ANSWER_BYTES:
            return
        status = (head.split(b" ", 2)[1:2] or [b""])[0][:3]
        if not end or len(status) != 3 or not status.startswith(b"2"):
            told = status.decode("latin-1") if status.isdigit() else "something that is no HTTP"
            self.failed(f"the proxy answered {told}")
            return
        self._open, self._answer = True, b""
        super().makeConnection(self.transport)
        self._opened.callback(self.wrappedProtocol)
        if rest:
            self.wrappedProtocol.dataReceived(rest)

    def connectionLost(self, reason: Any = None) -> None:
        if self._open:
            super().connectionLost(reason)
        else:
            self.failed("the proxy closed the connection")

    def failed(self, why: str) -> None:
        """Give the tunnel up, if it is not open."""
        if self._open:
            return
        self.abort()
        if not self._opened.called:
            self._opened.errback(ProxyFailed(string=why))

    def abort(self) -> None:
        """Close the connection to the proxy at once."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()


class _TunnelFactory(WrappingFactory):
    noisy = False
    protocol = _Tunnel

    def __init__(self, wrapped: IProtocolFactory, request: bytes) -> None:
        super().__init__(wrapped)
        self.request = request
        self.tunnels: list[_Tunnel] = []
        self.opened: Deferred[Any] = Deferred(self._give_up)

    def _give_up(self, _: Deferred[Any]) -> None:
        for tunnel in self.tunnels:
            tunnel.abort()


def _cancel(failure: Failure, connecting: Deferred[Any]) -> Failure:
    connecting.cancel()
    return failure


@implementer(IStreamClientEndpoint)
@frozen
class TunnelEndpoint:
    """Connects to *host*:*port* through a proxy; cancelling closes the connection to the proxy."""

    _to_proxy: IStreamClientEndpoint
    _proxy: Proxy
    _host: str
    _port: int

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect to the proxy and ask it for a tunnel."""
        target = f"{bracketed(self._host)}:{self._port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self._proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization}")
        factory = _TunnelFactory(protocolFactory, "\r\n".join([*lines, "", ""]).encode())
        connecting = self._to_proxy.connect(factory)
        connecting.addErrback(lambda failure: None if factory.opened.called else factory.opened.errback(failure))
        return factory.opened.addErrback(_cancel, connecting)
