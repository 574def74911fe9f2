"""The forms of an advisory: as somebody writes it down, as it is kept with a package, and as clients get it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from attrs import evolve

from packeton.core.composer.advisories import Advisory
from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.metadata import JsonObject
from packeton.errors import Invalid, InvalidFields

__all__ = [
    "ADOPTED",
    "SEVERITIES",
    "WRITTEN",
    "advisory_from",
    "as_kept",
    "as_published",
    "kept_advisories",
    "written_advisory",
]

WRITTEN: Final = "securityAdvisories"
"""In a package's settings, what was written down here."""
ADOPTED: Final = "_upstreamAdvisories"
"""In a package's settings, what the repository that it comes from knows."""
REPORTER: Final = "Packeton"
NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,79}")
"""What an advisory may be called."""
CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
SEVERITIES = ("low", "medium", "high", "critical")
MAX_TEXT_CHARACTERS = 1000
MAX_CONSTRAINT_CHARACTERS = 1000
PLAIN = ("id", "package", "affected", "title", "link", "cve", "severity", "reported_at")


def written_advisory(package: str, fields: Mapping[str, Any], *, number: str, now: datetime) -> Advisory:
    """
    Return what somebody says of a package, in the words of packagist.org.

    Args:
        number: What it is called if *fields* do not say.

    Raises:
        InvalidFields: By field, what cannot be used.
    """
    wrong: dict[str, str] = {}
    read = {
        "advisoryId": _number,
        "affectedVersions": _constraint,
        "title": _text,
        "link": _link,
        "cve": _cve,
        "severity": _severity,
        "reportedAt": _moment,
    }
    said: dict[str, str | None] = {}
    for name, reader in read.items():
        value = fields.get(name)
        try:
            said[name] = None if value is None or value == "" else reader(value)
        except Invalid as error:
            wrong[name] = str(error)
    wrong |= {name: "must be given" for name in ("affectedVersions", "title") if said.get(name, "") is None}
    wrong |= {str(name)[:60]: "there is no such field" for name in fields if name not in read}
    if wrong:
        raise InvalidFields(wrong)
    called = said["advisoryId"] or number
    return Advisory(
        id=called,
        package=package,
        affected=said["affectedVersions"] or "",
        title=said["title"] or "",
        link=said["link"],
        cve=said["cve"],
        severity=said["severity"],
        reported_at=said["reportedAt"] or now.replace(microsecond=0).isoformat(),
        reporters=((REPORTER, called),),
    )


def as_published(advisory: Advisory) -> JsonObject:
    """
    Return an advisory as Composer reads it.

    Source: packagist.org's API; Composer's Advisory/PartialSecurityAdvisory::create, which wants title, sources and
    reportedAt in a whole one.
    """
    return {
        "advisoryId": advisory.id,
        "packageName": advisory.package,
        "affectedVersions": advisory.affected,
        "title": advisory.title,
        "link": advisory.link,
        "cve": advisory.cve,
        "severity": advisory.severity,
        "reportedAt": advisory.reported_at,
        "sources": [{"name": name, "remoteId": number} for name, number in advisory.reporters],
    }


def as_kept(advisories: Sequence[Advisory]) -> list[dict[str, Any]]:
    """Return JSON to keep advisories in."""
    return [
        {**{name: getattr(one, name) for name in PLAIN}, "reporters": [list(pair) for pair in one.reporters]}
        for one in advisories
    ]


def advisory_from(kept: Mapping[str, Any]) -> Advisory:
    """Read one that was kept. Raises KeyError, TypeError, ValueError: it is in the form of another release."""
    return Advisory(**{**kept, "reporters": tuple((name, number) for name, number in kept["reporters"])})


def kept_advisories(kept: object, package: str) -> tuple[Advisory, ...]:
    """Return those that were kept with a package, under the name that it has now; what cannot be read is left out."""
    found = []
    for one in kept if isinstance(kept, list) else ():
        try:
            found.append(evolve(advisory_from(one), package=package))
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(found)


def _text(value: object) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or len(text) > MAX_TEXT_CHARACTERS or not text.isprintable():
        raise Invalid(f"must be text of at most {MAX_TEXT_CHARACTERS} characters")
    return text


def _number(value: object) -> str:
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise Invalid("must be 3 to 80 letters, digits, dots, hyphens and underscores")
    return value


def _constraint(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_CONSTRAINT_CHARACTERS:
        raise Invalid("must be a version constraint")
    parse_constraints(value)
    return value.strip()


def _link(value: object) -> str:
    text = _text(value)
    if not text.lower().startswith(("https://", "http://")) or " " in text:
        raise Invalid("must be an http or https address")
    return text


def _cve(value: object) -> str:
    if not isinstance(value, str) or not CVE.fullmatch(value.upper()):
        raise Invalid("must look like CVE-2026-12345")
    return value.upper()


def _severity(value: object) -> str:
    if value not in SEVERITIES:
        raise Invalid(f"must be one of {', '.join(SEVERITIES)}")
    return str(value)


def _moment(value: object) -> str:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid("must be a date, as 2026-11-25 or 2026-11-25T12:00:00+00:00")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
