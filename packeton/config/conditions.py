"""
The expressions of conditional blocks: `env("X")`, literals, comparisons, and / or / not.

Values compare and count as they do in PHP: `==` and `!=` compare a number with the text of one as numbers and a
truth value by truth, `===` and `!==` take the type too; null, false, 0, "", "0" and [] are false, all else is true,
so "false" is. Source: Symfony's ExpressionLanguage, and PHP's language reference on comparisons.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

__all__ = ["holds"]

TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<symbol>===|!==|==|!=|<=|>=|&&|\|\||[<>!()\[\],]|not\s+in\b)|(?P<name>[A-Za-z_]\w*))""",
    re.DOTALL,
)
LITERALS: Final[dict[str, Any]] = {"null": None, "true": True, "false": False}
MAX_LENGTH: Final = 4000
"""Characters of an expression."""
MAX_DEPTH: Final = 50


class _Token(NamedTuple):
    kind: str
    text: str


def holds(expression: str, environment: Mapping[str, str]) -> bool:
    """
    Evaluate *expression*. An unset variable is null; names of variables are looked up in upper case.

    Raises:
        ValueError: something stands in it that is not of the small language.
    """
    if len(expression) > MAX_LENGTH:
        raise ValueError(f"the expression is longer than {MAX_LENGTH} characters")
    parser = _Parser([*_tokens(expression), _Token("end", "the end")], environment)
    value = parser.any_of()
    parser.expect("the end")
    return _true(value)


def _tokens(expression: str) -> Iterator[_Token]:
    text, at = expression.rstrip(), 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{text[at:].strip()[:20]} is not possible in an expression")
        found = match[match.lastgroup]
        yield _Token(match.lastgroup, re.sub(r"\s+", " ", found) if match.lastgroup == "symbol" else found)
        at = match.end()


class _Parser:
    """Reads and evaluates at once: an expression has no side effects, so nothing needs to be left out."""

    def __init__(self, tokens: list[_Token], environment: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._environment = environment

    def any_of(self) -> Any:
        """Read `a or b || c`."""
        value = self._all_of()
        while self._taken("or", "||"):
            other = self._all_of()
            value = _true(value) or _true(other)
        return value

    def expect(self, text: str) -> None:
        """Read exactly *text*."""
        if not self._taken(text):
            if self._tokens[self._at].kind == "end":
                raise ValueError("the expression is not complete")
            raise ValueError(f"{self._tokens[self._at].text} is not possible there in an expression")

    def _all_of(self) -> Any:
        value = self._comparison()
        while self._taken("and", "&&"):
            other = self._comparison()
            value = _true(value) and _true(other)
        return value

    def _comparison(self) -> Any:
        value = self._single()
        while self._tokens[self._at].kind != "text" and self._tokens[self._at].text in COMPARISONS:
            compare = COMPARISONS[self._next().text]
            value = compare(value, self._single())
        return value

    def _single(self) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("the expression is nested too deeply")
        value = self._negation() if self._taken("not", "!") else self._primary()
        self._depth -= 1
        return value

    def _negation(self) -> bool:
        return not _true(self._single())

    def _primary(self) -> Any:
        token = self._next()
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.text == "(":
            value = self.any_of()
            self.expect(")")
            return value
        if token.text == "[":
            return self._items()
        if token.text.lower() in LITERALS:
            return LITERALS[token.text.lower()]
        if token.text == "env":
            return self._variable()
        raise ValueError(f"{token.text} is not possible in an expression")

    def _items(self) -> list[Any]:
        items: list[Any] = []
        while not self._taken("]"):
            if items:
                self.expect(",")
            items.append(self.any_of())
        return items

    def _variable(self) -> str | None:
        self.expect("(")
        name = self._primary()
        self.expect(")")
        if not isinstance(name, str):
            raise ValueError('env() takes the name of a variable: env("NAME")')
        return self._environment.get(name.upper())

    def _taken(self, *texts: str) -> bool:
        token = self._tokens[self._at]
        found = token.kind != "text" and token.text in texts
        self._at += found
        return found

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        if token.kind == "end":
            raise ValueError("the expression is not complete")
        self._at += 1
        return token


def _true(value: Any) -> bool:
    return bool(value) and value != "0"


def _number(value: Any) -> float | None:
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?\s*", value):
        return float(value)
    return None


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return _true(one) == _true(other)
    if one is None or other is None:
        value = other if one is None else one
        return value == "" if isinstance(value, str) else not _true(value)
    numbers = _number(one), _number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    if isinstance(one, list) or isinstance(other, list):
        return bool(one == other)
    return str(one) == str(other)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def judge(one: Any, other: Any) -> bool:
        numbers = _number(one), _number(other)
        if None not in numbers:
            return compare(*numbers)
        if isinstance(one, str) and isinstance(other, str):
            return compare(one, other)
        raise ValueError("only numbers and texts have an order in an expression")

    return judge


def _within(one: Any, many: Any) -> bool:
    if not isinstance(many, list):
        raise ValueError("`in` needs a list such as [1, 2] on its right")
    return any(_identical(one, item) for item in many)


def _identical(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": _equal,
    "!=": lambda one, other: not _equal(one, other),
    "===": _identical,
    "!==": lambda one, other: not _identical(one, other),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _within,
    "not in": lambda one, many: not _within(one, many),
}
