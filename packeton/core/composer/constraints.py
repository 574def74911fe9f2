"""
Version constraints as Composer reads and matches them.

`parse_constraints()` is the way in. What it returns is immutable and may be kept; reading the same text again is free.
Source: composer/semver Constraint.php, MultiConstraint.php, MatchAllConstraint.php, VersionParser::parseConstraints().
"""

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from attrs import evolve, field, frozen

from packeton.core.composer.constraint_parser import MAX_CHARACTERS, parse_one
from packeton.core.composer.versions import COMPARISONS, compare_versions, is_branch, php_version_compare, version_key
from packeton.errors import Invalid

__all__ = ["ANYTHING", "Anything", "Combination", "Comparison", "Constraint", "exactly", "parse_constraints"]

Key = tuple[int, ...]
SPACES = " \t\n\r\f\v"
TRIMMED = " \n\r\t\v\0"
MAX_CACHED_CHARACTERS: Final = 128
"""Longer texts are rare and not kept, so that the cache stays small."""
EITHER = re.compile(r"\|\|?")
BOTH = re.compile(r"(?!^)(?<!as)(?<![=>< ,]) *(?<!-)[, ](?!-) *(?!,|as|$)")


@frozen
class Constraint(ABC):
    """A set of versions; `str()` is Composer's form of it."""

    text: str = field(default="", eq=False, kw_only=True)
    """What it was read from."""

    @property
    def pretty(self) -> str:
        """What a person wrote, or Composer's form where nobody wrote it."""
        return str(self) if self.text in {"", "0"} else self.text  # PHP takes "0" for nothing

    @abstractmethod
    def matches(self, other: "Constraint") -> bool:
        """Say if some version may satisfy both; Composer's answer, which is not exact for named branches."""

    @abstractmethod
    def allows(self, normalized_version: str) -> bool:
        """Say if a normalised version is in the set: `matches(exactly(version))`, quickly."""

    @abstractmethod
    def ends(self) -> list[Key]:
        """
        Return, ascending, the keys at which the set of versions (not of named branches) begins, ends, begins … again.

        Each belongs to what follows it. Nothing lies between a key and the key with a further zero.
        """


@frozen
class Anything(Constraint):
    """`*`."""

    def matches(self, other: Constraint) -> bool:  # noqa: ARG002
        """Say yes."""
        return True

    def allows(self, normalized_version: str) -> bool:  # noqa: ARG002
        """Say yes."""
        return True

    def ends(self) -> list[Key]:
        """Begin at the lowest."""
        return [()]

    def __str__(self) -> str:
        return "*"


ANYTHING: Final = Anything()


@frozen
class Comparison(Constraint):
    """One sign and one normalised version."""

    sign: str
    version: str
    _key: tuple[int, ...] = field(init=False, eq=False, repr=False)
    _compare: Callable[[Any, Any], bool] = field(init=False, eq=False, repr=False)
    branch: bool = field(init=False, eq=False, repr=False)
    """The version is a named branch."""

    @_key.default
    def _make_key(self) -> tuple[int, ...]:
        return version_key(self.version)

    @_compare.default
    def _make_compare(self) -> Callable[[Any, Any], bool]:
        return COMPARISONS[self.sign]

    @branch.default
    def _make_branch(self) -> bool:
        return is_branch(self.version)

    def allows(self, normalized_version: str) -> bool:
        """Compare by the keys; a named branch is in the set only by its very name, or by any name's absence."""
        if self.branch or normalized_version.startswith("dev-"):
            return (normalized_version == self.version) is (self.sign == "==") and self.sign in {"==", "!="}
        return self._compare(version_key(normalized_version), self._key)

    def ends(self) -> list[Key]:
        """Begin or end at the version, or right behind it."""
        if self.branch:
            return [()] if self.sign == "!=" else []
        here, behind = self._key, (*self._key, 0)
        return {
            "==": [here, behind],
            "!=": [(), here, behind],
            "<": [(), here],
            "<=": [(), behind],
            ">": [behind],
            ">=": [here],
        }[self.sign]

    def matches(self, other: Constraint) -> bool:
        """Say if the two intersect."""
        return self._intersects(other) if isinstance(other, Comparison) else other.matches(self)

    def _intersects(self, other: "Comparison") -> bool:
        """Source: Constraint::matchSpecific()."""
        if "!=" in (self.sign, other.sign):
            return self._excludes(other)
        if self.sign != "==" and self.sign[0] == other.sign[0]:
            return not (self.branch or other.branch)
        left, right, sign = (self, other, other.sign) if self.sign == "==" else (other, self, self.sign)
        if not compare_versions(left.version, sign, right.version):
            return False
        touching = other.sign in {"<", ">"} and self.sign.endswith("=")  # `>= 1.0` and `< 1.0` meet, and share nothing
        return not (touching and php_version_compare(other.version, self.version) == 0)

    def _excludes(self, other: "Comparison") -> bool:
        for constraint, counterpart in ((self, other), (other, self)):
            ranged = counterpart.sign not in {"==", "!="}
            if constraint.sign == "!=" and ranged and counterpart.branch:
                return False
        if "==" not in (self.sign, other.sign):
            return True
        return compare_versions(other.version, "!=", self.version)

    def __str__(self) -> str:
        return f"{self.sign} {self.version}"


@frozen
class Combination(Constraint):
    """All of several constraints (*conjunctive*), or any of them."""

    constraints: tuple[Constraint, ...]
    conjunctive: bool

    def allows(self, normalized_version: str) -> bool:
        """Look up where the version lies among the ends of ranges; a named branch is asked of each part."""
        if normalized_version.startswith("dev-"):
            decide = all if self.conjunctive else any
            return decide(constraint.allows(normalized_version) for constraint in self.constraints)
        return bisect_right(self._ends, version_key(normalized_version)) & 1 == 1

    @cached_property
    def _ends(self) -> list[Key]:
        return self.ends()

    def ends(self) -> list[Key]:
        """Join the ranges of the parts."""
        return _swept([part.ends() for part in self.constraints], len(self.constraints) if self.conjunctive else 1)

    def matches(self, other: Constraint) -> bool:
        """Ask the parts. Source: MultiConstraint::matches()."""
        if not self.conjunctive:
            return any(other.matches(constraint) for constraint in self.constraints)
        if isinstance(other, Combination) and not other.conjunctive:
            return other.matches(self)
        return all(other.matches(constraint) for constraint in self.constraints)

    def __str__(self) -> str:
        return f"[{(' ' if self.conjunctive else ' || ').join(map(str, self.constraints))}]"


def _swept(sets: Sequence[Sequence[Key]], needed: int) -> list[Key]:
    """Return the ends of what lies in at least *needed* of several sets, given by their ends."""
    steps = sorted((key, 1 - 2 * (position & 1)) for ends in sets for position, key in enumerate(ends))
    found: list[Key] = []
    count = 0
    for key, group in groupby(steps, key=itemgetter(0)):
        was_inside = count >= needed
        count += sum(step for _, step in group)
        if (count >= needed) is not was_inside:
            found.append(key)
    return found


def exactly(normalized_version: str) -> Comparison:
    """Return the constraint that holds one version."""
    return Comparison("==", normalized_version)


def parse_constraints(text: str) -> Constraint:
    """
    Read a constraint: comparisons, ranges and wildcards, joined by `,`, spaces and `|`.

    Raises:
        Invalid: Composer's own message, or the text is overlong.
    """
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"Could not parse version constraint: longer than {MAX_CHARACTERS} characters")
    return _cached(text) if len(text) <= MAX_CACHED_CHARACTERS else _parsed(text)


def _parsed(text: str) -> Constraint:
    alternatives = EITHER.split(text.strip(TRIMMED))
    alternatives[1:] = [alternative.lstrip(SPACES) for alternative in alternatives[1:]]
    alternatives[:-1] = [alternative.rstrip(SPACES) for alternative in alternatives[:-1]]
    groups = [_together(alternative) for alternative in alternatives]
    return evolve(_either(groups), text=text)


_cached = lru_cache(maxsize=16_384)(_parsed)


def _together(text: str) -> Constraint:
    pairs = [pair for one in BOTH.split(text) for pair in parse_one(one)]
    constraints = [ANYTHING if pair is None else Comparison(*pair) for pair in pairs]
    return constraints[0] if len(constraints) == 1 else Combination(tuple(constraints), conjunctive=True)


def _either(groups: Sequence[Constraint]) -> Constraint:
    """Join alternatives, and two ranges of which one begins where the other ends. Source: MultiConstraint::create()."""
    merged = [groups[0]]
    for right in groups[1:]:
        joined = _joined(merged[-1], right)
        merged[-1:] = [merged[-1], right] if joined is None else [joined]
    return merged[0] if len(merged) == 1 else Combination(tuple(merged), conjunctive=False)


def _joined(left: Constraint, right: Constraint) -> Constraint | None:
    ours, theirs = _range(left), _range(right)
    if ours is None or theirs is None or ours[1].sign != "<" or ours[1].version != theirs[0].version:
        return None
    return Combination((ours[0], theirs[1]), conjunctive=True)


def _range(constraint: Constraint) -> tuple[Comparison, Comparison] | None:
    """Return the ends of `>= a < b`."""
    if not isinstance(constraint, Combination) or not constraint.conjunctive or len(constraint.constraints) != 2:
        return None
    low, high = constraint.constraints
    if not isinstance(low, Comparison) or not isinstance(high, Comparison):
        return None
    return (low, high) if low.sign == ">=" and high.sign[0] == "<" else None
