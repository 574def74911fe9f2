"""`packeton group`: create, list, update, delete."""

from typing import Any

import click
from attrs import evolve

from packeton.assembly.accounts import Accounts
from packeton.cli.accounts import DAY, as_json, day_or_none, print_json, print_table, with_accounts
from packeton.cli.options import settings_options
from packeton.core.access.accounts import AclLine, Group
from packeton.core.access.patterns import STABILITIES, parse_line

__all__ = ["group"]


@click.group()
def group() -> None:
    """Groups of customers, and what they may read."""


def _shared(command: Any) -> Any:
    """Give a command the options of create and update."""
    for option in reversed(
        (
            click.option("--package", "packages", multiple=True, metavar="NAME[:CONSTRAINT]",
                         help="acme/a, acme/* or *, and which versions, as in acme/a:^1.0; may be repeated."),
            click.option("--mirror", "mirrors", multiple=True, metavar="ALIAS", help="May be repeated."),
            click.option("--updates-until", type=DAY, help="No versions released after it; `none` for no such day."),
            click.option("--min-stability", type=click.Choice([*STABILITIES, "none"], case_sensitive=False),
                         help="Nothing less stable."),
            click.option("--force", is_flag=True, help="Take names of packages that are not there (yet)."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@group.command()
@settings_options
@click.argument("name")
@_shared
@as_json
def create(paths: tuple[str, ...], data: str | None, name: str, **options: Any) -> None:
    """Create the group NAME."""

    async def work(accounts: Accounts) -> Group:
        made = _changed(Group(id=0, name=name), options)
        return await accounts.audiences.create(made, force=options["force"])

    _told(with_accounts(paths, data, work), "created", as_json=options["as_json"])


@group.command()
@settings_options
@click.argument("name")
@_shared
@click.option("--name", "new_name", metavar="NAME", help="Rename it.")
@click.option("--add-package", "added", multiple=True, metavar="NAME[:CONSTRAINT]", help="Besides what it has.")
@click.option("--remove-package", "removed", multiple=True, metavar="NAME", help="All lines of this name or pattern.")
@click.option("--no-packages", is_flag=True, help="Take all packages out.")
@click.option("--no-mirrors", is_flag=True, help="Take all mirrors out.")
@as_json
def update(paths: tuple[str, ...], data: str | None, name: str, **options: Any) -> None:
    """Change the group NAME; what is not given stays. --package and --mirror replace what it had."""

    async def work(accounts: Accounts) -> Group:
        found = await accounts.audiences.named(name)
        return await accounts.audiences.change(found.id, lambda held: _updated(held, options), force=options["force"])

    _told(with_accounts(paths, data, work), "updated", as_json=options["as_json"])


@group.command(name="list")
@settings_options
@as_json
def list_groups(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """List groups."""

    async def work(accounts: Accounts) -> list[Group]:
        return list(await accounts.groups.listing(1_000_000))

    groups = with_accounts(paths, data, work)
    if as_json:
        print_json([_document(one) for one in groups])
        return
    head = ("ID", "Name", "Updates until", "Stability", "Mirrors", "Packages")
    rows = (
        (one.id, one.name, one.updates_until, one.min_stability, one.mirrors, [_line(line) for line in one.lines])
        for one in groups
    )
    print_table(head, rows)


@group.command()
@settings_options
@click.argument("name")
@as_json
def delete(paths: tuple[str, ...], data: str | None, name: str, *, as_json: bool) -> None:
    """Delete the group NAME; its members keep what other groups give them."""

    async def work(accounts: Accounts) -> Group:
        found = await accounts.audiences.named(name)
        await accounts.audiences.remove(found.id)
        return found

    deleted = with_accounts(paths, data, work)
    if as_json:
        print_json({"id": deleted.id})
    else:
        click.echo(f"{name} deleted")


def _updated(group: Group, options: dict[str, Any]) -> Group:
    """Return *group* with what the options of update say."""
    changed = _changed(group, options)
    lines = () if options["no_packages"] else changed.lines
    removed = {text.lower() for text in options["removed"]}
    return evolve(
        changed,
        name=options["new_name"] or changed.name,
        lines=(*(line for line in lines if line.package not in removed), *_lines(options["added"])),
        mirrors=() if options["no_mirrors"] else changed.mirrors,
    )


def _changed(group: Group, options: dict[str, Any]) -> Group:
    """Return *group* with what the options of create and update say."""
    if options["packages"]:
        group = evolve(group, lines=_lines(options["packages"]))
    if options["mirrors"]:
        group = evolve(group, mirrors=tuple(options["mirrors"]))
    if options["updates_until"] is not None:
        group = evolve(group, updates_until=day_or_none(options["updates_until"]))
    if options["min_stability"] is not None:
        chosen = options["min_stability"]
        group = evolve(group, min_stability=None if chosen == "none" else chosen)
    return group


def _lines(texts: tuple[str, ...]) -> tuple[AclLine, ...]:
    return tuple(parse_line(text) for text in texts)


def _told(group: Group, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(group))
    else:
        click.echo(f"{group.name} {what}")


def _line(line: AclLine) -> str:
    return line.package + (f":{line.constraint}" if line.constraint else "")


def _document(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "expiredUpdatesAt": group.updates_until,
        "minStability": group.min_stability,
        "proxies": group.mirrors,
        "aclPermissions": [
            {"name": line.package, "version": line.constraint, "minStability": line.min_stability}
            for line in group.lines
        ],
    }
