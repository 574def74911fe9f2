"""`.gitattributes`, as far as archives need it: `export-ignore` and `filter=lfs`."""

from collections.abc import Iterable, Mapping
from typing import Any

from dulwich.attrs import Pattern, parse_git_attributes

__all__ = ["Attributes"]

MAX_RULES = 2000
MAX_PATTERN_BYTES = 512
MAX_STARS = 8


class Attributes:
    """
    The rules of one tree. Deeper files overrule shallower ones, later lines earlier ones.

    Source: gitattributes(5); git-archive(1) asks about directories too, with a slash at their end.
    """

    def __init__(self) -> None:
        self._rules: list[tuple[int, Pattern, bool, Mapping[bytes, Any]]] = []
        self._ignored: dict[bytes, bool] = {b"": False}

    def add(self, base: bytes, content: bytes) -> None:
        """Add the file of the directory *base* (without slashes at its ends)."""
        depth = len(base.split(b"/")) if base else 0
        for written, attributes in parse_git_attributes(content.splitlines()):  # type: ignore[arg-type]
            only_directories = written.endswith(b"/")
            pattern = written.rstrip(b"/")
            usable = 0 < len(pattern) <= MAX_PATTERN_BYTES and pattern.count(b"*") <= MAX_STARS
            if usable and len(self._rules) < MAX_RULES and attributes.keys() & {b"export-ignore", b"filter"}:
                try:
                    rule = Pattern(pattern, base)
                except Exception:  # noqa: S112 - git lets a malformed pattern match nothing
                    continue
                self._rules.append((depth, rule, only_directories, attributes))
        self._rules.sort(key=lambda rule: rule[0])

    def ignores(self, path: bytes) -> bool:
        """Say if a file is not for archives, by itself or with a directory that it is in."""
        directory = path.rpartition(b"/")[0]
        return self._ignores_directory(directory) or self._value(path, b"export-ignore", is_directory=False) is True

    def is_lfs(self, path: bytes) -> bool:
        """Say if a file's content is kept by git LFS."""
        return bool(self._value(path, b"filter", is_directory=False) == b"lfs")

    def _ignores_directory(self, directory: bytes) -> bool:
        if directory not in self._ignored:
            ignored = self._ignores_directory(directory.rpartition(b"/")[0])
            ignored = ignored or self._value(directory, b"export-ignore", is_directory=True) is True
            self._ignored[directory] = ignored
        return self._ignored[directory]

    def _value(self, path: bytes, name: bytes, *, is_directory: bool) -> Any:
        value = None
        for _, pattern, only_directories, attributes in self._rules:
            if name in attributes and (is_directory or not only_directories) and pattern.match(path):
                value = attributes[name]
        return value


def files_of(paths: Iterable[bytes]) -> list[bytes]:
    """Return those of *paths* that are attribute files."""
    return [path for path in paths if path.rpartition(b"/")[2] == b".gitattributes"]
