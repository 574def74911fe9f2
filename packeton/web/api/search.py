"""Finding packages, what provides one, and the details of a version."""

from html import escape
from urllib.parse import urlencode

import orjson
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.features.packages.dependents import Dependents
from packeton.features.packages.searching import Searching
from packeton.features.packages.viewing import Viewing
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.replies import MAX_PAGE, query_of, reply
from packeton.web.api.statistics import listed
from packeton.web.composer.packages import audience_of

__all__ = ["SearchApi"]

READ = ["GET", "HEAD"]
PER_PAGE = 15
LINKS = ("require", "require-dev", "suggest", "provide", "conflict", "replace")
MAX_PROVIDERS = 200


class SearchApi:
    """See the module."""

    def __init__(
        self, gate: Gate, addresses: Addresses, searching: Searching, dependents: Dependents, viewing: Viewing
    ) -> None:
        self._gate = gate
        self._addresses = addresses
        self._searching = searching
        self._dependents = dependents
        self._viewing = viewing

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/search.json", methods=READ, endpoint="search")(self.search)
        app.route("/providers/<vendor>/<name>.json", methods=READ, endpoint="search-providers")(self.providers)
        app.route("/versions/<int:number>.json", methods=READ, endpoint="search-version")(self.version)

    async def search(self, request: IRequest) -> bytes:
        """Packages by words, as packagist.org answers."""
        caller = await self._gate.reader(request)
        query = query_of(request)
        text = query.text("search_query[query]") or query.text("q") or query.text("query") or ""
        per_page, page = query.number("per_page", PER_PAGE, most=100), query.number("page", 1, most=MAX_PAGE)
        kind, tags = query.text("type") or None, [tag for tag in query.all("tags") if tag]
        audience = audience_of(caller)
        found = await self._searching.search(audience, text, type_=kind, tags=tags, page=page, per_page=per_page)
        base = self._addresses.base_url(request) + audience.slug
        answer = {"results": await listed(self._viewing, list(found.names), base), "total": found.total}
        if page * per_page < found.total:
            following = {"q": text, "page": page + 1, "per_page": per_page}
            more = following | ({"type": kind} if kind else {}) | ({"tags[]": tags} if tags else {})
            answer["next"] = f"{base}/search.json?{urlencode(more, doseq=True)}"
        return reply(request, answer)

    async def providers(self, request: IRequest, vendor: str, name: str) -> bytes:
        """What provides a package. Source: Composer's `providers-api`."""
        caller = await self._gate.reader(request)
        names = await self._dependents.providing(audience_of(caller), f"{vendor}/{name}".lower())
        rows = (await self._viewing.rows(names[:MAX_PROVIDERS])).rows
        providers = [{key: row[key] for key in ("name", "description", "type")} for row in rows]
        return reply(request, {"providers": providers})

    async def version(self, request: IRequest, number: int) -> bytes:
        """The details of a version, as a piece of HTML."""
        caller = await self._gate.caller(request, anonymous=self._gate.audience.metadata)
        document = await self._viewing.version(audience_of(caller), number)
        return reply(request, {"content": _fragment(orjson.loads(document))})


def _fragment(version: dict[str, object]) -> str:
    """Return the links of a version. Everything in it is somebody's text: escaped."""
    parts = [f"<h4>{escape(str(version.get('name')))} {escape(str(version.get('version')))}</h4>"]
    for key in LINKS:
        links = version.get(key)
        if isinstance(links, dict) and links:
            rows = "".join(
                f"<li>{escape(str(name))}: {escape(str(constraint))}</li>" for name, constraint in links.items()
            )
            parts.append(f"<h5>{key}</h5><ul>{rows}</ul>")
    return "".join(parts)
