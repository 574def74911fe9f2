"""The environment: `.env` files, and `%env(…)%` in values."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from packeton.errors import ConfigurationInvalid

__all__ = ["interpolate", "with_dotenv"]

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
QUOTED = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^#\s]*(?:[ \t]+[^#\s]+)*))\s*(?:#.*)?""", re.DOTALL)
VARIABLE = re.compile(r"(?<!\\)\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
PLACEHOLDER = re.compile(r"%(?:env\(([^()%]*)\)|([A-Za-z0-9_.]+(?:\(\w+\))?))?%")
TRUE = frozenset({"1", "true", "on", "yes"})
FALSE = frozenset({"", "0", "false", "off", "no", "null"})


def with_dotenv(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """
    Return the environment with what the `.env` files of *folder* add to it.

    The real environment wins, then `.env.<APP_ENV>.local`, `.env.<APP_ENV>`, `.env.local`, `.env`.
    Raises ConfigurationInvalid naming file and line.
    """
    first = _read_dotenv(folder / ".env.local", environment) or {}
    stage = environment.get("APP_ENV") or first.get("APP_ENV")
    stage = stage or (_read_dotenv(folder / ".env", environment) or {}).get("APP_ENV") or "prod"
    found = dict(environment)
    for name in (f".env.{stage}.local", f".env.{stage}", ".env.local", ".env"):
        for key, value in (_read_dotenv(folder / name, found) or {}).items():
            found.setdefault(key, value)
    return found


def _read_dotenv(path: Path, environment: Mapping[str, str]) -> dict[str, str] | None:
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"{path}: cannot be read: {error}") from error
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assignment = ASSIGNMENT.fullmatch(line)
        value = QUOTED.fullmatch(assignment[2]) if assignment else None
        if assignment is None or value is None:
            raise ConfigurationInvalid(f"{path}:{number}: must be NAME=value")
        values[assignment[1]] = _dotenv_value(value, {**values, **environment})
    return values


def _dotenv_value(match: re.Match[str], known: Mapping[str, str]) -> str:
    double, single, bare = match.groups()
    if single is not None:
        return single
    text = double if double is not None else bare or ""

    def lookup(variable: re.Match[str]) -> str:
        return known.get(variable[1] or variable[3]) or variable[2] or ""

    text = VARIABLE.sub(lookup, text)
    if double is not None:
        text = re.sub(r"\\([\"\\$n])", lambda escaped: "\n" if escaped[1] == "n" else escaped[1], text)
    return text


def interpolate(value: Any, environment: Mapping[str, str], parameters: Mapping[str, Any], depth: int = 0) -> Any:
    """
    Put environment variables and parameters into one value.

    A text that is nothing but one placeholder becomes what the placeholder gives, of its type; `%%` is a percent sign.

    Raises:
        ValueError: an unknown variable, parameter or cast, or a value that cannot be cast.
    """
    if not isinstance(value, str) or "%" not in value:
        return value
    if depth > 20:
        raise ValueError("parameters refer to each other in a circle")

    def resolve(match: re.Match[str]) -> Any:
        if match[1] is not None:
            return _cast(match[1], environment, parameters)
        if match[2] is None:
            return "%"
        if match[2] not in parameters:
            raise ValueError(f"there is no parameter {match[2]}")
        return interpolate(parameters[match[2]], environment, parameters, depth + 1)

    whole = PLACEHOLDER.fullmatch(value)
    if whole is not None:
        return resolve(whole)
    return PLACEHOLDER.sub(lambda match: str(_scalar(resolve(match))), value)


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise ValueError("a map or a list cannot be part of a text")
    return "" if value is None else value


def _cast(expression: str, environment: Mapping[str, str], parameters: Mapping[str, Any]) -> Any:
    """Evaluate what stands in `%env(…)%`: casts from the right to the left. Source: Symfony's EnvVarProcessor."""
    cast, colon, rest = expression.partition(":")
    if not colon:
        fallback = f"env({expression})"
        if expression not in environment and fallback not in parameters:
            raise ValueError(f"the environment has no {expression}")
        return environment[expression] if expression in environment else parameters[fallback]
    if cast == "default":
        parameter, _, rest = rest.partition(":")
        try:
            found = _cast(rest, environment, parameters)
        except ValueError:
            found = None
        return found if found not in {None, ""} else parameters.get(parameter)
    value = _cast(rest, environment, parameters)
    if cast not in CASTS:
        raise ValueError(f"%env({cast}:…)% is not known")
    if cast == "resolve":
        return interpolate(value, environment, parameters, 1)
    try:
        return CASTS[cast](value)
    except (ValueError, TypeError, OSError) as error:
        name = rest.rpartition(":")[2]
        raise ValueError(f"the environment's {name} cannot be read as {cast}") from error


def _bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    return float(text) != 0


def _file(value: Any) -> str:
    return Path(value).read_text()


CASTS: dict[str, Callable[[Any], Any]] = {
    "string": str,
    "bool": _bool,
    "not": lambda value: not _bool(value),
    "int": lambda value: int(float(value)),
    "float": float,
    "json": json.loads,
    "base64": lambda value: base64.b64decode(value, validate=True).decode(),
    "csv": lambda value: [part for part in str(value).split(",") if part],
    "trim": lambda value: str(value).strip(),
    "file": _file,
    "resolve": str,
}
