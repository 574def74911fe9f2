"""
composer.lock, and the names of packages in whatever text people paste.

Source: contract of the reference, mirrors section 9; Composer's Package/Locker.php.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from attrs import frozen

from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.names import PackageName
from packeton.errors import Invalid, NotFound

__all__ = ["LockedPackage", "LockedPlace", "locked_packages", "names_in"]

MAX_BYTES = 16 * 2**20
MAX_CHARACTERS = 4 * 2**20
MAX_TOKEN_CHARACTERS = 200
NAMED = re.compile(r'"name"\s{0,9}:\s{0,9}"([^"\s/]{1,100}/[^"\s/]{1,100})"')
KEY = re.compile(r'"([^"\s/]{1,100}/[^"\s/]{1,100})"\s{0,9}:')
VALUE = re.compile(r'"([^"\s/]{1,100}/[^"\s/]{1,100})"\s{0,9}(?:,|\]|$)', re.MULTILINE)
RELEASE = re.compile(r"\d\.\d{1,9}\.\d", re.ASCII)
SEPARATORS = re.compile(r"[\s,;]+")
DECORATION = re.compile(r"\ufeff|\x1b\[[0-9;]{0,20}m")
"""What editors put before a text, and terminals around its words."""


def names_in(text: str) -> tuple[list[str], list[str]]:
    """
    Find package names in a composer.json, a composer.lock, a part of one of them, the output of `composer info`, or a
    list of names.

    Returns:
        What can be names, in lower case, in their order, each once; and what stood there and cannot.
    Raises:
        Invalid: The text is longer than 4 Mi characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"a text of more than {MAX_CHARACTERS} characters")
    valid: dict[str, None] = {}
    invalid: dict[str, None] = {}
    for token in _tokens(DECORATION.sub("", text)):
        name = token.strip().lower()
        try:
            valid[str(PackageName.parse(name))] = None
        except NotFound:
            invalid[name[:MAX_TOKEN_CHARACTERS]] = None
    return list(valid), list(invalid)


def _tokens(text: str) -> Iterator[str]:
    document = _document(text)
    if document is not None:
        yield from _names_of(document)
        return
    for pattern in (NAMED, KEY, VALUE):
        if found := pattern.findall(text):
            yield from found
            return
    if RELEASE.search(text):
        yield from (line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip())
    else:
        yield from (token for token in SEPARATORS.split(text) if token)


def _document(text: str) -> JsonObject | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _names_of(document: Mapping[str, Any]) -> Iterator[str]:
    for key in ("require", "require-dev"):
        links = document.get(key)
        if isinstance(links, dict):
            yield from (name for name in links if "/" in name)
    for key in ("packages", "packages-dev"):
        packages = document.get(key)
        for package in packages if isinstance(packages, list) else ():
            if isinstance(package, dict) and isinstance(package.get("name"), str):
                yield package["name"]


@frozen(kw_only=True)
class LockedPlace:
    """Where a locked package comes from: its `dist` or its `source`."""

    type: str
    url: str
    reference: str
    """Empty where there is none."""
    shasum: str = ""


@frozen(kw_only=True)
class LockedPackage:
    """One package of a composer.lock."""

    name: str
    """Lower case."""
    version: str
    """As its tag or branch is called."""
    dist: LockedPlace | None
    source: LockedPlace | None
    notification_url: str
    """Where its repository wants to hear of installs; tells packages of packagist.org apart; may be empty."""
    is_dev: bool
    """It is only needed for development."""


def locked_packages(content: bytes) -> list[LockedPackage]:
    """
    Read the packages of a composer.lock, those for development last.

    Raises:
        Invalid: It is too large, no JSON, or no lock.
    """
    if len(content) > MAX_BYTES:
        raise Invalid(f"composer.lock is larger than {MAX_BYTES} bytes")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"composer.lock does not contain valid JSON: {error.msg} on line {error.lineno}") from error
    if not isinstance(document, dict) or not isinstance(document.get("packages"), list):
        raise Invalid("composer.lock holds no list of packages")
    found = [_locked(package, is_dev=False) for package in document["packages"]]
    for_development = document.get("packages-dev")
    if for_development is not None and not isinstance(for_development, list):
        raise Invalid("composer.lock holds no list of packages for development")
    return [*found, *(_locked(package, is_dev=True) for package in for_development or ())]


def _locked(package: object, *, is_dev: bool) -> LockedPackage:
    if not isinstance(package, dict) or not _text(package, "name") or not _text(package, "version"):
        raise Invalid("composer.lock holds a package without name or version")
    return LockedPackage(
        name=package["name"].lower(),
        version=package["version"],
        dist=_place(package.get("dist")),
        source=_place(package.get("source")),
        notification_url=_text(package, "notification-url"),
        is_dev=is_dev,
    )


def _place(value: object) -> LockedPlace | None:
    if not isinstance(value, dict) or not _text(value, "url"):
        return None
    return LockedPlace(
        type=_text(value, "type"),
        url=_text(value, "url"),
        reference=_text(value, "reference"),
        shasum=_text(value, "shasum").lower(),
    )


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""
