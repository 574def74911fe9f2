"""`packeton subrepository`: create, list, update, delete."""

from pathlib import Path
from typing import Any

import click
from attrs import evolve

from packeton.assembly.accounts import Accounts
from packeton.cli.accounts import as_json, print_json, print_table, with_accounts
from packeton.cli.options import settings_options
from packeton.core.access.accounts import Subrepo

__all__ = ["subrepository"]


@click.group()
def subrepository() -> None:
    """Sub-repositories: named subsets of the packages, reached by slug, by host or by choice."""


def _shared(command: Any) -> Any:
    """Give a command the options of create and update."""
    for option in reversed(
        (
            click.option("--name", help="What people call it. Default: the slug."),
            click.option("--package", "packages", multiple=True, metavar="NAME",
                         help="acme/a, acme/* or *; may be repeated."),
            click.option("--host", "hosts", multiple=True, metavar="HOST", help="May be repeated."),
            click.option("--public/--private", default=None, help="Whether anybody sees all of its packages."),
            click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
                         help="HTML of the landing page."),
            click.option("--force", is_flag=True, help="Take names of packages that are not there (yet)."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@subrepository.command()
@settings_options
@click.argument("slug")
@_shared
@as_json
def create(paths: tuple[str, ...], data: str | None, slug: str, **options: Any) -> None:
    """Create the sub-repository at /SLUG."""

    async def work(accounts: Accounts) -> Subrepo:
        made = _changed(Subrepo(id=0, name=slug, slug=slug), options)
        return await accounts.repositories.create(made, force=options["force"])

    _told(with_accounts(paths, data, work), "created", as_json=options["as_json"])


@subrepository.command()
@settings_options
@click.argument("slug")
@_shared
@click.option("--slug", "new_slug", metavar="SLUG", help="Move it.")
@click.option("--add-package", "added", multiple=True, metavar="NAME", help="Besides what it has.")
@click.option("--remove-package", "removed", multiple=True, metavar="NAME")
@click.option("--no-hosts", is_flag=True, help="Take all hosts away.")
@as_json
def update(paths: tuple[str, ...], data: str | None, slug: str, **options: Any) -> None:
    """Change the sub-repository at /SLUG; what is not given stays. --package and --host replace what it had."""

    async def work(accounts: Accounts) -> Subrepo:
        found = await accounts.repositories.named(slug)
        return await accounts.repositories.change(
            found.id, lambda held: _updated(held, options), force=options["force"]
        )

    _told(with_accounts(paths, data, work), "updated", as_json=options["as_json"])


@subrepository.command(name="list")
@settings_options
@as_json
def list_subrepositories(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """List sub-repositories."""

    async def work(accounts: Accounts) -> list[Subrepo]:
        return list(await accounts.subrepos.listing())

    found = with_accounts(paths, data, work)
    if as_json:
        print_json([_document(one) for one in found])
        return
    rows = ((one.id, one.slug, one.name, one.public, one.hosts, one.packages) for one in found)
    print_table(("ID", "Slug", "Name", "Public", "Hosts", "Packages"), rows)


@subrepository.command()
@settings_options
@click.argument("slug")
@as_json
def delete(paths: tuple[str, ...], data: str | None, slug: str, *, as_json: bool) -> None:
    """Delete the sub-repository at /SLUG; its packages stay."""

    async def work(accounts: Accounts) -> int:
        found = await accounts.repositories.named(slug)
        await accounts.repositories.remove(found.id)
        return found.id

    deleted = with_accounts(paths, data, work)
    if as_json:
        print_json({"id": deleted})
    else:
        click.echo(f"{slug} deleted")


def _updated(subrepo: Subrepo, options: dict[str, Any]) -> Subrepo:
    """Return *subrepo* with what the options of update say."""
    changed = _changed(subrepo, options)
    return evolve(
        changed,
        slug=options["new_slug"] or changed.slug,
        packages=(changed.packages | set(options["added"])) - {name.lower() for name in options["removed"]},
        hosts=() if options["no_hosts"] else changed.hosts,
    )


def _changed(subrepo: Subrepo, options: dict[str, Any]) -> Subrepo:
    """Return *subrepo* with what the options of create and update say."""
    if options["name"] is not None:
        subrepo = evolve(subrepo, name=options["name"])
    if options["packages"]:
        subrepo = evolve(subrepo, packages=frozenset(options["packages"]))
    if options["hosts"]:
        subrepo = evolve(subrepo, hosts=tuple(options["hosts"]))
    if options["public"] is not None:
        subrepo = evolve(subrepo, public=options["public"])
    if options["page"] is not None:
        subrepo = evolve(subrepo, markup=options["page"].read_text())
    return subrepo


def _told(subrepo: Subrepo, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(subrepo))
    else:
        click.echo(f"{subrepo.slug} {what}")


def _document(subrepo: Subrepo) -> dict[str, Any]:
    return {
        "id": subrepo.id,
        "name": subrepo.name,
        "slug": subrepo.slug,
        "hosts": subrepo.hosts,
        "public": subrepo.public,
        "packages": subrepo.packages,
        "hasPage": subrepo.markup is not None,
    }
