"""
One part of a constraint, without `|` and `,`: `^1.2`, `~1.2`, `1.*`, `1.0 - 2.0`, `>=1.0@beta`, `dev-main#abc`.

Source: composer/semver VersionParser::parseConstraint(), branch by branch; groups are numbered as there.
"""

import re
from collections.abc import Sequence
from typing import Final

from packeton.core.composer.versions import MODIFIER, STABILITIES, normalize, stability_of
from packeton.errors import Invalid

__all__ = ["MAX_CHARACTERS", "Pair", "parse_one"]

MAX_CHARACTERS: Final = 4096
Pair = tuple[str, str]
"""A sign and a normalised version; None stands for "any version"."""

ANY_CASE = re.ASCII | re.IGNORECASE
VERSION = rf"v?(\d++)(?:\.(\d++))?(?:\.(\d++))?(?:\.(\d++))?(?:{MODIFIER}|\.([xX*][.-]?dev))(?:\+[^\s]+)?"
ALIASED = re.compile(r"^([^,\s]++) ++as ++([^,\s]++)$", re.ASCII)
FLAGGED = re.compile(rf"^([^,\s]*?)@({STABILITIES})$", ANY_CASE)
REFERENCED = re.compile(r"^(dev-[^,\s@]+?|[^,\s@]+?\.x-dev)#.+$", ANY_CASE)
WILDCARD = re.compile(r"^(v)?[xX*](\.[xX*])*$", ANY_CASE)
TILDE = re.compile(rf"^~>?{VERSION}$", ANY_CASE)
CARET = re.compile(rf"^\^{VERSION}($)", ANY_CASE)
X_RANGE = re.compile(r"^v?(\d++)(?:\.(\d++))?(?:\.(\d++))?(?:\.[xX*])++$", re.ASCII)
HYPHEN = re.compile(rf"^({VERSION}) +- +({VERSION})($)", ANY_CASE)
BASIC = re.compile(r"^(<>|!=|>=?|<=?|==?)?\s*(.*)", re.ASCII)
DEV_LAST = re.compile(r"^[0-9a-zA-Z\-./]+$")
SUFFIXED = re.compile(rf"-{MODIFIER}$", re.ASCII)
SIGNS: Final = {"": "==", "=": "==", "<>": "!="}


def parse_one(text: str) -> Sequence[Pair | None]:
    """Return the comparisons that *text* stands for. Raises Invalid: Composer's own message."""
    flag = ""
    if match := ALIASED.match(text):
        text = match[1]
    if match := FLAGGED.match(text):
        text = match[1] or "*"
        flag = "" if match[2] == "stable" else match[2]
    if match := REFERENCED.match(text):
        text = match[1]
    if match := WILDCARD.match(text):
        return [(">=", "0.0.0.0-dev") if match[1] or match[2] else None]
    if match := TILDE.match(text):
        return _tilde(text, _groups(match))
    if match := CARET.match(text):
        return _caret(text, _groups(match))
    if match := X_RANGE.match(text):
        return _x_range(_groups(match))
    if match := HYPHEN.match(text):
        return _hyphen(_groups(match))
    return [_basic(text, flag)]


def _groups(match: re.Match[str]) -> list[str]:
    return [match[0], *(group or "" for group in match.groups())]


def _tilde(text: str, groups: list[str]) -> list[Pair | None]:
    if text.startswith("~>"):
        raise Invalid(
            f"Could not parse version constraint {text}: "
            'Invalid operator "~>", you probably meant to use the "~" operator'
        )
    position = next((number for number in (4, 3, 2) if groups[number]), 1) + bool(groups[8])
    low = normalize((text + _dev_suffix(groups[5], groups[7], groups[8]))[1:])
    return [(">=", low), ("<", _moved(groups, max(1, position - 1), 1))]


def _caret(text: str, groups: list[str]) -> list[Pair | None]:
    if groups[1] != "0" or not groups[2]:
        position = 1
    elif groups[2] != "0" or not groups[3]:
        position = 2
    else:
        position = 3
    low = normalize((text + _dev_suffix(groups[5], groups[7], groups[8]))[1:])
    return [(">=", low), ("<", _moved(groups, position, 1))]


def _x_range(groups: list[str]) -> list[Pair | None]:
    position = next((number for number in (3, 2) if groups[number]), 1)
    groups = [*groups, ""]
    low, high = _moved(groups, position, 0), _moved(groups, position, 1)
    return [("<", high)] if low == "0.0.0.0-dev" else [(">=", low), ("<", high)]


def _hyphen(groups: list[str]) -> list[Pair | None]:
    low = normalize(groups[1]) + _dev_suffix(groups[6], groups[8], groups[9])
    high = normalize(groups[10])
    if (groups[12] and groups[13]) or groups[15] or groups[17] or groups[18]:
        return [(">=", low), ("<=", high)]
    return [(">=", low), ("<", _moved(["", *groups[11:15]], 2 if groups[12] else 1, 1))]


def _dev_suffix(*suffixes: str) -> str:
    return "" if any(suffixes) else "-dev"


def _basic(text: str, flag: str) -> Pair:
    match = BASIC.match(text)
    assert match is not None  # it matches the empty text
    sign, rest = match[1] or "", match[2]
    try:
        version = _normalized(rest)
    except Invalid as error:
        raise Invalid(f"Could not parse version constraint {text}: {error}") from error
    if flag and sign not in {"", "=", "=="} and stability_of(version) == "stable":
        version = f"{version}-{flag}"
    elif sign in {"<", ">="} and not SUFFIXED.search(rest.lower()) and not rest.startswith("dev-"):
        version = f"{version}-dev"
    return SIGNS.get(sign, sign), version


def _normalized(version: str) -> str:
    try:
        return normalize(version)
    except Invalid:
        if version.endswith("-dev") and DEV_LAST.match(version):  # foobar-dev should be dev-foobar
            return normalize(f"dev-{version[:-4]}")
        raise


def _moved(groups: Sequence[str], position: int, increment: int) -> str:
    """Return `a.b.c.d-dev`, increased at *position*, zero behind it. Source: manipulateVersionString()."""
    parts = list(groups[1:5])
    if increment:
        parts[position - 1] = _increased(parts[position - 1], increment)
    return ".".join([*parts[:position], *["0"] * (4 - position)]) + "-dev"


def _increased(digits: str, increment: int) -> str:
    """Add as PHP does, where what is too large for an integer becomes a float of 14 digits."""
    value = int(digits or "0") + increment
    if value < 2**63:
        return str(value)
    try:
        mantissa, _, exponent = f"{float(value):.13E}".partition("E")
    except OverflowError:
        return "INF"
    mantissa = mantissa.rstrip("0")
    return f"{mantissa}{'0' if mantissa.endswith('.') else ''}E+{int(exponent)}"
