"""Under which address a client reaches us, and from which address it comes."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from attrs import field, frozen
from twisted.web.iweb import IRequest
from zope.interface import Attribute, Interface, implementer

from packeton.errors import Invalid

__all__ = ["Addresses", "IMountPoint", "MountPoint", "Network", "ranges"]

HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
WITH_PORT = re.compile(r"(\[.*\]|[^:]*):[0-9]+")
PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
PROXY_FIELDS = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"forwarded", b"via")
DEFAULT_PORTS = {"http": "80", "https": "443"}

Network = IPv4Network | IPv6Network


class IMountPoint(Interface):
    """Where in a resource tree our root hangs; a component of each request."""

    path: str = Attribute("what the client's path begins with, without a slash at the end; empty at the top")


@implementer(IMountPoint)
@frozen
class MountPoint:
    """See IMountPoint."""

    path: str

    @classmethod
    def of(cls, request: IRequest) -> "MountPoint":
        """Take it from *request* before anybody routes it further."""
        return cls("".join(f"/{segment.decode('latin-1')}" for segment in request.prepath if segment))


def ranges(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read addresses and CIDR ranges; each text may have several, with commas."""
    parts = (part.strip() for text in texts for part in text.split(","))
    return tuple(ip_network(part, strict=False) for part in parts if part)


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts if text != "unix")


@frozen(kw_only=True)
class Addresses:
    """
    Reads Host and, from trusted proxies, X-Forwarded-For, -Host, -Proto, -Port and -Prefix.

    A proxy on a Unix socket is trusted when `unix` is listed.
    Source: the reference's (Symfony's) treatment of these fields.
    """

    public_url: str | None
    trusted_proxies: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    _trusted: tuple[Network, ...] = field(init=False)
    _hosts: tuple[re.Pattern[str], ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_trusted", _networks(self.trusted_proxies))
        object.__setattr__(self, "_hosts", tuple(re.compile(text, re.IGNORECASE) for text in self.trusted_hosts))

    def base_url(self, request: IRequest) -> str:
        """
        Return our root's address as this client sees it, without a slash at the end.

        Raises:
            Invalid: the Host is malformed or not one of the trusted hosts.
        """
        mounted = IMountPoint(request).path
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        trusted = self._is_trusted(_peer(request))
        host, bare = self._asked(request, trusted=trusted)
        scheme = "https" if request.isSecure() else "http"
        prefix = ""
        if trusted:
            scheme, host = self._seen_outside(request, scheme, host, bare)
            prefix = (self._forwarded(request, b"x-forwarded-prefix") or "").rstrip("/")
            if not PREFIX.fullmatch(prefix):
                raise Invalid("the X-Forwarded-Prefix field is malformed")
        return f"{scheme}://{host}{prefix}{mounted}"

    def client(self, request: IRequest) -> str:
        """Return the client's address: the peer, or what the nearest trusted proxies say; "-" when unknown."""
        peer = _peer(request)
        if not self._is_trusted(peer):
            return peer or "-"
        for hop in reversed(_hops(request)):
            if not self._is_trusted(hop):
                return hop if _address(hop) is not None else "-"
            peer = hop
        return peer or "-"

    def is_within(self, request: IRequest, networks: Sequence[Network]) -> bool:
        """Say if the client's address is in one of these ranges; not where it is unknown."""
        address = _address(self.client(request))
        return address is not None and any(address in network for network in networks)

    def is_direct(self, request: IRequest) -> bool:
        """Say if no proxy that is not trusted shows itself: then `client` may be its address, and anybody behind it."""
        return self._is_trusted(_peer(request)) or not any(map(request.requestHeaders.hasHeader, PROXY_FIELDS))

    def host(self, request: IRequest) -> str:
        """Return the host that the client asked for, in lower case and without port. Raises Invalid as `base_url`."""
        return self._asked(request, trusted=self._is_trusted(_peer(request)))[1].lower()

    def _asked(self, request: IRequest, *, trusted: bool) -> tuple[str, str]:
        """Return the Host, and the same without port."""
        host = self._forwarded(request, b"x-forwarded-host") if trusted else None
        host = host or _text(request, b"host") or _reached(request)
        if not HOST.fullmatch(host):
            raise Invalid("the Host field is missing or malformed")
        bare = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._hosts and not any(pattern.search(bare) for pattern in self._hosts):
            raise Invalid("this Host is not served here")
        return host, bare

    def _seen_outside(self, request: IRequest, scheme: str, host: str, bare: str) -> tuple[str, str]:
        said = (self._forwarded(request, b"x-forwarded-proto") or "").lower()
        scheme = said if said in DEFAULT_PORTS else scheme
        port = self._forwarded(request, b"x-forwarded-port")
        if port is not None and port.isdecimal() and host == bare and port != DEFAULT_PORTS[scheme]:
            host = f"{bare}:{port}"
        return scheme, host

    def _forwarded(self, request: IRequest, name: bytes) -> str | None:
        value = _text(request, name)
        return value.split(",")[0].strip() or None if value else None

    def _is_trusted(self, peer: str) -> bool:
        if not peer:
            return "unix" in self.trusted_proxies
        address = _address(peer)
        return address is not None and any(address in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _peer(request: IRequest) -> str:
    return str(getattr(request.getClientAddress(), "host", "") or "")


def _hops(request: IRequest) -> list[str]:
    """Return what X-Forwarded-For says, the nearest last: some proxies append a field of their own, or name ports."""
    said = b",".join(request.requestHeaders.getRawHeaders(b"x-forwarded-for") or []).decode("latin-1")
    parts = [part.strip() for part in said.split(",") if part.strip()]
    return [(named[1] if (named := WITH_PORT.fullmatch(part)) else part).strip("[]") for part in parts]


def _reached(request: IRequest) -> str:
    """Return the address that a client of HTTP/1.0, which need not name a host, has connected to; else nothing."""
    place = request.getHost()
    if getattr(request, "clientproto", b"") != b"HTTP/1.0" or not hasattr(place, "port"):
        return ""
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"


def _text(request: IRequest, name: bytes) -> str | None:
    values = request.requestHeaders.getRawHeaders(name)
    return values[0].decode("latin-1").strip() if values else None
