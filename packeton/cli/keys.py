"""`packeton keys generate`, also by its name in the reference."""

import os
from pathlib import Path

import click

from packeton.cli.accounts import print_json
from packeton.cli.options import read_settings, settings_options
from packeton.config.settings import Secret
from packeton.core.access.jwt import KeyPair, make_keys
from packeton.errors import Conflict

__all__ = ["generate_keypair", "keys"]


@click.group()
def keys() -> None:
    """Keys for JSON web tokens."""


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


keys.add_command(generate)
NAME = "packagist:jwt:generate-keypair"
generate_keypair = click.Command(
    NAME, callback=generate.callback, params=generate.params, help=generate.help, hidden=True
)
