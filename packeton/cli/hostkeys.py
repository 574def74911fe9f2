"""`packeton hostkey`: the pinned keys of ssh servers."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import click

from packeton.assembly.store import Store
from packeton.assembly.vcs import open_checkouts, open_children
from packeton.cli.accounts import as_json, print_json, print_table
from packeton.cli.options import read_settings, settings_options
from packeton.cli.stores import with_store
from packeton.errors import NotFound
from packeton.interfaces.vcs import ICheckouts

__all__ = ["hostkey"]

T = TypeVar("T")


@click.group()
def hostkey() -> None:
    """Keys of ssh servers, each pinned when it was first seen."""


@hostkey.command(name="list")
@settings_options
@as_json
def list_keys(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """Show the pinned keys with their fingerprints, to be compared with what a server's operator says."""
    found = _with_checkouts(paths, data, _fields)
    head = ("host", "type", "fingerprint")
    if as_json:
        print_json([dict(zip(head, key, strict=True)) for key in found])
    else:
        print_table(head, found)


@hostkey.command()
@settings_options
@click.argument("host")
def forget(paths: tuple[str, ...], data: str | None, host: str) -> None:
    """Forget the keys of HOST (`name`, or `[name]:port`), so that the next one it shows is pinned.

    Only after its operator told that it has another key: otherwise somebody may be between.
    """

    async def work(checkouts: ICheckouts) -> int:
        keys = [key for key in await _fields(checkouts) if key[0] == host]
        if not keys:
            raise NotFound(f"no key of {host} is pinned")
        await checkouts.forget_host(host)
        return len(keys)

    click.echo(f"{host}: {_with_checkouts(paths, data, work)} forgotten")


async def _fields(checkouts: ICheckouts) -> Sequence[Sequence[str]]:
    return [line.split(" ") for line in await checkouts.host_keys()]


def _with_checkouts(
    paths: tuple[str, ...], data: str | None, work: Callable[[ICheckouts], Coroutine[Any, Any, T]]
) -> T:
    loaded = read_settings(paths, data)

    async def on_store(store: Store) -> T:
        children = open_children(loaded.settings, store.reactor, loaded.environment)
        return await work(open_checkouts(loaded.settings, children, store.in_thread, loaded.environment))

    return with_store(loaded.settings, on_store)
