"""
Security advisories: which packages of a composer.lock they can be about, and which locked versions they hit.

Source: contract 04 section 9 of the reference; Composer's Advisory/Auditor.php, and `config.audit` of its schema.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from attrs import frozen

from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.lockfiles import LockedPackage
from packeton.core.composer.versions import normalize
from packeton.errors import BadContent, Invalid

__all__ = ["FORM", "Advisory", "asked_about", "hits", "ignored_in", "question_about", "read_advisories"]

FORM = "application/x-www-form-urlencoded"
"""The type of a question."""
PACKAGIST_HOSTS = frozenset({"packagist.org", "repo.packagist.org"})
GITHUB_HOSTS = frozenset({"api.github.com", "codeload.github.com", "github.com"})
MAX_PER_PACKAGE = 1000
MAX_TEXT_CHARACTERS = 1000
MAX_CONSTRAINT_CHARACTERS = 4000
MAX_REPORTERS = 20


@frozen(kw_only=True)
class Advisory:
    """One advisory about one package."""

    id: str
    package: str
    affected: str
    """The constraint on the versions that it is about."""
    title: str = ""
    link: str | None = None
    """An http(s) address."""
    cve: str | None = None
    severity: str | None = None
    reported_at: str | None = None
    reporters: tuple[tuple[str, str], ...] = ()
    """Who lists it, and its id there."""

    @property
    def names(self) -> frozenset[str]:
        """All that an ignore list may call it."""
        return frozenset({self.id, *([self.cve] if self.cve else []), *(number for _, number in self.reporters)})


def asked_about(locked: Sequence[LockedPackage]) -> dict[str, str]:
    """
    Return name and version of the packages that packagist.org may know advisories of: its own, by their
    notification-url, and zips of GitHub that no other repository delivered.
    """
    return {package.name: package.version for package in locked if _is_public(package)}


def question_about(names: Iterable[str]) -> bytes:
    """Return what is posted to ask about the advisories of these packages."""
    return urlencode([("packages[]", name) for name in names]).encode()


def _is_public(package: LockedPackage) -> bool:
    if package.notification_url:
        return _host(package.notification_url) in PACKAGIST_HOSTS
    return package.dist is not None and package.dist.type == "zip" and _host(package.dist.url) in GITHUB_HOSTS


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def ignored_in(manifest: bytes | None) -> frozenset[str]:
    """
    Return what a composer.json has in `config.audit.ignore` (or `ignored`): ids and CVEs, as a list, or as a map to
    the reason. What is ignored for blocking only is not ignored here. A file that cannot be read ignores nothing.
    """
    try:
        document = orjson.loads(manifest or b"{}")
    except orjson.JSONDecodeError:
        return frozenset()
    audit = _map(_map(_map(document).get("config")).get("audit"))
    found: set[str] = set()
    for key in ("ignore", "ignored"):
        entries = audit.get(key)
        if isinstance(entries, dict):
            found.update(name for name, why in entries.items() if _map(why).get("apply") != "block")
        elif isinstance(entries, list):
            found.update(name for name in entries if isinstance(name, str))
    return frozenset(found)


def read_advisories(content: bytes) -> list[Advisory]:
    """
    Read the answer of the advisories API; entries without id or versions are left out.

    Raises:
        BadContent: It is no such answer.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadContent("the answer about advisories is no JSON") from error
    listed = document.get("advisories") if isinstance(document, dict) else None
    if listed == []:  # PHP's empty map
        return []
    if not isinstance(listed, dict):
        raise BadContent("the answer about advisories lists none")
    found: list[Advisory] = []
    for package, entries in listed.items():
        values = list(entries.values()) if isinstance(entries, dict) else entries if isinstance(entries, list) else []
        read = (_advisory(package, _map(entry)) for entry in values[:MAX_PER_PACKAGE])
        found += (advisory for advisory in read if advisory is not None)
    return found


def hits(advisories: Sequence[Advisory], versions: Mapping[str, str], ignored: Collection[str]) -> list[Advisory]:
    """
    Return those that are about a locked version and not ignored, by package and id.

    One whose constraint cannot be read counts: somebody has to look.
    """
    found = {
        (one.package, one.id): one for one in advisories
        if one.package in versions and one.names.isdisjoint(ignored) and _is_about(one.affected, versions[one.package])
    }  # fmt: skip
    return [found[key] for key in sorted(found)]


def _is_about(affected: str, version: str) -> bool:
    try:
        return parse_constraints(affected).allows(normalize(version))
    except Invalid:
        return True


def _advisory(package: str, entry: Mapping[str, Any]) -> Advisory | None:
    number, affected = _text(entry, "advisoryId"), entry.get("affectedVersions")
    if number is None or not isinstance(affected, str) or not affected or len(affected) > MAX_CONSTRAINT_CHARACTERS:
        return None
    link, sources = _text(entry, "link"), entry.get("sources")
    is_safe = link is not None and link.lower().startswith(("https://", "http://"))
    reporters = [_map(source) for source in (sources if isinstance(sources, list) else [])[:MAX_REPORTERS]]
    return Advisory(
        id=number,
        package=package.lower(),
        affected=affected,
        title=_text(entry, "title") or "",
        link=link if is_safe else None,
        cve=_text(entry, "cve"),
        severity=_text(entry, "severity"),
        reported_at=_text(entry, "reportedAt"),
        reporters=tuple((_text(one, "name") or "", _text(one, "remoteId") or "") for one in reporters),
    )


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(holder: Mapping[str, Any], key: str) -> str | None:
    value = holder.get(key)
    return value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) and value else None
