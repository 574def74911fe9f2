"""`packeton import`: many packages at once."""

from typing import IO, Any

import click

from packeton.assembly.server import Parts
from packeton.cli.accounts import as_json, print_json, print_table
from packeton.cli.options import settings_options
from packeton.cli.running import CONSOLE, finished, with_parts
from packeton.core.composer.credentials import origin_of
from packeton.core.composer.imports import Clone, addresses_in
from packeton.features.packages.importing import Candidate, ImportOrder
from packeton.interfaces.queues import Job

__all__ = ["import_packages"]

FORMS = [str(clone) for clone in Clone]


@click.group(name="import")
def import_packages() -> None:
    """Many packages at once; what we have already is left alone."""


def _shared(command: Any) -> Any:
    for option in (
        click.option("--clone", type=click.Choice(FORMS), default="default", help="Rewrite addresses to this form."),
        click.option("--glob", multiple=True, help="Only what fits, as acme/*; may be repeated."),
        click.option("--credential", type=click.IntRange(1), metavar="ID", help="With which they are reached."),
        click.option("--limit", type=click.IntRange(1), help="At most so many; never more than packeton.max_import."),
        click.option("--preview", is_flag=True, help="Only show what would be imported."),
        as_json,
    ):
        command = option(command)
    return settings_options(command)


@import_packages.command()
@click.argument("url")
@click.option("--username", default="", help="For the repository; the password is asked for.")
@click.option("--packages", type=click.File(), help="Names to take: composer.json, composer.lock, any list; or -.")
@_shared
def composer(
    paths: tuple[str, ...], data: str | None, url: str, username: str, packages: IO[str] | None, **options: Any
) -> None:
    """Import the repositories of the packages of the Composer repository URL."""
    auth: dict[str, Any] = {}
    if username:
        password = click.prompt("Password", hide_input=True, default="", show_default=False, err=True)
        auth = {"http-basic": {origin_of(url): {"username": username, "password": password}}}
    order = _order(options, url=url, auth=auth, packages="" if packages is None else packages.read())
    _run(paths, data, order, options)


@import_packages.command()
@click.argument("file", type=click.File())
@_shared
def vcs(paths: tuple[str, ...], data: str | None, file: IO[str], **options: Any) -> None:
    """Import repositories whose addresses stand in FILE, one a line; - is standard input."""
    _run(paths, data, _order(options, addresses=tuple(addresses_in(file.read()))), options)


def _order(options: dict[str, Any], **source: Any) -> ImportOrder:
    return ImportOrder(
        glob="\n".join(options["glob"]),
        clone=Clone(options["clone"]),
        credential_id=options["credential"],
        limit=options["limit"],
        **source,
    )


def _run(paths: tuple[str, ...], data: str | None, order: ImportOrder, options: dict[str, Any]) -> None:
    async def look(parts: Parts, _reactor: Any) -> list[Candidate]:
        return list(await parts.api.importing.candidates(order))

    async def work(parts: Parts, reactor: Any) -> Job:
        job = await parts.api.importing.submit(order, CONSOLE)
        return await finished(parts, reactor, job, "import")

    if options["preview"]:
        found = with_parts(paths, data, look)
        if options["as_json"]:
            print_json([{"url": one.url, "package": one.package, "problem": one.problem} for one in found])
        else:
            print_table(("Repository", "Package", "Problem"), ((one.url, one.package, one.problem) for one in found))
        return
    job = with_parts(paths, data, work, jobs=2)
    result = dict(job.result or {})
    if options["as_json"]:
        print_json({"job": job.id, **result})
    else:
        click.echo(result.get("message", ""))
