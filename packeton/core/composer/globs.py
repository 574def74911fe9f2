"""Globs as Composer's users know them, and which directories of a mono-repo they choose."""

import re
from collections.abc import Iterable, Sequence

from packeton.errors import Invalid

__all__ = ["MAX_GLOB_LENGTH", "MAX_GLOB_STARS", "find_directories", "glob_pattern"]

MAX_GLOB_LENGTH = 512
MAX_GLOB_STARS = 8
"""Of one glob: matching takes time like the length of a path to this power at worst."""
MANIFEST = "composer.json"


def find_directories(paths: Iterable[str], globs: Sequence[str], excluded: Sequence[str] = ()) -> list[str]:
    """
    Return, sorted, the directories of those composer.json files among *paths* that a glob matches.

    Args:
        globs: Such as `src/{Bundle,Component}/*/composer.json`; a pattern without composer.json at its end finds none.
        excluded: Directories, or composer.json files, that are left out.

    Raises:
        Invalid: A glob is too long or has too many stars.
    """
    patterns = []
    for glob in globs:
        if len(glob) > MAX_GLOB_LENGTH or glob.count("*") > MAX_GLOB_STARS:
            raise Invalid(f"{glob[:60]}: this pattern is too long or has too many stars")
        patterns.append(re.compile(glob_pattern(glob.strip().strip("/"))))
    left_out = {path.strip().strip("/").removesuffix(MANIFEST).rstrip("/") for path in excluded}
    found = {
        path.removesuffix(MANIFEST).rstrip("/")
        for path in paths
        if path.rpartition("/")[2] == MANIFEST and any(pattern.fullmatch(path) for pattern in patterns)
    }
    return sorted(found - left_out)


def glob_pattern(glob: str) -> str:
    """Return a glob as a regular expression. Source: Symfony\\Component\\Finder\\Glob::toRegex, its defaults."""
    out, depth, index, first = [], 0, 0, True
    while index < len(glob):
        char = glob[index]
        if first and char != ".":
            out.append(r"(?=[^\.])")
        first = char == "/"
        if first and glob[index + 1 : index + 3] == "**" and glob[index + 3 : index + 4] in {"", "/"}:
            out.append(r"/(?:(?=[^\.])[^/]+/)*" + (r"(?:(?=[^\.])[^/]+)?" if index + 3 == len(glob) else ""))
            index += 4
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "{":
            out.append("(?:")
            depth += 1
        elif char == "}" and depth:
            out.append(")")
            depth -= 1
        elif char == "," and depth:
            out.append("|")
        elif char == "\\" and index + 1 < len(glob):
            index += 1
            out.append(re.escape(glob[index]))
        else:
            out.append(re.escape(char))
        index += 1
    return "".join(out) + ")" * depth
