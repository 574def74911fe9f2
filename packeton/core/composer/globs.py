"""
Globs as Symfony's Finder reads them, run in linear time.

`*` and `?` stay within a segment, `/**/` is any depth, `{a,b}` one of several, `[ab]` one character, and a wildcard at
the begin of a segment does not stand for a dot. Symfony says the last with a look-ahead, which RE2 has not, so that the
glob is parsed and what may come first is written out.
Source: symfony/finder Glob.php.
"""

from collections.abc import Sequence
from typing import Any, Final

import re2  # type: ignore[import-untyped]
from attrs import frozen

from packeton.errors import Invalid

__all__ = ["compiled", "glob_pattern"]

MAX_CHARACTERS: Final = 1000
MAX_SEGMENTS: Final = 100
MAX_DEPTH: Final = 4
MAX_MEMORY_BYTES: Final = 8 << 20


@frozen
class Atom:
    """One place: what it may be, and what it may be where no dot may come; *optional* may be empty."""

    pattern: str
    undotted: str
    optional: bool = False


@frozen
class Start:
    """The begin of a segment, where the next character is not a dot."""


@frozen
class Choice:
    """One of several sequences."""

    options: tuple[tuple["Node", ...], ...]


Node = Atom | Start | Choice
START: Final = Start()
STAR: Final = Atom("[^/]*", "[^./][^/]*", optional=True)
ONE: Final = Atom("[^/]", "[^./]")
DEPTHS: Final = Atom("(?:[^./][^/]*/)*", "(?:[^./][^/]*/)+", optional=True)
BELOW: Final = Atom("(?:[^./][^/]*(?:/|$))*", "(?:[^./][^/]*(?:/|$))+", optional=True)


def glob_pattern(glob: str) -> str:
    """
    Return the pattern, for RE2 and without anchors, that *glob* stands for.

    Raises:
        Invalid: It is overlong, or a brace or bracket is not closed.
    """
    if len(glob) > MAX_CHARACTERS or glob.count("/") >= MAX_SEGMENTS:
        raise Invalid(f"a glob of more than {MAX_CHARACTERS} characters or {MAX_SEGMENTS} segments")
    reader = _Reader(glob)
    nodes = reader.sequence(0)
    if reader.at < len(glob):
        raise Invalid("a glob with a brace that is not open")
    return _any(nodes)


def compiled(pattern: str) -> Any:
    """Compile a pattern of ours. Raises Invalid where it grows too large."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY_BYTES
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise Invalid("a glob that is too complex") from error


class _Reader:
    """Reads a glob into nodes."""

    def __init__(self, glob: str) -> None:
        self._glob = glob
        self._first = True
        self.at = 0

    def sequence(self, depth: int) -> tuple[Node, ...]:
        """Read up to the end, or inside braces to what ends an option."""
        if depth > MAX_DEPTH:
            raise Invalid("a glob with braces nested too deeply")
        nodes: list[Node] = []
        while self.at < len(self._glob):
            character = self._glob[self.at]
            if depth and character in ",}":
                break
            if self._first and character != ".":
                nodes.append(START)
            self._first = character == "/"
            if node := self._node(character, depth):
                nodes.append(node) if node is not STAR or nodes[-1:] != [STAR] else None
        return tuple(nodes)

    def _node(self, character: str, depth: int) -> Node | None:
        self.at += 1
        if character == "*":
            return STAR
        if character == "?":
            return ONE
        if character == "{":
            return self._choice(depth)
        if character == "[":
            return self._class()
        if (
            character == "/"
            and self._glob.startswith("**", self.at)
            and self._glob[self.at + 2 : self.at + 3] in {"", "/"}
        ):
            return self._depths()
        if character == "\\":
            if self.at == len(self._glob):
                return None
            character = self._glob[self.at]
            self.at += 1
        return _literal(character)

    def _depths(self) -> Node:
        below = self.at + 2 == len(self._glob)
        self.at += 2 if below else 3
        return Choice(((_literal("/"), BELOW if below else DEPTHS),))

    def _choice(self, depth: int) -> Node:
        options = [self.sequence(depth + 1)]
        while self._glob[self.at : self.at + 1] == ",":
            self.at += 1
            options.append(self.sequence(depth + 1))
        if self._glob[self.at : self.at + 1] != "}":
            raise Invalid("a glob with a brace that is not closed")
        self.at += 1
        return Choice(tuple(options))

    def _class(self) -> Node:
        end = self._glob.find("]", self.at + 1)
        if end < 0:
            raise Invalid("a glob with a bracket that is not closed")
        inside = self._glob[self.at : end]
        self.at = end + 1
        negated = "^" if inside[0] == "!" and len(inside) > 1 else ""
        members = "".join(
            one if one == "-" or one.isalnum() else re2.escape(one) for one in inside.removeprefix("!") if one != "/"
        )
        pattern = f"[{negated}{members}]"
        return Atom(pattern, pattern)


def _literal(character: str) -> Atom:
    escaped = re2.escape(character)
    return Atom(escaped, "" if character == "." else escaped)


def _any(nodes: Sequence[Node]) -> str:
    """Return the pattern of a sequence."""
    written: list[str] = []
    for position, node in enumerate(nodes):
        if isinstance(node, Start):
            rest = _undotted(nodes[position + 1 :])
            return "".join(written) + (rest if rest is not None else "[^\\x00-\\x{10FFFF}]")
        written.append(node.pattern if isinstance(node, Atom) else _choice_pattern(node))
    return "".join(written)


def _choice_pattern(choice: Choice) -> str:
    return f"(?:{'|'.join(_any(option) for option in choice.options)})"


def _undotted(nodes: Sequence[Node]) -> str | None:
    """
    Return the pattern of a sequence that begins with a character, and not with a dot; None where that cannot be.

    Every node up to the first that is not optional may be the one that begins; what follows that is written once, so
    that the pattern does not double with every segment.
    """
    if nodes and isinstance(nodes[0], Start):
        return _undotted(nodes[1:])
    written: list[str] = []
    end = 0
    for node in nodes:
        if isinstance(node, Start):
            written.append("")
            break
        end += 1
        if not _may_be_empty([node]):
            break
    for position, node in enumerate(nodes[:end]):
        first = "" if isinstance(node, Start) else _undotted_node(node)
        if first:
            written.append(first + _any(nodes[position + 1 : end]))
    return f"(?:{'|'.join(written)}){_any(nodes[end:])}" if written else None


def _undotted_node(node: Atom | Choice) -> str:
    if isinstance(node, Atom):
        return node.undotted
    options = [first for option in node.options if (first := _undotted(option)) is not None]
    return f"(?:{'|'.join(options)})" if options else ""


def _may_be_empty(nodes: Sequence[Node]) -> bool:
    return all(
        isinstance(node, Start)
        or (node.optional if isinstance(node, Atom) else any(_may_be_empty(option) for option in node.options))
        for node in nodes
    )
