"""composer.json's `archive.exclude`: which files stay out of an archive."""

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from packeton.core.composer.globs import compiled, glob_pattern
from packeton.errors import Invalid

__all__ = ["Exclusions"]

MAX_PATTERNS = 1000


@frozen
class Exclusions:
    """
    Patterns much like gitignore's; the last one that matches decides, `!` takes back.

    Patterns that are too long, or none, are left out; matching takes time like the length of the path.
    Source: Composer's Package/Archiver/BaseExcludeFilter and ComposerExcludeFilter, Symfony's Finder/Glob.
    """

    _rules: tuple[tuple[Any, bool], ...] = ()

    @classmethod
    def of(cls, patterns: Iterable[object]) -> "Exclusions":
        """Read patterns; what is no text, empty or a comment is nothing."""
        rules = []
        for pattern in list(patterns)[:MAX_PATTERNS]:
            if not isinstance(pattern, str) or not pattern.strip() or pattern.strip().startswith("#"):
                continue
            if (rule := _rule(pattern.strip())) is not None:
                rules.append(rule)
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


def _rule(text: str) -> tuple[Any, bool] | None:
    excludes = not text.startswith("!")
    text = text.lstrip("!")
    slash = text.find("/")
    start = "^/" if slash == 0 else "/" if slash in {-1, len(text) - 1} else ""
    glob = text.strip("/")
    try:
        return (compiled(f"{start}(?:{glob_pattern(glob)})(?:/|$)"), excludes) if glob else None
    except Invalid:
        return None
