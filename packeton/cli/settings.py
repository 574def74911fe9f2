"""`packeton config`: check, show and explain the settings."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import click

from packeton.cli.options import read_settings, settings_options
from packeton.config.reference import reference, shown
from packeton.config.settings import Secret

__all__ = ["config"]

SECRET_MAPS = frozenset({"composer_auth", "options"})
"""`options` may have headers with tokens in them."""


@click.group()
def config() -> None:
    """Settings: check, show, explain."""


@config.command()
@settings_options
def check(paths: tuple[str, ...], data: str | None) -> None:
    """Read the settings as the server would, and say if they can be used."""
    loaded = read_settings(paths, data)
    files = ", ".join(str(file) for file in loaded.files) or "defaults only"
    click.echo(f"ok: {files}")


@config.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """Show every value and where it came from; secrets are masked."""
    loaded = read_settings(paths, data)
    rows = list(_rows("packeton", loaded.settings, loaded.origins))
    if as_json:
        click.echo(json.dumps({path: {"value": value, "origin": origin} for path, value, origin in rows}, indent=2))
        return
    width = max(len(path) for path, _, _ in rows)
    for path, value, origin in rows:
        click.echo(f"{path:<{width}}  {json.dumps(value, ensure_ascii=False)}  ({origin})")


@config.command(name="reference")
def print_reference() -> None:
    """Print all options with their explanations, as etc/packeton.yaml has them."""
    click.echo(reference(), nl=False)


def _rows(path: str, value: Any, origins: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    if attrs.has(type(value)):
        for item in attrs.fields(type(value)):
            inner = getattr(value, item.name)
            if item.name in SECRET_MAPS and inner:
                yield f"{path}.{item.name}", "***", _origin(f"{path}.{item.name}", origins)
            else:
                yield from _rows(f"{path}.{item.name}", inner, origins)
    elif isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _rows(f"{path}.{name}", inner, origins)
    elif isinstance(value, Secret):
        yield path, _masked(value.reveal()), _origin(path, origins)
    else:
        yield path, shown(path, value), _origin(path, origins)


def _masked(secret: str) -> str:
    """Mask a secret; of an address only user and password are one."""
    scheme, separator, rest = secret.partition("://")
    if not separator:
        return "***"
    userinfo, at, host = rest.rpartition("@")
    return f"{scheme}://{'***@' if at and userinfo else ''}{host if at else rest}"


def _origin(path: str, origins: Mapping[str, str]) -> str:
    return origins.get(path, "default")
