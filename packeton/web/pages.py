"""The pages that a person sees: what this is, and the lines to paste."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from klein import Klein
from twisted.web.iweb import IRequest

from packeton import __version__
from packeton.errors import StorageFailed
from packeton.features.mirroring.directory import MirrorDirectory, MirrorSite
from packeton.interfaces.caching import IDistRecords
from packeton.web.addresses import Addresses
from packeton.web.responses import send_bytes, set_head

__all__ = ["PageRoutes", "templates_directory"]

MAX_ALARMS = 20
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def templates_directory() -> Path:
    """Return where the templates lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


class PageRoutes:
    """`/` and `/mirror/<alias>`."""

    def __init__(self, directory: MirrorDirectory, dists: IDistRecords, addresses: Addresses) -> None:
        self._directory = directory
        self._dists = dists
        self._addresses = addresses
        loader = FileSystemLoader(templates_directory())
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/", methods=["GET", "HEAD"])(self.home)
        app.route("/mirror/<alias>", methods=["GET", "HEAD"])(self.mirror)

    async def home(self, request: IRequest) -> bytes:
        """The mirrors, each with its snippet."""
        base = self._addresses.base_url(request)
        mirrors = [site.mirror.rules for site in self._directory.visible()]
        sites = self._directory.visible()
        return self._page(request, "home.html", base=base, mirrors=mirrors, **await self._troubles(sites))

    async def mirror(self, request: IRequest, alias: str) -> bytes:
        """One mirror, with its snippet."""
        base = self._addresses.base_url(request)
        site = self._directory.open(alias)
        return self._page(request, "mirror.html", base=base, mirror=site.mirror.rules, **await self._troubles([site]))

    async def _troubles(self, sites: Sequence[MirrorSite]) -> dict[str, object]:
        """Return what is wrong with dists of these mirrors."""
        shown = {site.mirror.rules.alias for site in sites}
        try:
            alarms = [alarm for alarm in await self._dists.alarms(MAX_ALARMS) if alarm.mirror in shown]
        except StorageFailed:  # the pages work where the store does not
            alarms = []
        refusals = sorted((one for site in sites for one in site.dists.refusals), key=lambda one: one.at, reverse=True)
        return {"alarms": alarms, "refusals": refusals[:MAX_ALARMS]}

    def _page(self, request: IRequest, template: str, **context: object) -> bytes:
        set_head(request, SECURITY)
        text = self._templates.get_template(template).render(version=__version__, **context)
        return send_bytes(request, text.encode(), "text/html; charset=utf-8")
