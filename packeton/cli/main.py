"""Argument parsing, exit codes, output."""

import sys

import click

from packeton import __version__
from packeton.cli.cache import cache
from packeton.cli.database import database
from packeton.cli.groups import group
from packeton.cli.keys import generate_keypair, keys
from packeton.cli.manager import user_manager
from packeton.cli.mirrors import mirror
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


program.add_command(config)
program.add_command(cache)
program.add_command(database)
program.add_command(worker)
program.add_command(run_workers)
program.add_command(user)
program.add_command(token)
program.add_command(group)
program.add_command(subrepository)
program.add_command(mirror)
program.add_command(sync_as_before)
program.add_command(user_manager)
program.add_command(keys)
program.add_command(generate_keypair)


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
