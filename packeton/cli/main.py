"""Argument parsing, exit codes, output."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from packeton import __version__
from packeton.cli.console import console_options
from packeton.errors import PacketonError

__all__ = ["line", "main", "program"]


COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "advisory": ("advisories", "advisory"),
    "cache": ("cache", "cache"),
    "config": ("settings", "config"),
    "credential": ("credentials", "credential"),
    "database": ("database", "database"),
    "group": ("groups", "group"),
    "hostkey": ("hostkeys", "hostkey"),
    "import": ("imports", "import_packages"),
    "keys": ("keys", "keys"),
    "mirror": ("syncs", "mirror"),  # which adds to what is in `mirrors`
    "package": ("packages", "package"),
    "subrepository": ("subrepositories", "subrepository"),
    "token": ("tokens", "token"),
    "user": ("users", "user"),
    "worker": ("worker", "worker"),
    # under the reference's names
    "cache:clear": ("cron", "clear_cache"),
    "doctrine:schema:update": ("database", "update_schema"),
    "okvpn:cron": ("cron", "cron"),
    "okvpn:debug:cron": ("cron", "debug_cron"),
    "packagist:clear:versions": ("legacy", "clear_versions"),
    "packagist:download:versions": ("legacy", "download_versions"),
    "packagist:jwt:generate-keypair": ("keys", "generate_keypair"),
    "packagist:run-workers": ("worker", "run_workers"),
    "packagist:stats:compile": ("cron", "compile_statistics"),
    "packagist:sync:mirrors": ("syncs", "sync_as_before"),
    "packagist:update": ("legacy", "update_packages"),
    "packagist:user:manager": ("manager", "user_manager"),
}
"""By name: the module under `packeton.cli`, and what the command is called there."""


class _Program(click.Group):
    """Imports a command when it is asked for: what one of them needs may take seconds to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"packeton.cli.{module}"), name)
        return command


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="packeton")
def program() -> None:
    """A private repository and streaming caching proxy for PHP Composer.

    The server itself is started by `twistd packeton`.
    """


program.params.extend(console_options())


def main() -> None:
    """Run the command line; an error is one line on standard error and status 1."""
    try:
        program.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except (PacketonError, OSError) as error:
        click.echo(f"packeton: {line(error)}", err=True)
        sys.exit(1)


def line(error: Exception) -> str:
    """Return what went wrong in one line; of a file, its name and why."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
