"""Addresses that an upstream may not send us to, and an endpoint that connects to no other ones than it checked."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
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
from zope.interface import implementer

__all__ = ["GuardedEndpoint", "RedirectRefused", "is_public", "is_public_literal"]

EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""The last 32 bits are an IPv4 address. Source: RFC 6052 section 2.1, RFC 4291 section 2.5.5.1."""


class RedirectRefused(ConnectError):
    """The host's addresses are not ones that an upstream may send us to."""

    def __init__(self) -> None:
        super().__init__(string="the address is private, and no upstream may send us there")


def is_public(address: str) -> bool:
    """
    Say if an IP address is one of the public internet; for one that carries an IPv4 address, if that one is.

    Source: the IANA special-purpose address registries (RFC 6890), as Python's `ipaddress` has them.
    """
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if inner is None and any(parsed in network for network in EMBEDDING):
            inner = IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed.is_site_local or parsed.is_reserved:
            return False
    return parsed.is_global and not parsed.is_multicast


def is_public_literal(host: str) -> bool:
    """
    Say if *host*, unresolved, may be public: False for private addresses, however they are written, and localhost.

    For a proxy that resolves names itself; other names are its operator's business.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return False
    try:
        return is_public(socket.inet_ntoa(socket.inet_aton(name)))  # takes 127.1, 0x7f000001 and 2130706433 too
    except OSError:
        pass
    try:
        return is_public(name.strip("[]"))
    except ValueError:
        return True


@implementer(IResolutionReceiver)
class _PublicOnly:
    def __init__(self, receiver: IResolutionReceiver, guard: "_GuardedReactor") -> None:
        self._receiver = receiver
        self._guard = guard

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: IAddress) -> None:
        if is_public(getattr(address, "host", "")):
            self._guard.passed = True
            self._receiver.addressResolved(address)
        else:
            self._guard.refused = True

    def resolutionComplete(self) -> None:
        self._receiver.resolutionComplete()


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class _GuardedReactor:
    """A reactor whose names resolve to public addresses only; the connection then goes to what was checked."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.passed = False
        self.refused = False

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
        guarded = _PublicOnly(resolutionReceiver, self)
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver.resolveHostName(guarded, hostName, portNumber, addressTypes, transportSemantics)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError("the guard's resolver stays")


@implementer(IStreamClientEndpoint)
@frozen
class GuardedEndpoint:
    """Connects to public addresses only; fails with RedirectRefused when the host has no other ones than private."""

    _reactor: Any
    _host: str
    _port: int
    _timeout_seconds: float

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Resolve, check, connect."""
        guarded = _GuardedReactor(self._reactor)
        connected = HostnameEndpoint(guarded, self._host, self._port, self._timeout_seconds).connect(protocolFactory)

        def failed(failure: Any) -> Any:
            if guarded.refused and not guarded.passed:
                raise RedirectRefused from failure.value
            return failure

        return connected.addErrback(failed)
