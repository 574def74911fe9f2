"""composer.json's `archive.exclude`: which files stay out of an archive."""

import re
from collections.abc import Iterable

from attrs import frozen

from packeton.core.composer.globs import MAX_GLOB_LENGTH, MAX_GLOB_STARS, glob_pattern

__all__ = ["Exclusions"]

MAX_PATTERNS = 1000


@frozen
class Exclusions:
    """
    Patterns much like gitignore's; the last one that matches decides, `!` takes back.

    Patterns that are too long or have too many stars are left out.
    Source: Composer's Package/Archiver/BaseExcludeFilter and ComposerExcludeFilter, Symfony's Finder/Glob.
    """

    _rules: tuple[tuple[re.Pattern[str], bool], ...] = ()

    @classmethod
    def of(cls, patterns: Iterable[object]) -> "Exclusions":
        """Read patterns; what is no text, empty or a comment is nothing."""
        rules = []
        for pattern in list(patterns)[:MAX_PATTERNS]:
            if not isinstance(pattern, str) or not pattern.strip() or pattern.strip().startswith("#"):
                continue
            text = pattern.strip()
            if len(text) <= MAX_GLOB_LENGTH and text.count("*") <= MAX_GLOB_STARS:
                rules.append(_rule(text))
        return cls(tuple(rules))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def exclude(self, path: str) -> bool:
        """Say if the file at *path* (without a leading slash) stays out; a directory takes its files along."""
        excluded = False
        for pattern, excludes in self._rules:
            if excluded != excludes and pattern.search(f"/{path}"):
                excluded = excludes
        return excluded


def _rule(text: str) -> tuple[re.Pattern[str], bool]:
    excludes = not text.startswith("!")
    text = text.lstrip("!")
    slash = text.find("/")
    if slash == 0:
        start = "^/"
    elif slash in {-1, len(text) - 1}:
        start = "/"
    else:
        start = ""
    return re.compile(f"{start}{glob_pattern(text.strip('/'))}(?=$|/)"), excludes
