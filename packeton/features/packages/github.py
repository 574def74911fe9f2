"""
What GitHub's API says of a repository: README, stars and the like, for who wants that.

Versions are read with git in any case; the API is asked afterwards, with the login of the package, and only for what
changed. What it does not give is taken from the repository, or stays as it was. Source: contract 04 sections 2.1 and 3
of the reference; Composer's GitHubDriver for the address of the API.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from attrs import define, field, frozen

from packeton.core.caching.fields import first_of
from packeton.core.composer.addresses import VcsAddress, parse_address
from packeton.core.composer.credentials import bracketed
from packeton.errors import BadContent, Invalid, PacketonError, UpstreamBusy, UpstreamFailed, UpstreamRefused
from packeton.features.caching.bodies import read_body
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.readmes import cleaned_readme
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.credentials import Credential
from packeton.interfaces.packages import Package
from packeton.interfaces.sources import ForgeFacts, OnLog, SourceReport
from packeton.interfaces.upstream import Headers, IHttpClient, IUpstreamResponse, UpstreamLimits, UpstreamRequest
from packeton.interfaces.vcs import VcsAccess

__all__ = ["FORGE", "ClientFor", "GitHub", "Numbers", "numbers_of"]

FORGE: Final = "_github"
"""In a package's settings, what the API said."""
HOST: Final = "github.com"
API: Final = "https://api.github.com"
PATH: Final = re.compile(r"/?([\w.-]+/[\w.-]+?)(?:\.git)?/?", re.ASCII)
NUMBERS: Final[Mapping[str, Sequence[str]]] = {
    "stars": ("stargazers_count",),
    "watchers": ("subscribers_count", "watchers_count"),
    "forks": ("network_count", "forks_count"),
    "issues": ("open_issues_count",),
}
"""By our name, the API's, the best first. Source: Packagist's Updater."""
MAX_PAUSE: Final = timedelta(hours=2)
PAUSE: Final = timedelta(minutes=1)
"""How long nothing is asked when the API says only that it was too much. Source: GitHub, secondary rate limits."""

ClientFor = Callable[[str, Headers], IHttpClient]
"""Gives a client for an API's address that sends these fields, to this origin only."""


@frozen(kw_only=True)
class Numbers:
    """What people think of a repository; None where it is not known."""

    stars: int | None = None
    watchers: int | None = None
    forks: int | None = None
    issues: int | None = None


@frozen(kw_only=True)
class _Place:
    """A repository, and how its API is asked."""

    api: str
    page: str
    """Its address in a browser."""
    name: str
    key: str
    """Equal for what has one rate limit."""
    client: IHttpClient = field(repr=False)


@define
class GitHub:
    """Asks the API for packages whose repository is on GitHub, or on a host that the credential calls one."""

    _accesses: Accesses
    _client_for: ClientFor
    _limits: UpstreamLimits
    _in_thread: InThread
    _now: Now
    _for_all: bool
    """Also for packages whose credential does not ask for it (`github_no_api: false`)."""
    _pauses: dict[str, datetime] = field(factory=dict)

    async def __call__(self, package: Package, report: SourceReport, on_log: OnLog) -> ForgeFacts | None:
        """
        Ask; None where the API is not to be asked for this package.

        Nothing is raised: what the API does not give is logged, and what was known stays.
        """
        known = package.settings.get(FORGE)
        known = dict(known) if isinstance(known, Mapping) else {}
        try:
            place = await self._place(package)
            if place is None:
                return None
            return await self._asked(place, package, known, report.default_branch or "HEAD")
        except PacketonError as error:
            on_log(f"GitHub's API was of no use, what the repository itself has counts: {error}")
            return ForgeFacts(noted={key: value for key, value in known.items() if key != "readmeTag"})

    async def _place(self, package: Package) -> _Place | None:
        if not package.repo_type.is_vcs or not package.url:
            return None
        credential = await self._accesses.credential(package)
        config: Mapping[str, Any] = {} if credential is None else credential.composer_auth
        if not self._is_wanted(credential, config):
            return None
        try:
            address = parse_address(package.url)
        except Invalid:  # a path of this machine
            return None
        name = PATH.fullmatch(address.path)
        origin = _origin(address)
        domains = [HOST, *(str(domain).lower() for domain in config.get("github-domains") or ())]
        if name is None or not {origin, address.host.lower()} & set(domains):
            return None
        scheme = address.scheme if address.scheme == "http" else "https"
        page = f"{scheme}://{origin}/{name[1]}"
        api = API if origin == HOST else f"{scheme}://{origin}/api/v3"
        fields = _login(self._accesses.to(page, credential))
        return _Place(
            api=api,
            page=page,
            name=name[1],
            key=f"{api} {0 if credential is None else credential.id}",
            client=self._client_for(api, fields),
        )

    def _is_wanted(self, credential: Credential | None, config: Mapping[str, Any]) -> bool:
        if credential is not None and credential.ssh_key is not None:
            return False
        return bool(config.get("use-github-api", self._for_all))

    async def _asked(self, place: _Place, package: Package, known: dict[str, Any], branch: str) -> ForgeFacts:
        of_repository = await self._get(place, "", "application/vnd.github+json", known.get("tag"))
        noted = dict(known)
        if of_repository is not None:
            content, tag = of_repository
            if content is None:
                raise UpstreamRefused(f"{place.api} has no repository {place.name}, or not for this login")
            noted = {**await self._in_thread(_facts_in, content), "tag": tag, "readmeTag": known.get("readmeTag")}
        of_readme = await self._get(place, "/readme", "application/vnd.github.html", known.get("readmeTag"))
        readme = package.readme
        if of_readme is not None:
            content, noted["readmeTag"] = of_readme
            places = (f"{place.page}/blob/{branch}/", f"{place.page}/raw/{branch}/")
            text = "" if content is None else content.decode("utf-8", "replace")
            readme = await self._in_thread(cleaned_readme, text, places)
        return ForgeFacts(noted=noted, has_readme=True, readme=readme, language=noted.get("language"))

    async def _get(
        self, place: _Place, path: str, accept: str, tag: object
    ) -> tuple[bytes | None, str | None] | None:
        """Return content (None: there is none) and entity tag; None: it is what it was. Raises UpstreamFailed."""
        until = self._pauses.get(place.key)
        if until is not None and until > self._now():
            raise UpstreamBusy(f"{place.api} wants to be left alone until {until:%H:%M} UTC")
        headers = [("Accept", accept)]
        if isinstance(tag, str) and tag:
            headers.append(("If-None-Match", tag))
        request = UpstreamRequest(url=f"{place.api}/repos/{place.name}{path}", headers=headers, limits=self._limits)
        response = await place.client.request(request)
        self._note_limit(place, response)
        if response.status == 200:
            return await read_body(response, self._limits.max_body_bytes), first_of(response.headers, "etag")
        response.abort()
        if response.status == 304:
            return None
        if response.status == 404:
            return None, None
        if response.status == 401:
            raise UpstreamRefused(f"{place.api} does not accept the token")
        raise UpstreamFailed(f"{place.api} answered with status {response.status}")

    def _note_limit(self, place: _Place, response: IUpstreamResponse) -> None:
        """Source: GitHub's REST documentation, "Rate limits for the REST API"."""
        now = self._now()
        refused = response.status in {403, 429}
        fields = response.headers
        after, reset = first_of(fields, "retry-after"), first_of(fields, "x-ratelimit-reset")
        pause: timedelta | None = None
        if refused and after is not None and after.isdecimal():
            pause = timedelta(seconds=min(int(after), MAX_PAUSE.total_seconds()))
        elif first_of(fields, "x-ratelimit-remaining") == "0" and reset is not None and reset.isdecimal():
            pause = datetime.fromtimestamp(min(int(reset), 2**33), UTC) - now
        elif response.status == 429:
            pause = PAUSE
        if pause is not None and pause > timedelta():
            self._pauses = {key: until for key, until in self._pauses.items() if until > now}
            self._pauses[place.key] = now + min(pause, MAX_PAUSE)


def numbers_of(package: Package) -> Numbers:
    """Return what the API said last."""
    kept = package.settings.get(FORGE)
    if not isinstance(kept, Mapping):
        return Numbers()
    return Numbers(**{name: kept.get(name) for name in NUMBERS})


def _facts_in(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadContent("GitHub's API answered with broken JSON") from error
    if not isinstance(document, dict):
        raise BadContent("GitHub's API answered with something else than an object")
    facts: dict[str, Any] = {}
    for name, theirs in NUMBERS.items():
        facts[name] = next((n for key in theirs if type(n := document.get(key)) is int and 0 <= n < 2**31), None)
    language = document.get("language")
    facts["language"] = language[:191] if isinstance(language, str) else None
    return facts


def _origin(address: VcsAddress) -> str:
    host = bracketed(address.host.lower())
    is_web = address.scheme in {"http", "https"}
    return f"{host}:{address.port}" if address.port and is_web else host


def _login(access: VcsAccess) -> Headers:
    """Return how Composer logs in at this API. Source: Composer's AuthHelper::addAuthenticationOptions."""
    if access.bearer is None and access.password is not None and access.password.reveal() == "x-oauth-basic":
        return (("Authorization", f"token {access.username}"),)
    return access.login_fields
