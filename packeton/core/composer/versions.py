"""
Versions as Composer reads, normalises and orders them.

A port that is held against PHP's own classes by tests/core/composer/test_php_equality.py; oddities are kept on purpose.
Source: composer/semver VersionParser.php, Constraint.php; PHP ext/standard/versioning.c.
"""

import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from packeton.errors import Invalid

__all__ = [
    "COMPARISONS",
    "MODIFIER",
    "STABILITIES",
    "compare",
    "compare_versions",
    "is_branch",
    "is_dev",
    "normalize",
    "normalize_branch",
    "parse_numeric_alias_prefix",
    "php_version_compare",
    "stability_of",
    "version_key",
]

MAX_CHARACTERS = 4096
TRIMMED = " \n\r\t\v\0"
"""What PHP's trim() takes away."""
STABILITIES: Final = "stable|RC|beta|alpha|dev"
MODIFIER: Final = r"[._-]?(?:(stable|beta|b|RC|alpha|a|patch|pl|p)((?:[.-]?\d+)*+)?)?([.-]?dev)?"

ANY_CASE = re.ASCII | re.IGNORECASE
REFERENCE = re.compile(r"#.+$", re.ASCII)
STABILITY = re.compile(rf"{MODIFIER}(?:\+.*)?$", ANY_CASE)
ALIASED = re.compile(r"^([^,\s]++) ++as ++([^,\s]++)$", re.ASCII)
FLAGGED = re.compile(rf"@(?:{STABILITIES})$", ANY_CASE)
BUILD = re.compile(r"^([^,\s+]++)\+[^\s]++$", re.ASCII)
CLASSICAL = re.compile(rf"^v?(\d{{1,5}})(\.\d++)?(\.\d++)?(\.\d++)?{MODIFIER}$", ANY_CASE)
DATED = re.compile(rf"^v?(\d{{4}}(?:[.:-]?\d{{2}}){{1,6}}(?:[.:-]?\d{{1,3}})?){MODIFIER}$", ANY_CASE)
NO_DIGIT = re.compile(r"\D", re.ASCII)
BRANCH = re.compile(r"^v?(\d++)(\.(?:\d++|[xX*]))?(\.(?:\d++|[xX*]))?(\.(?:\d++|[xX*]))?$", ANY_CASE)
NUMERIC_ALIAS = re.compile(r"^((?:\d++\.)*\d++)(?:\.x)?-dev$", ANY_CASE)
MAX_CACHED_CHARACTERS: Final = 128
"""Longer texts are rare and not kept, so that the caches stay small."""
LONG_NAMES = {"a": "alpha", "b": "beta", "p": "patch", "pl": "patch", "rc": "RC"}


def stability_of(version: str) -> str:
    """Return "stable", "RC", "beta", "alpha" or "dev" for a version in any form."""
    return _cached_stability(version) if len(version) <= MAX_CACHED_CHARACTERS else _stability(version)


def _stability(version: str) -> str:
    version = REFERENCE.sub("", version)
    if version.startswith("dev-") or version.endswith("-dev"):
        return "dev"
    match = STABILITY.search(version[-MAX_CHARACTERS:].lower())  # what counts is at the end
    if match is None:
        return "stable"
    if match[3]:
        return "dev"
    return {"beta": "beta", "b": "beta", "alpha": "alpha", "a": "alpha", "rc": "RC"}.get(match[1] or "", "stable")


_cached_stability = lru_cache(maxsize=65_536)(_stability)


def is_branch(normalized: str) -> bool:
    """Say if a normalised version is a named branch, which has no place in the order of versions."""
    return normalized.startswith("dev-")


def is_dev(normalized: str) -> bool:
    """Say if a *normalised* version is a development one: a branch, or a numeric one with `-dev`."""
    return normalized.startswith("dev-") or normalized.endswith("-dev")


def normalize(version: str, full: str | None = None) -> str:
    """
    Return the normal form of a version: four numbers and a suffix, or `dev-` and the name of a branch.

    Args:
        full: The whole text that *version* was part of, for a better message.
    Raises:
        Invalid: Composer's own message.
    """
    if len(version) > MAX_CHARACTERS:
        raise Invalid(f"Invalid version string of more than {MAX_CHARACTERS} characters")
    original = version.strip(TRIMMED)
    full = original if full is None else full
    version = original
    if match := ALIASED.match(version):
        version = match[1]
    if match := FLAGGED.search(version):
        version = version[: match.start()]
    if version in {"master", "trunk", "default"}:
        return f"dev-{version}"
    if version[:4].lower() == "dev-":
        return f"dev-{version[4:]}"
    if match := BUILD.match(version):
        version = match[1]
    normalized = _numbered(version) or _numeric_branch(version)
    if normalized is None:
        raise Invalid(f'Invalid version string "{original}"{_alias_hint(version, full)}')
    return normalized


def _numbered(version: str) -> str | None:
    if match := CLASSICAL.match(version):
        base, index = match[1] + "".join(match[group] or ".0" for group in (2, 3, 4)), 5
    elif match := DATED.match(version):
        base, index = NO_DIGIT.sub(".", match[1]), 2
    else:
        return None
    stability, number, dev = match[index], match[index + 1], match[index + 2]
    if stability == "stable":
        return base
    if stability:
        stability = stability.lower()
        base += f"-{LONG_NAMES.get(stability, stability)}{(number or '').lstrip('.-')}"
    return f"{base}-dev" if dev else base


def _numeric_branch(version: str) -> str | None:
    """Read `1.x-dev`: what ends with -dev is a version only where the rest is numeric."""
    version = version.removesuffix("\n")
    if version[-3:].lower() != "dev":
        return None
    name = version[:-3].rpartition("\n")[2]
    if name[-1:] in {".", "-"}:
        name = name[:-1]
    normalized = normalize_branch(name)
    return None if "dev-" in normalized else normalized


def _alias_hint(version: str, full: str) -> str:
    flag = f"(?:@(?:{STABILITIES}))?"
    if re.search(rf" +as +{re.escape(version)}{flag}$", full):
        return f' in "{full}", the alias must be an exact version'
    if re.match(rf"{re.escape(version)}{flag} +as +", full):
        return (
            f' in "{full}", the alias source must be an exact version,'
            " if it is a branch name you should prefix it with dev-"
        )
    return ""


def parse_numeric_alias_prefix(branch: str) -> str | None:
    """Return `2.1.` for `2.1.x-dev` and `2.1-dev`; None where the branch is not numeric."""
    match = NUMERIC_ALIAS.match(branch)
    return f"{match[1]}." if match else None


def normalize_branch(name: str) -> str:
    """Return the normal form of a branch: `2.1` is 2.1.9999999.9999999-dev, `main` is dev-main."""
    name = name.strip(TRIMMED)
    match = BRANCH.match(name)
    if match is None:
        return f"dev-{name}"
    parts = "".join(".x" if part is None else part.replace("*", "x").replace("X", "x") for part in match.groups())
    return parts.replace("x", "9999999") + "-dev"


FORMS: Final = (("dev", 0), ("alpha", 1), ("a", 1), ("beta", 2), ("b", 2), ("RC", 3), ("rc", 3), ("#", 4), ("p", 5))
NUMBER_FORM: Final = 4
PHP_INT_MAX: Final = 2**63 - 1
MAX_DIGITS: Final = 1000
DIGITS: Final = frozenset("0123456789")
LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _canonical(version: str) -> str:
    """Put a dot between what version_compare() takes for parts; works on bytes, as PHP does."""
    text = version.encode("utf-8", "surrogatepass").decode("latin-1")
    parts = [text[0]]
    before = text[0]
    for character in text[1:]:
        digit, letter = character in DIGITS, character in LETTERS
        special = character in "-_+"
        turn = (digit and before not in DIGITS and before != ".") or (
            before in DIGITS and not digit and character != "." and not special
        )
        if (turn or special or not (digit or letter)) and parts[-1] != ".":
            parts.append(".")
        if turn or digit or letter:
            parts.append(character)
        before = character
    return "".join(parts)


def _form(part: str) -> int:
    return next((order for name, order in FORMS if part.startswith(name)), -1)


def _is_number(part: str) -> bool:
    return part[:1] in DIGITS


def _number(part: str) -> int:
    digits = part[: len(part) - len(part.lstrip("0123456789"))]
    return PHP_INT_MAX if len(digits) > MAX_DIGITS else min(int(digits), PHP_INT_MAX)


def _compare_parts(left: str, right: str) -> int:
    if _is_number(left) and _is_number(right):
        ours, theirs = _number(left), _number(right)
    else:
        ours = NUMBER_FORM if _is_number(left) else _form(left)
        theirs = NUMBER_FORM if _is_number(right) else _form(right)
    return (ours > theirs) - (ours < theirs)


def _ends_empty(parts: list[str], at: int) -> bool:
    return at == len(parts) - 1 and not parts[at]


def php_version_compare(left: str, right: str) -> int:
    """
    Return -1, 0 or 1 as PHP's version_compare() does.

    For versions that do not end with punctuation it is the order of version_key(); for the others PHP's answer depends
    on which comes first.
    """
    if not left or not right:
        return bool(left) - bool(right)
    ours = (left if left[0] == "#" else _canonical(left)).split(".")
    theirs = (right if right[0] == "#" else _canonical(right)).split(".")
    last = min(len(ours), len(theirs)) - 1
    at = 0
    while True:
        if at and (_ends_empty(ours, at) or _ends_empty(theirs, at)):
            break  # PHP leaves its loop at an empty rest
        if result := _compare_parts(ours[at], theirs[at]):
            return result
        if at == last:
            at += 1
            break
        at += 1
    if at < len(ours):
        return 1 if _is_number(ours[at]) else php_version_compare(".".join(ours[at:]), "#N#")
    if at < len(theirs):
        return -1 if _is_number(theirs[at]) else php_version_compare("#N#", ".".join(theirs[at:]))
    return 0


PLAIN = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})\.(\d{1,18})", re.ASCII)
END_KEY: Final = 0


def version_key(normalized: str) -> tuple[int, ...]:
    """
    Return what sorts versions as version_compare() orders them; named branches come first, equal to each other mostly.

    A number is its value plus one; the end of a version is 0; what Composer holds for less than a release is negative;
    a patch level is more than any number.
    """
    return _cached_key(normalized) if len(normalized) <= MAX_CACHED_CHARACTERS else _key(normalized)


def _key(normalized: str) -> tuple[int, ...]:
    if match := PLAIN.fullmatch(normalized):
        return (int(match[1]) + 1, int(match[2]) + 1, int(match[3]) + 1, int(match[4]) + 1, END_KEY)
    if not normalized:
        return ()
    keys = [
        _number(part) + 1 if _is_number(part) else _form_key(_form(part)) for part in _canonical(normalized).split(".")
    ]
    return (*keys, END_KEY)


_cached_key = lru_cache(maxsize=65_536)(_key)


def _form_key(form: int) -> int:
    return PHP_INT_MAX + 2 if form > NUMBER_FORM else form - NUMBER_FORM


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SPELLINGS: Final = {"=": "==", "<>": "!=", **{sign: sign for sign in COMPARISONS}}


def compare_versions(left: str, sign: str, right: str, *, with_branches: bool = False) -> bool:
    """
    Compare two normalised versions by a sign of COMPARISONS.

    Args:
        with_branches: Compare a named branch with a number by version_compare() instead of answering no.
    Source: Constraint::versionCompare().
    """
    left_branch, right_branch = is_branch(left), is_branch(right)
    if sign == "!=" and (left_branch or right_branch):
        return left != right
    if left_branch and right_branch:
        return sign == "==" and left == right
    if not with_branches and (left_branch or right_branch):
        return False
    return COMPARISONS[sign](php_version_compare(left, right), 0)


def compare(left: str, sign: str, right: str) -> bool:
    """
    Say if *left* stands in relation *sign* (`=`, `==`, `!=`, `<>`, `<`, `<=`, `>`, `>=`) to *right*, both normalised.

    Raises:
        Invalid: There is no such sign.
    Source: Comparator::compare().
    """
    if sign not in SPELLINGS:
        expected = "=, ==, <, <=, >, >=, <>, !="
        raise Invalid(f'Invalid operator "{sign}" given, expected one of: {expected}')
    return compare_versions(left, SPELLINGS[sign], right, with_branches=True)
