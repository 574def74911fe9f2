"""`%env(…)%` and `%parameter%` in values. Source: Symfony's EnvVarProcessor and ParameterBag."""

import base64
import csv
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

__all__ = ["as_bool", "interpolate"]

PLACEHOLDER: Final = re.compile(r"%(?:env\(([^()%]*)\)|([A-Za-z0-9_.]+(?:\(\w+\))?))?%")
NUMBER: Final = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*")
TRUE: Final = frozenset({"1", "true", "on", "yes"})
FALSE: Final = frozenset({"", "0", "false", "off", "no", "null"})
MAX_FILE_BYTES: Final = 1 << 20
"""Of a file that `%env(file:NAME)%` names."""
MAX_DEPTH: Final = 20


class _Missing(ValueError):
    """The environment has no such variable."""


@frozen
class _Sources:
    """Where values come from, and how many references deep we are."""

    environment: Mapping[str, str]
    parameters: Mapping[str, Any]
    depth: int = 0

    def deeper(self) -> "_Sources":
        if self.depth >= MAX_DEPTH:
            raise ValueError("values refer to each other in a circle")
        return evolve(self, depth=self.depth + 1)


def interpolate(value: Any, environment: Mapping[str, str], parameters: Mapping[str, Any]) -> Any:
    """
    Put environment variables and parameters into one value, or into all of a map or list.

    A text that is nothing but one placeholder becomes what the placeholder gives, of its type; `%%` is a percent sign.

    Raises:
        ValueError: an unknown variable, parameter or cast, or a value that cannot be cast. The text may name what
            stands between percent signs, and never holds what a variable does.
    """
    return _interpolated(value, _Sources(environment, parameters))


def _interpolated(value: Any, sources: _Sources) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(inner, sources.deeper()) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, sources.deeper()) for inner in value]
    if not isinstance(value, str) or "%" not in value:
        return value

    def resolve(match: re.Match[str]) -> Any:
        if match[1] is not None:
            return _variable(match[1], sources)
        return "%" if match[2] is None else _parameter(match[2], sources)

    whole = PLACEHOLDER.fullmatch(value)
    if whole is not None:
        return resolve(whole)
    return PLACEHOLDER.sub(lambda match: _part(resolve(match)), value)


def _parameter(name: str, sources: _Sources) -> Any:
    if name not in sources.parameters:
        raise ValueError(f"there is no parameter {name} (a percent sign is written %%)")
    return _interpolated(sources.parameters[name], sources.deeper())


def _part(value: Any) -> str:
    if isinstance(value, bool | dict | list):
        raise ValueError("only texts and numbers can be part of a text")
    return "" if value is None else str(value)


def _variable(expression: str, sources: _Sources) -> Any:
    """Evaluate what stands in `%env(…)%`: casts from the right to the left."""
    cast, colon, rest = expression.partition(":")
    if not colon:
        return _looked_up(expression, sources)
    if cast in {"default", "key"}:
        name, colon, rest = rest.partition(":")
        if not colon:
            raise ValueError(f"%env({cast}:…)% needs a name and a variable: %env({cast}:name:VARIABLE)%")
        chosen = _or_default if cast == "default" else _member
        return chosen(name, rest, sources)
    if cast != "resolve" and cast not in CASTS:
        raise ValueError(f"%env({cast}:…)% is not known")
    value = _variable(rest, sources.deeper())
    if cast == "resolve":
        return _interpolated(value, sources.deeper())
    try:
        return CASTS[cast](value)
    except (ValueError, TypeError, ArithmeticError, OSError, RecursionError, csv.Error) as error:
        name = rest.rpartition(":")[2]
        raise ValueError(f"the environment's {name} cannot be read as {cast}") from error


def _looked_up(name: str, sources: _Sources) -> Any:
    if not re.fullmatch(r"\w+", name):
        raise ValueError("%env(…)% must name a variable")
    if name in sources.environment:
        return sources.environment[name]
    if f"env({name})" not in sources.parameters:
        raise _Missing(f"the environment has no {name}")
    return sources.parameters[f"env({name})"]


def _or_default(parameter: str, rest: str, sources: _Sources) -> Any:
    """Evaluate `default:parameter:rest`: the parameter, or null, where *rest* is not there or empty."""
    fallback = _parameter(parameter, sources) if parameter else None
    try:
        found = _variable(rest, sources.deeper())
    except _Missing:
        found = None
    return fallback if found is None or found == "" else found


def _member(key: str, rest: str, sources: _Sources) -> Any:
    """Evaluate `key:name:rest`: one member of the map, or list, that *rest* gives."""
    value = _variable(rest, sources.deeper())
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    if isinstance(value, dict) and key in value:
        return value[key]
    raise _Missing(f"the environment's {rest.rpartition(':')[2]} has no member {key}")


def as_bool(value: Any) -> bool:
    """Read a switch as PHP's filter_var does; what is no number and no word for it is no."""
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    return text not in FALSE and _float(value) != 0


def _float(value: Any) -> float:
    if NUMBER.fullmatch(str(value)) is None:
        raise ValueError("no number")
    return float(value)


def _int(value: Any) -> int:
    return int(value) if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", str(value)) else int(_float(value))


def _file(value: Any) -> str:
    with Path(value).open("rb") as opened:
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("too large")
    return content.decode()


def _base64(value: Any) -> str:
    text = str(value).translate(str.maketrans("-_", "+/")).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()


def _csv(value: Any) -> list[str]:
    return next(csv.reader([str(value)]), []) if value else []


CASTS: Final[dict[str, Callable[[Any], Any]]] = {
    "string": str,
    "bool": as_bool,
    "not": lambda value: not as_bool(value),
    "int": _int,
    "float": _float,
    "json": json.loads,
    "base64": _base64,
    "csv": _csv,
    "trim": lambda value: str(value).strip(),
    "file": _file,
}
