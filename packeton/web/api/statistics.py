"""Figures over the API: counters, series, and what is popular."""

from datetime import date
from urllib.parse import urlencode

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.errors import Invalid
from packeton.features.packages.editing import Editing
from packeton.features.packages.statistics import Range, Statistics
from packeton.features.packages.viewing import Viewing
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.replies import MAX_PAGE, query_of, reply
from packeton.web.composer.packages import audience_of

__all__ = ["StatisticsApi", "listed"]

READ = ["GET", "HEAD"]
PER_PAGE = 15


class StatisticsApi:
    """See the module."""

    def __init__(
        self, gate: Gate, addresses: Addresses, statistics: Statistics, editing: Editing, viewing: Viewing
    ) -> None:
        self._gate = gate
        self._addresses = addresses
        self._statistics = statistics
        self._editing = editing
        self._viewing = viewing

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        of_one = "/packages/<vendor>/<name>"
        app.route(f"{of_one}/downloads.json", methods=READ, endpoint="statistics-downloads")(self.downloads)
        app.route(f"{of_one}/stats.json", methods=READ, endpoint="statistics-overview")(self.overview)
        app.route(f"{of_one}/stats/<file>.json", methods=READ, endpoint="statistics-series")(self.series)
        for path in ("/explorepopular.json", "/explore/popular.json"):
            app.route(path, methods=READ, endpoint=f"statistics-{path}")(self.popular)

    async def downloads(self, request: IRequest, vendor: str, name: str) -> bytes:
        """Counters of a package and its versions."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.MAINTAINER)
        package = await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
        return reply(request, await self._statistics.totals(audience_of(caller), package))

    async def overview(self, request: IRequest, vendor: str, name: str) -> bytes:
        """What a diagram begins with."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.FULL_CUSTOMER)
        package = await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
        return reply(request, await self._statistics.overview(audience_of(caller), package))

    async def series(self, request: IRequest, vendor: str, name: str, file: str) -> bytes:
        """Installs over time: of `all` versions together, or of one."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.FULL_CUSTOMER)
        package = await self._editing.seen(f"{vendor}/{name}", caller.identity, caller.repository)
        query = query_of(request)
        asked = Range(
            first=_day(query.text("from"), "from"),
            last=_day(query.text("to"), "to"),
            average=query.text("average") or None,
        )
        version = None if file == "all" else file
        found = await self._statistics.series(audience_of(caller), package, version, asked)
        return reply(request, {"labels": found.labels, "values": found.values, "average": found.average})

    async def popular(self, request: IRequest) -> bytes:
        """The packages that were installed most in the last seven days."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_READ, role=Role.MAINTAINER)
        query = query_of(request)
        per_page, page = query.number("per_page", PER_PAGE, most=100), query.number("page", 1, most=MAX_PAGE)
        ranked, total = await self._statistics.popular(audience_of(caller), page, per_page)
        base = self._addresses.base_url(request)
        document = await listed(self._viewing, [name for name, _ in ranked], base)
        answer = {"packages": document, "total": total}
        if page * per_page < total:
            answer["next"] = f"{base}/explorepopular.json?{urlencode({'page': page + 1, 'per_page': per_page})}"
        return reply(request, answer)


async def listed(viewing: Viewing, names: list[str], base: str) -> list[dict[str, object]]:
    """Return what lists of packages show, by Packagist's names."""
    found = await viewing.rows(names)
    return [
        {
            "name": row["name"],
            "description": row["description"] or "",
            "url": f"{base}/packages/{row['name']}",
            "repository": row["repository"] or "",
            "downloads": found.installs[str(row["id"])],
            "favers": found.favers[str(row["id"])],
        }
        for row in found.rows
    ]


def _day(text: str | None, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Invalid(f"{name} must be a day such as 2026-01-31") from None
