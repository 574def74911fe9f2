"""Lines of groups as people write them: `acme/a`, `acme/*`, `*`, with `:CONSTRAINT` behind them."""

import re
from typing import Final

from packeton.core.access.accounts import AclLine
from packeton.core.composer.constraints import parse_constraints
from packeton.errors import Invalid

__all__ = ["MAX_CONSTRAINT", "STABILITIES", "checked_line", "checked_stability", "is_pattern", "parse_line"]

PART: Final = r"[A-Za-z0-9_.-]+"
NAME: Final = re.compile(rf"\*|{PART}/(?:\*|{PART})")
MAX_NAME: Final = 191
MAX_CONSTRAINT: Final = 1024
STABILITIES: Final = ("stable", "RC", "beta", "alpha", "dev")


def is_pattern(package: str) -> bool:
    """Say if it stands for any number of packages."""
    return package == "*" or package.endswith("/*")


def parse_line(text: str) -> AclLine:
    """Read `NAME[:CONSTRAINT]`. Raises Invalid, which says what is wrong."""
    package, _, constraint = text.partition(":")
    return checked_line(package.strip(), constraint.strip() or None)


def checked_line(package: str, constraint: str | None = None, min_stability: str | None = None) -> AclLine:
    """Return a line whose parts can be used; package names are lower-case. Raises Invalid, which says what is not."""
    package = package.lower()
    if len(package) > MAX_NAME or NAME.fullmatch(package) is None:
        raise Invalid(f"{package[:80]!r} is no package name, vendor/* or *")
    if constraint is not None:
        if len(constraint) > MAX_CONSTRAINT:
            raise Invalid(f"the constraint for {package} is longer than {MAX_CONSTRAINT} characters")
        try:
            parse_constraints(constraint)
        except Invalid as error:
            raise Invalid(f"the constraint for {package}: {error}") from error
    return AclLine(package=package, constraint=constraint or None, min_stability=checked_stability(min_stability))


def checked_stability(text: str | None) -> str | None:
    """Return a stability as Composer spells it, None for none. Raises Invalid."""
    if text is None or not text:
        return None
    found = next((known for known in STABILITIES if known.lower() == text.lower()), None)
    if found is None:
        raise Invalid(f"{text[:40]!r} is no stability: {', '.join(STABILITIES)}")
    return found
