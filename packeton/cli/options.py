"""Options that all commands share."""

import os
from collections.abc import Callable
from typing import Any

import click

from packeton.config.loader import Loaded, load

__all__ = ["read_settings", "settings_options"]


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --config and --data."""
    config = click.option(
        "--config", "-c", "paths", multiple=True, metavar="FILE-or-DIR", help="Settings to read; may be repeated."
    )
    data = click.option("--data", "-d", metavar="DIR", help="Directory for everything that is kept.")
    return config(data(command))


def read_settings(paths: tuple[str, ...], data: str | None) -> Loaded:
    """Read the settings as the server would. Raises ConfigurationInvalid."""
    return load(paths, environment=os.environ, data=data)
