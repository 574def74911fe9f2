"""Connections to upstream: TLS that is verified, proxies, and addresses that a redirect may not lead to."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from attrs import define, field, frozen
from OpenSSL import SSL
from twisted.internet._sslverify import IOpenSSLTrustRoot  # no public way to add to the platform's trust
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from packeton.errors import ConfigurationInvalid

__all__ = ["Endpoints", "Proxies", "Proxy", "RedirectRefused", "trust_root"]

MAX_PROXY_ANSWER_BYTES = 8192


class RedirectRefused(ConnectError):
    """The host's addresses are not ones that an upstream may send us to."""

    def __init__(self) -> None:
        super().__init__(string="the address is private, and no upstream may send us there")


@implementer(IOpenSSLTrustRoot)
@frozen
class _AlsoTrusting:
    """The platform's authorities and those of a file."""

    _file: str

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.set_default_verify_paths()
        context.load_verify_locations(self._file)


def trust_root(ca_file: Path | None) -> Any:
    """Return whom to trust. Raises ConfigurationInvalid when the file has no certificates."""
    if ca_file is None:
        return platformTrust()
    try:
        SSL.Context(SSL.TLS_METHOD).load_verify_locations(str(ca_file))
    except SSL.Error as error:
        raise ConfigurationInvalid(f"packeton.upstream.ca_file: {ca_file} holds no certificates to read") from error
    return _AlsoTrusting(str(ca_file))


def is_public(address: str) -> bool:
    """Say if an address is one of the public internet."""
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    inner = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return parsed.is_global and not parsed.is_multicast and (inner is None or inner.is_global)


@implementer(IResolutionReceiver)
class _PublicOnly:
    def __init__(self, receiver: IResolutionReceiver, refused: list[str]) -> None:
        self._receiver = receiver
        self._refused = refused

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: IAddress) -> None:
        host = getattr(address, "host", "")
        if is_public(host):
            self._receiver.addressResolved(address)
        else:
            self._refused.append(host)

    def resolutionComplete(self) -> None:
        self._receiver.resolutionComplete()


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class _GuardedReactor:
    """A reactor whose names resolve to public addresses only; the connection then goes to what was checked."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.refused: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    @property
    def nameResolver(self) -> Any:
        return self

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        guarded = _PublicOnly(resolutionReceiver, self.refused)
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver.resolveHostName(guarded, hostName, portNumber, addressTypes, transportSemantics)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError("the guard's resolver stays")


@implementer(IStreamClientEndpoint)
@frozen
class _GuardedEndpoint:
    _reactor: Any
    _host: str
    _port: int
    _timeout: float

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        guarded = _GuardedReactor(self._reactor)
        connected = HostnameEndpoint(guarded, self._host, self._port, self._timeout).connect(protocolFactory)

        def failed(failure: Any) -> Any:
            if guarded.refused:
                raise RedirectRefused from failure.value
            return failure

        return connected.addErrback(failed)


@frozen
class Proxy:
    """One HTTP proxy."""

    host: str
    port: int
    authorization: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """Read `http://[user:password@]host[:port]`. Raises ValueError."""
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a proxy is http://host:port")
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + b64encode(pair.encode()).decode()
        return cls(parts.hostname, parts.port or 8080, authorization)


@frozen(kw_only=True)
class Proxies:
    """Which proxy a URL is fetched through. Source: the conventions of curl."""

    http: Proxy | None
    https: Proxy | None
    no_proxy: tuple[str, ...]

    @classmethod
    def choose(
        cls, *, http: str | None, https: str | None, no_proxy: str | None, environment: Mapping[str, str]
    ) -> "Proxies":
        """Read settings and, where they say nothing, the environment. Raises ConfigurationInvalid."""
        http = http or environment.get("http_proxy")  # upper case can be set by a client of CGI programs
        https = https or environment.get("https_proxy") or environment.get("HTTPS_PROXY")
        if no_proxy is None:
            no_proxy = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        try:
            return cls(
                http=Proxy.parse(http) if http else None,
                https=Proxy.parse(https) if https else None,
                no_proxy=tuple(part.strip().lower() for part in no_proxy.split(",") if part.strip()),
            )
        except ValueError as error:
            raise ConfigurationInvalid(f"packeton.upstream.http_proxy or https_proxy: {error}") from error

    def for_url(self, scheme: str, host: str) -> Proxy | None:
        """Return the proxy for a URL, None for a direct connection."""
        for part in self.no_proxy:
            bare = part.removeprefix(".")
            if part == "*" or host == bare or host.endswith("." + bare):
                return None
        return self.https if scheme == "https" else self.http


class _Tunnel(ProtocolWrapper):
    """Asks an HTTP proxy for a tunnel; what comes after its 200 is the other side. Source: RFC 9110 section 9.3.6."""

    def __init__(self, factory: "_TunnelFactory", wrapped: Protocol) -> None:
        super().__init__(cast("Any", factory), wrapped)
        self._answer = b""
        self._open = False
        self._request = factory.request
        self._opened = factory.opened

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
        status = head.split(b" ", 2)[1:2]
        if not end or status != [b"200"]:
            self._failed(f"the proxy answered {(status or [b'nothing'])[0].decode('latin-1')}")
            return
        self._open = True
        super().makeConnection(self.transport)
        self._opened.callback(self.wrappedProtocol)
        if rest:
            self.wrappedProtocol.dataReceived(rest)

    def connectionLost(self, reason: Any = None) -> None:
        if self._open:
            super().connectionLost(reason)
        else:
            self._failed("the proxy closed the connection")

    def _failed(self, why: str) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
        if not self._opened.called:
            self._opened.errback(ConnectError(string=why))


class _TunnelFactory(WrappingFactory):
    noisy = False
    protocol = _Tunnel

    def __init__(self, wrapped: IProtocolFactory, request: bytes, opened: Deferred[Any]) -> None:
        super().__init__(wrapped)
        self.request = request
        self.opened = opened


@implementer(IStreamClientEndpoint)
@frozen
class _TunnelEndpoint:
    _proxy_endpoint: HostnameEndpoint
    _proxy: Proxy
    _host: str
    _port: int

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        lines = [f"CONNECT {self._host}:{self._port} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        if self._proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization}")
        opened: Deferred[Any] = Deferred()
        factory = _TunnelFactory(protocolFactory, "\r\n".join([*lines, "", ""]).encode(), opened)
        connecting = self._proxy_endpoint.connect(factory)
        connecting.addErrback(lambda failure: None if opened.called else opened.errback(failure))
        return opened


@implementer(IAgentEndpointFactory)
@define
class Endpoints:
    """Makes the endpoint for each URL; *guarded* ones refuse addresses that are not public."""

    _reactor: Any
    _trust_root: Any
    _proxies: Proxies
    _connect_seconds: float
    _guarded: bool

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return where to connect to."""
        host = uri.host.decode("ascii").strip("[]")
        proxy = self._proxies.for_url(uri.scheme.decode(), host)
        if uri.scheme == b"http":
            return self._direct(host, uri.port)
        tls = optionsForClientTLS(host, trustRoot=self._trust_root)
        if proxy is not None:
            to_proxy = HostnameEndpoint(self._reactor, proxy.host, proxy.port, self._connect_seconds)
            return wrapClientTLS(tls, _TunnelEndpoint(to_proxy, proxy, host, uri.port))
        return wrapClientTLS(tls, self._direct(host, uri.port))

    def _direct(self, host: str, port: int) -> IStreamClientEndpoint:
        if self._guarded:
            return _GuardedEndpoint(self._reactor, host, port, self._connect_seconds)
        return HostnameEndpoint(self._reactor, host, port, self._connect_seconds)
