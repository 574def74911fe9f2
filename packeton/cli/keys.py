"""`packeton keys`: keys for web tokens, also by the reference's name; secrets at rest under a new APP_SECRET."""

import os
import sys
from pathlib import Path

import click

from packeton.adapters.database.sealed import Resealed, reseal
from packeton.assembly.accounts import open_accounts
from packeton.assembly.store import Store
from packeton.cli.accounts import as_json as json_option
from packeton.cli.accounts import print_json
from packeton.cli.console import ConsoleCommand
from packeton.cli.options import read_settings, settings_options
from packeton.cli.stores import with_store
from packeton.config.settings import Secret
from packeton.core.access.jwt import KeyPair, make_keys
from packeton.errors import Conflict

__all__ = ["generate_keypair", "keys"]


@click.group()
def keys() -> None:
    """Keys for JSON web tokens, and the secret of the installation."""


@click.command(name="generate")
@settings_options
@click.option("--overwrite", is_flag=True, help="Replace the files that the settings name.")
@click.option("--algo", help="EdDSA, RS256 …, ES256 …; default: the settings' algorithm.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def generate(paths: tuple[str, ...], data: str | None, algo: str | None, *, overwrite: bool, as_json: bool) -> None:
    """Make two keys, write them to the files that the settings name, and print them.

    EdDSA keys are base64 of libsodium's, as the reference has them; RSA and elliptic curve keys are PEM.
    """
    chosen = read_settings(paths, data).settings.jwt_authentication
    made = make_keys(algo or chosen.algo)
    files = [file for file in (_file(chosen.private_key), _file(chosen.public_key)) if file is not None]
    if not overwrite:
        for file in files:
            if file.exists():
                raise Conflict(f"{file} exists already; --overwrite replaces it")
    _write(_file(chosen.private_key), made.private, 0o600)
    _write(_file(chosen.public_key), made.public, 0o644)
    if as_json:
        print_json({"private": made.private, "public": made.public, "files": [str(file) for file in files]})
    else:
        _print(made, files)


def _print(made: KeyPair, files: list[Path]) -> None:
    click.echo(f"private key:\n{made.private.strip()}\n\npublic key:\n{made.public.strip()}")
    if files:
        click.echo(f"\nwritten to {', '.join(str(file) for file in files)}")


def _file(given: Secret | None) -> Path | None:
    """Return the file that a setting names; None when it holds the key itself, or nothing."""
    text = "" if given is None else given.reveal()
    return Path(text) if text and "\n" not in text and "=" not in text else None


def _write(file: Path | None, text: str, mode: int) -> None:
    if file is None:
        return
    draft = file.with_name(f"{file.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text.strip() + "\n")
    draft.replace(file)


@click.command()
@settings_options
@json_option
def rotate(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """Seal stored secrets with the APP_SECRET of today; exit status 1 when some can be opened no more.

    Set the former one in APP_SECRET_PREVIOUS, restart all processes, then run this.
    """

    async def work(store: Store) -> Resealed:
        return await reseal(store.database, open_accounts(store).keys.sealer())

    done = with_store(read_settings(paths, data).settings, work)
    if as_json:
        print_json({"current": done.current, "sealed_anew": done.anew, "lost": list(done.lost)})
    else:
        click.echo(f"{done.anew} secrets sealed anew, {done.current} were current, {len(done.lost)} are lost")
        for place in done.lost:
            click.echo(f"lost: {place}")
    sys.exit(1 if done.lost else 0)


keys.add_command(generate)
keys.add_command(rotate)
NAME = "packagist:jwt:generate-keypair"
generate_keypair = ConsoleCommand(NAME, callback=generate.callback, params=[*generate.params], help=generate.help)
