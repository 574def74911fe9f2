"""The expressions of conditional blocks: `env("X")`, literals, comparisons, and / or / not."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["holds"]

COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
SYMBOLS = ((r"&&", " and "), (r"\|\|", " or "), (r"!(?!=)", " not "), (r"===", "=="), (r"!==", "!="))
NAMES = {"null": None, "true": True, "false": False}
FALSY = {"", "0", "false", "off", "no", "null"}


def holds(expression: str, environment: Mapping[str, str]) -> bool:
    """
    Evaluate *expression*. An unset variable is null; "", "0" and "false" count as false, as they do in PHP.

    Raises:
        ValueError: something stands in it that is not of the small language.
    """
    text = expression
    for pattern, python in SYMBOLS:
        text = re.sub(pattern + r"(?=(?:[^'\"]*(['\"])[^'\"]*\1)*[^'\"]*$)", python, text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _true(_value(tree.body, environment))
    except (SyntaxError, TypeError, RecursionError) as error:
        raise ValueError(f"the expression {expression!r} cannot be read") from error


def _true(value: Any) -> bool:
    return value.strip().lower() not in FALSY if isinstance(value, str) else bool(value)


def _value(node: ast.expr, environment: Mapping[str, str]) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return value
        case ast.Name(id=name) if name.lower() in NAMES:
            return NAMES[name.lower()]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, environment) for item in items]
        case ast.Call(func=ast.Name(id="env"), args=[ast.Constant(value=str() as name)], keywords=[]):
            return environment.get(name)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _true(_value(operand, environment))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_true(_value(value, environment)) for value in values)
        case ast.BoolOp(values=values):
            return any(_true(_value(value, environment)) for value in values)
        case ast.Compare(left=left, ops=[compare], comparators=[right]) if type(compare) in COMPARISONS:
            return COMPARISONS[type(compare)](_value(left, environment), _value(right, environment))
    raise ValueError(f"{ast.unparse(node)} is not possible in an expression")
