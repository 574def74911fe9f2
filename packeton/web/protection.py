"""`web_protection`: hiding everything but Composer's routes, by host or by client address."""

from urllib.parse import urlsplit

from attrs import field, frozen
from twisted.web.iweb import IRequest

from packeton.config.settings import WebProtectionSettings
from packeton.core.access.repositories import RESERVED_SLUGS
from packeton.errors import Invalid
from packeton.web.addresses import Addresses, Network, ranges

__all__ = ["Hidden", "Protection"]

NOT_HIDDEN = frozenset({"packages.json", "p", "p1", "p2", "providers", "zipball", "downloads", "metadata", "mirror"})
"""First segments of what clients of Composer ask for, also below the slug of a sub-repository."""
ADVISORIES = ["api", "security-advisories"]
MAX_PAGE_BYTES = 1 << 20


@frozen(kw_only=True)
class Hidden:
    """What is answered instead."""

    status: int
    content_type: str
    body: bytes


NOT_FOUND = Hidden(status=404, content_type="application/json", body=b'{"error":"Not Found"}')


@frozen(kw_only=True)
class Protection:
    """
    Says what is hidden from whom.

    A host of the list, or a client of no allowed address: either is enough. Source: the reference's `web_protection`.
    """

    settings: WebProtectionSettings
    addresses: Addresses
    page: bytes | None = None
    """What `/` shows instead."""
    _allowed: tuple[Network, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_allowed", ranges(self.settings.allow_ips))

    def hides(self, request: IRequest) -> Hidden | None:
        """Return what to answer when this request must not see what it asks for."""
        if not self.settings.repo_hosts and not self._allowed:
            return None
        segments = [part.decode("utf-8", "replace") for part in request.postpath or []]
        if _is_composer(segments) or not (self._by_host(request) or self._by_address(request)):
            return None
        if self.page is None or segments not in ([], [""]):
            return NOT_FOUND
        content_type = self.settings.content_type or "text/html; charset=utf-8"
        return Hidden(status=self.settings.status_code, content_type=content_type, body=self.page)

    def _by_host(self, request: IRequest) -> bool:
        if not self.settings.repo_hosts:
            return False
        try:
            netloc = urlsplit(self.addresses.base_url(request)).netloc.lower()
        except Invalid:
            return True
        names = {netloc, urlsplit(f"//{netloc}").hostname or ""}
        hosts = {host.lower() for host in self.settings.repo_hosts}
        if names & hosts:
            return True
        return "*" in hosts and not names & {host.removeprefix("!") for host in hosts if host.startswith("!")}

    def _by_address(self, request: IRequest) -> bool:
        return bool(self._allowed) and not self.addresses.is_within(request, self._allowed)


def _is_composer(segments: list[str]) -> bool:
    first = segments[0] if segments else ""
    if first == "mirror":
        return len(segments) > 2
    if first in NOT_HIDDEN or segments[:2] == ADVISORIES:
        return True
    if first in RESERVED_SLUGS | {""}:
        return False
    return segments[1:2] != ["mirror"] and (segments[1:3] == ADVISORIES or bool(NOT_HIDDEN & set(segments[1:2])))
