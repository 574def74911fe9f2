"""Argument parsing, exit codes, output."""

import sys

import click

from packeton import __version__
from packeton.cli.advisories import advisory
from packeton.cli.cache import cache
from packeton.cli.console import console_options
from packeton.cli.credentials import credential
from packeton.cli.cron import clear_cache, compile_statistics, cron, debug_cron
from packeton.cli.database import database, update_schema
from packeton.cli.groups import group
from packeton.cli.imports import import_packages
from packeton.cli.keys import generate_keypair, keys
from packeton.cli.legacy import clear_versions, download_versions, update_packages
from packeton.cli.manager import user_manager
from packeton.cli.mirrors import mirror
from packeton.cli.packages import package
from packeton.cli.settings import config
from packeton.cli.subrepositories import subrepository
from packeton.cli.syncs import sync_as_before
from packeton.cli.tokens import token
from packeton.cli.users import user
from packeton.cli.worker import run_workers, worker
from packeton.errors import PacketonError

__all__ = ["main", "program"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="packeton")
def program() -> None:
    """A private repository and streaming caching proxy for PHP Composer.

    The server itself is started by `twistd packeton`.
    """


for command in (
    config,
    advisory,
    cache,
    credential,
    database,
    keys,
    import_packages,
    mirror,
    package,
    user,
    token,
    group,
    subrepository,
    worker,
    *(clear_cache, compile_statistics, cron, debug_cron),
    *(clear_versions, download_versions, generate_keypair, run_workers, sync_as_before, update_packages, update_schema,
      user_manager),
):
    program.add_command(command)
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
        click.echo(f"packeton: {error}", err=True)
        sys.exit(1)
