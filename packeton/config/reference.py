"""Settings classes → the commented sample `etc/packeton.yaml`, so that it cannot go stale."""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any, get_args, get_type_hints

import attrs

from packeton.config import settings as module
from packeton.config.settings import HttpBasicSettings, Settings
from packeton.config.units import duration_text, size_text

__all__ = ["reference", "shown"]

HEAD = """\
# Packeton's settings, all of them, with their defaults: `packeton config reference` prints this file.
# Every line that begins with "#:" is an option; remove the "#:" to set it. Values may hold %env(NAME)%.
# `packeton config check --config FILE` reads a file as the server would.
packeton:
"""
EXAMPLES = {
    "mirrors": "acme",
    "proxies": "files",
    "providers": "staff",
    "server": "ldap://ldap.example.com",
    "base_dn": "ou=people,dc=example,dc=com",
    "url": "https://repo.example.com",
    "path": "/files",
    "username": "reader",
    "password": "'%env(ACME_PASSWORD)%'",
}


def reference() -> str:
    """Return the sample: every option, commented out, below its explanation."""
    return HEAD + "\n".join(_section(Settings, 1)) + "\n"


def shown(name: str, value: Any) -> Any:
    """Return a setting's value as YAML or JSON would hold it, in units where it has one."""
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith("_bytes"):
        return size_text(value)
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _section(kind: type[Any], depth: int) -> Iterator[str]:
    hints = get_type_hints(kind)
    for item in attrs.fields(kind):
        indent = "    " * depth
        for line in wrap(_docstrings(kind.__name__).get(item.name, ""), 110 - len(indent)):
            yield f"{indent}# {line}"
        inner = next((part for part in (hints[item.name], *get_args(hints[item.name])) if attrs.has(part)), None)
        if inner is None:
            yield f"#:{indent[2:]}{item.name}: {_sample(item)}"
            continue
        yield f"#:{indent[2:]}{item.name}:"
        if item.name in EXAMPLES:
            yield f"#:{indent[2:]}    {EXAMPLES[item.name]}:"
        yield from _section(inner, depth + (2 if item.name in EXAMPLES else 1))
        if inner is not HttpBasicSettings:
            yield ""


def _sample(item: "attrs.Attribute[Any]") -> str:
    if item.default is attrs.NOTHING:
        return EXAMPLES[item.name]
    factory = getattr(item.default, "factory", None)
    value = shown(item.name, item.default if factory is None else factory())
    if value is None:
        return "~"
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return json.dumps(value) if isinstance(value, bool | list) else str(value)


@cache
def _docstrings(name: str) -> dict[str, str]:
    """Return the explanation below each field of the class *name*, from the source of the settings."""
    tree = ast.parse(inspect.getsource(module))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    found: dict[str, str] = {}
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str() as words)):
                found[key] = " ".join(words.split())
    return found
