"""GET /feeds/…: RSS and Atom."""

from collections.abc import Sequence

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.core.caching.fields import http_date
from packeton.core.reports.feeds import Entry, Feed, atom, rss
from packeton.features.packages.audiences import Audience
from packeton.features.packages.feeds import EPOCH, Feeds
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.composer.packages import audience_of
from packeton.web.responses import send_bytes

__all__ = ["FeedRoutes"]

KINDS = "<any(rss,atom):kind>"
READ = ["GET", "HEAD"]


class FeedRoutes:
    """For maintainers, and tokens for feeds."""

    def __init__(self, gate: Gate, addresses: Addresses, feeds: Feeds) -> None:
        self._gate = gate
        self._addresses = addresses
        self._feeds = feeds

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route(f"/feeds/packages.{KINDS}", methods=READ)(self.packages)
        app.route(f"/feeds/releases.{KINDS}", methods=READ)(self.releases)
        app.route(f"/feeds/vendor.<vendor>.{KINDS}", methods=READ)(self.vendor)
        app.route(f"/feeds/package.<vendor>/<name>.{KINDS}", methods=READ)(self.package)

    async def packages(self, request: IRequest, kind: str) -> bytes:
        """The newest packages."""
        audience, base = await self._asked(request)
        told = ("Newly Submitted Packages", "Latest packages submitted to Packagist.", f"{base}/explore")
        return self._send(request, kind, told, await self._feeds.packages(audience, base))

    async def releases(self, request: IRequest, kind: str) -> bytes:
        """The newest releases of all packages."""
        audience, base = await self._asked(request)
        told = ("New Releases", "Latest releases of all packages.", f"{base}/explore")
        return self._send(request, kind, told, await self._feeds.releases(audience, base))

    async def vendor(self, request: IRequest, vendor: str, kind: str) -> bytes:
        """The newest releases of a vendor's packages."""
        audience, base = await self._asked(request)
        text = f"Latest packages updated on Packagist of {vendor}."
        told = (f"{vendor} packages", text, f"{base}/packages/{vendor}/")
        return self._send(request, kind, told, await self._feeds.releases(audience, base, vendor=vendor))

    async def package(self, request: IRequest, vendor: str, name: str, kind: str) -> bytes:
        """The newest releases of one package; `Date` is that of the newest."""
        audience, base = await self._asked(request)
        full = f"{vendor}/{name}"
        told = (f"{full} releases", f"Latest releases on Packagist of {full}.", f"{base}/packages/{full}")
        entries = await self._feeds.releases(audience, base, name=full)
        if entries:
            request.setHeader(b"date", http_date(entries[0].at).encode())
        return self._send(request, kind, told, entries)

    async def _asked(self, request: IRequest) -> tuple[Audience, str]:
        caller = await self._gate.caller(request, scope=Scope.FEEDS, role=Role.MAINTAINER)
        audience = audience_of(caller)
        return audience, self._addresses.base_url(request) + audience.slug

    def _send(self, request: IRequest, kind: str, told: tuple[str, str, str], entries: Sequence[Entry]) -> bytes:
        """Answer. No shared cache keeps it: it is for this caller."""
        title, description, link = told
        own = self._addresses.base_url(request) + request.path.decode("utf-8", "replace")
        updated = entries[0].at if entries else EPOCH
        feed = Feed(title=title, description=description, link=link, own=own, updated=updated, entries=entries)
        request.setHeader(b"cache-control", b"private, s-maxage=3600")
        body = rss(feed) if kind == "rss" else atom(feed)
        return send_bytes(request, body, f"application/{kind}+xml")
