"""Endpoints to upstream: TLS that is verified, through a proxy where one is set, and guarded where one must be."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from OpenSSL import SSL
from twisted.internet._sslverify import IOpenSSLTrustRoot  # no public way to add to the platform's trust
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from packeton.adapters.upstream.addresses import GuardedEndpoint, RedirectRefused, is_public_literal
from packeton.adapters.upstream.proxies import Proxies, TunnelEndpoint
from packeton.errors import ConfigurationInvalid

__all__ = ["Endpoints", "Trust"]

MAX_REMEMBERED_HOSTS = 100


@implementer(IOpenSSLTrustRoot)
@frozen
class _AlsoTrusting:
    """The platform's authorities and those of a file."""

    _file: str

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.set_default_verify_paths()
        context.load_verify_locations(self._file)


def _trust_root(ca_file: Path | None) -> Any:
    if ca_file is None:
        return platformTrust()
    try:
        SSL.Context(SSL.TLS_METHOD).load_verify_locations(str(ca_file))
    except SSL.Error as error:
        raise ConfigurationInvalid(f"packeton.upstream.ca_file: {ca_file} holds no certificates to read") from error
    return _AlsoTrusting(str(ca_file))


@define
class Trust:
    """
    How servers are verified: against the platform's authorities and those of *ca_file*, and by their name.

    Making TLS options reads all authorities from the disk (3 ms); they are kept for 100 hosts.

    Raises:
        ConfigurationInvalid: the file has no certificates.
    """

    _root: Any = field(converter=_trust_root)
    _options: OrderedDict[str, IOpenSSLClientConnectionCreator] = field(factory=OrderedDict, init=False)

    def options_for(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return what makes verified connections to *host*. Raises ValueError where it cannot be a host name."""
        options = self._options.pop(host, None)
        if options is None:
            options = optionsForClientTLS(host, trustRoot=self._root)
        self._options[host] = options
        if len(self._options) > MAX_REMEMBERED_HOSTS:
            self._options.popitem(last=False)
        return options


@implementer(IAgentEndpointFactory)
@frozen
class Endpoints:
    """Makes the endpoint for each URL; *guarded* ones refuse addresses that are not public."""

    _reactor: Any
    _trust: Trust
    _proxies: Proxies
    _connect_seconds: float
    _guarded: bool

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return where to connect to. Raises RedirectRefused for a host that a proxy must not be sent to."""
        host = uri.host.decode("ascii").strip("[]").lower()
        if uri.scheme == b"http":
            return self._direct(host, uri.port)
        tls = self._trust.options_for(host)
        proxy = self._proxies.for_url("https", host, uri.port)
        if proxy is None:
            return wrapClientTLS(tls, self._direct(host, uri.port))
        if self._guarded and not is_public_literal(host):
            raise RedirectRefused
        to_proxy = HostnameEndpoint(self._reactor, proxy.host, proxy.port, self._connect_seconds)
        return wrapClientTLS(tls, TunnelEndpoint(to_proxy, proxy, host, uri.port))

    def _direct(self, host: str, port: int) -> IStreamClientEndpoint:
        if self._guarded:
            return GuardedEndpoint(self._reactor, host, port, self._connect_seconds)
        return HostnameEndpoint(self._reactor, host, port, self._connect_seconds)
