"""`packeton credential`: ssh keys and Composer logins for private repositories."""

from collections.abc import Callable, Coroutine
from typing import IO, Any, TypeVar

import click

from packeton.adapters.database.credentials import CredentialRecords
from packeton.assembly.accounts import open_accounts
from packeton.assembly.store import Store
from packeton.cli.accounts import as_json, print_json, print_table
from packeton.cli.options import read_settings, settings_options
from packeton.cli.stores import with_store
from packeton.config.settings import Secret
from packeton.features.packages.keyring import KEEP, KEPT, CredentialChange, Keyring
from packeton.interfaces.credentials import Credential

__all__ = ["credential"]

T = TypeVar("T")
Work = Callable[[Keyring], Coroutine[Any, Any, T]]


@click.group()
def credential() -> None:
    """Keys and logins with which private repositories are read; what is secret is never shown again."""


def _contents(command: Any) -> Any:
    key = click.option(
        "--key", type=click.File(), metavar="FILE", help="A private ssh key; - reads it from standard input."
    )
    config = click.option(
        "--composer-config", "config", type=click.File(), metavar="FILE", help="As auth.json; - is standard input."
    )
    return key(config(command))


@credential.command()
@settings_options
@click.argument("name")
@_contents
@click.option("--private", is_flag=True, help="Not for maintainers to choose, only for commands.")
@as_json
def add(
    paths: tuple[str, ...],
    data: str | None,
    name: str,
    key: IO[str] | None,
    config: IO[str] | None,
    *,
    private: bool,
    as_json: bool,
) -> None:
    """Keep a credential under NAME; every maintainer may choose it."""
    change = CredentialChange(name=name, ssh_key=_read(key), composer_config=_read(config), shared=not private)
    _told(_run(paths, data, lambda keyring: keyring.create(change, None)), "added", as_json=as_json)


@credential.command()
@settings_options
@click.argument("credential_id", type=int, metavar="ID")
@click.option("--name", default=KEEP, help="Rename it.", show_default=False)
@_contents
@click.option("--shared/--private", default=None, help="Every maintainer may choose it, or its owner only.")
@as_json
def update(
    paths: tuple[str, ...],
    data: str | None,
    credential_id: int,
    name: str,
    key: IO[str] | None,
    config: IO[str] | None,
    *,
    shared: bool | None,
    as_json: bool,
) -> None:
    """Change the credential ID; what is not given stays, an empty file clears."""
    change = CredentialChange(name=name, ssh_key=_read(key), composer_config=_read(config), shared=shared)
    _told(_run(paths, data, lambda keyring: keyring.change(credential_id, change, None)), "updated", as_json=as_json)


@credential.command(name="list")
@settings_options
@as_json
def list_credentials(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """List credentials, without their secrets."""
    found = _run(paths, data, lambda keyring: keyring.listed(None))
    if as_json:
        print_json([_document(one) for one in found])
        return
    rows = ((one.id, one.name, one.owner_id, one.shared, one.fingerprint, one.created_at) for one in found)
    print_table(("ID", "Name", "Owner", "Shared", "Fingerprint", "Created"), rows)


@credential.command()
@settings_options
@click.argument("credential_id", type=int, metavar="ID")
@as_json
def remove(paths: tuple[str, ...], data: str | None, credential_id: int, *, as_json: bool) -> None:
    """Delete the credential ID, unless packages have it."""
    _run(paths, data, lambda keyring: keyring.remove(credential_id, None))
    if as_json:
        print_json({"id": credential_id})
    else:
        click.echo(f"{credential_id} removed")


def _run(paths: tuple[str, ...], data: str | None, work: "Work[T]") -> T:
    async def on_store(store: Store) -> T:
        accounts = open_accounts(store)
        records = CredentialRecords(store.database, accounts.keys.sealer)
        return await work(Keyring(records, store.in_thread, accounts.now))

    return with_store(read_settings(paths, data).settings, on_store)


def _read(file: IO[str] | None) -> Secret:
    return KEPT if file is None else Secret(file.read())


def _told(made: Credential, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(made))
    else:
        click.echo(f"{made.name} {what}: id {made.id}{', ' + made.fingerprint if made.fingerprint else ''}")


def _document(one: Credential) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "ownerId": one.owner_id,
        "shared": one.shared,
        "fingerprint": one.fingerprint,
        "createdAt": one.created_at,
    }
