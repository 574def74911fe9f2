"""Where an upstream may send us for the source of a version: public hosts, and those that the operator named."""

from collections.abc import Collection
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from packeton.adapters.upstream.addresses import is_public
from packeton.core.composer.addresses import parse_address
from packeton.errors import UpstreamRefused

__all__ = ["SourceGuard"]


@implementer(IResolutionReceiver)
@define(eq=False)
class _Addresses:
    """Collects what a name resolves to."""

    found: list[str] = field(factory=list)
    done: "Deferred[list[str]]" = field(factory=Deferred)

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        pass

    def addressResolved(self, address: IAddress) -> None:
        self.found.append(str(getattr(address, "host", "")))

    def resolutionComplete(self) -> None:
        self.done.callback(self.found)


@define
class SourceGuard:
    """Checks addresses of repositories under version control that stand in an upstream's metadata."""

    _reactor: Any
    _configured: Collection[str]
    """Host names that the operator configured; they may have any address."""

    async def check(self, url: str) -> None:
        """
        Return if the repository at *url* may be read.

        Raises:
            UpstreamRefused: its host is unknown, or has a private address.
            Invalid: it is no address.
        """
        address = parse_address(url)
        if address.host in self._configured:
            return
        receiver = _Addresses()
        self._reactor.nameResolver.resolveHostName(receiver, address.host)
        found = await receiver.done
        if not found:
            raise UpstreamRefused(f"{address.host}: there is no such host")
        if not all(is_public(one) for one in found):
            raise UpstreamRefused(f"{address.host}: the address is private, and no upstream may send us there")
