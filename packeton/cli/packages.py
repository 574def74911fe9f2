"""`packeton package`: our own packages."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from packeton.assembly.server import Parts
from packeton.cli.accounts import as_json, print_json, print_table
from packeton.cli.options import settings_options
from packeton.cli.progress import steps
from packeton.cli.running import CONSOLE, all_packages, finished, package_named, with_parts
from packeton.core.access.identities import Identity
from packeton.core.composer.versions import normalize
from packeton.errors import Invalid, NotFound, PacketonError
from packeton.features.packages.marking import Marks
from packeton.features.packages.updating import UpdateRequest
from packeton.interfaces.packages import KnownReference, Package
from packeton.interfaces.queues import Job, Priority

__all__ = ["build_zips", "package"]

TYPES = ("vcs", "mono-repo", "artifact", "custom", "virtual", "proxy", "asset")
WAIT = click.option("--wait/--no-wait", default=True, help="Wait until it was read, showing the log.")
MAX_FILE_BYTES = 8 << 20


@click.group()
def package() -> None:
    """Our own packages: add, update, list, remove, build zips. Works beside a running server."""


@package.command()
@settings_options
@click.argument("url", required=False)
@click.option("--type", "kind", type=click.Choice(TYPES), default="vcs", help="Where versions come from.")
@click.option("--name", help="For types whose source does not tell it: asset, proxy, custom, virtual.")
@click.option("--glob", multiple=True, help="mono-repo: composer.json files of its packages, `src/*/composer.json`.")
@click.option("--exclude", multiple=True, help="mono-repo: directories or files that the globs must not find.")
@click.option("--skip-unmodified", is_flag=True, help="mono-repo: no patch release for what it does not touch.")
@click.option("--path", "folder", help="artifact: a directory of archives, below packeton.artifacts.allowed_paths.")
@click.option("--definition", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="JSON file with further fields of the REST API, such as customVersions.")  # fmt: skip
@click.option("--credential", type=click.IntRange(1), metavar="ID", help="With which it is reached.")
@click.option("--maintainer", metavar="USER", help="Who maintains it.")
@click.option("--visible-for-all", is_flag=True, help="Everybody who signs in sees it.")
@WAIT
@as_json
def add(
    paths: tuple[str, ...], data: str | None, url: str | None, *, maintainer: str | None, wait: bool, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Add a package; its name is read from its source where that tells it."""
    fields = _fields(url, options)

    async def work(parts: Parts, reactor: Any) -> tuple[Package, Job]:
        caller = CONSOLE if maintainer is None else await _maintainer(parts, maintainer)
        made, job = await parts.api.submitting.submit(fields, caller, None)
        return made, await finished(parts, reactor, job, made.name) if wait else job

    made, job = with_parts(paths, data, work, jobs=1 if wait else 0)
    if as_json:
        print_json({"name": made.name, "job": job.id, "status": str(job.status)})
    else:
        click.echo(f"{made.name} was added" + ("" if wait else f"; job {job.id} reads it"))


@package.command()
@settings_options
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All packages.")
@click.option("--force", is_flag=True, help="Read every version again, not only what changed.")
@click.option("--delete-before", is_flag=True, help="Keep nothing that is not found now.")
@WAIT
def update(
    paths: tuple[str, ...], data: str | None, names: tuple[str, ...], *,
    everything: bool, force: bool, delete_before: bool, wait: bool,
) -> None:  # fmt: skip
    """Read packages again."""
    if bool(names) == everything:
        raise click.UsageError("Name packages, or say --all.")
    request = UpdateRequest(update_equal_refs=force, delete_before=delete_before)

    async def work(parts: Parts, reactor: Any) -> Sequence[str]:
        found = await _found(parts, names)
        jobs = [(one, await parts.packages.scheduling.update(one, request, priority=Priority.NOW)) for one in found]
        if not wait:
            return [f"{one.name}: job {job.id}" for one, job in jobs]
        failed = []
        for one, job in jobs:
            try:
                await finished(parts, reactor, job, one.name)
            except PacketonError as error:
                failed.append(str(error))
        if failed:
            raise PacketonError("; ".join(failed))
        return [f"{one.name} was read" for one in found]

    for line in with_parts(paths, data, work, jobs=2 if wait else 0):
        click.echo(line)


@package.command(name="list")
@settings_options
@click.option("--vendor", help="Only packages of this vendor.")
@as_json
def list_packages(paths: tuple[str, ...], data: str | None, vendor: str | None, *, as_json: bool) -> None:
    """List packages, with what is wrong with them."""

    async def work(parts: Parts, _: Any) -> Sequence[tuple[Package, int]]:
        found = [one for one in await all_packages(parts) if vendor is None or one.name.startswith(f"{vendor}/")]
        return [(one, len(await parts.packages.versions.index(one.id))) for one in found]

    found = with_parts(paths, data, work)
    if as_json:
        print_json([_document(one, versions) for one, versions in found])
        return
    head = ("Name", "Type", "Versions", "Read", "Repository", "Problem")
    print_table(head, [(p.name, str(p.repo_type), count, p.crawled_at, p.url, p.problem) for p, count in found])


@package.command()
@settings_options
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(paths: tuple[str, ...], data: str | None, names: tuple[str, ...], *, yes: bool) -> None:
    """Remove packages with their versions and, of a mono-repo, its children."""
    if not yes:
        click.confirm(f"Remove {', '.join(names)}?", abort=True)

    async def work(parts: Parts, _: Any) -> Sequence[str]:
        await _found(parts, names)
        return [gone for name in names for gone in await parts.api.editing.remove(name, CONSOLE, None)]

    for name in with_parts(paths, data, work):
        click.echo(f"{name} was removed")


@package.command()
@settings_options
@click.argument("names", nargs=-1, required=True)
@click.option("--abandoned/--not-abandoned", default=None, help="Nobody should use it for something new.")
@click.option("--replacement", metavar="PACKAGE", help="Abandoned, and this is to be used instead.")
@click.option("--archived/--not-archived", default=None, help="Hidden from everybody's metadata, and abandoned.")
@click.option("--visible-for-all/--not-visible-for-all", default=None, help="Everybody who signs in sees it.")
@click.option("--require-patches", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help='JSON: {"^1.0": {"acme/x": "^2", "acme/y": "unset"}} changes what versions require.')
@click.option("--scheduled/--not-scheduled", default=None, help="It is read now and then by itself.")
def mark(paths: tuple[str, ...], data: str | None, names: tuple[str, ...], **options: Any) -> None:
    """Say what a package's source does not: abandoned, archived, for whom."""
    document = {
        "abandoned": options["abandoned"] if options["replacement"] is None else options["replacement"],
        "archived": options["archived"],
        "visibleForAll": options["visible_for_all"],
        "requirePatches": None if options["require_patches"] is None else _object_in(options["require_patches"]),
        "disabledUpdate": None if options["scheduled"] is None else not options["scheduled"],
    }
    marks = Marks.read({name: value for name, value in document.items() if value is not None})

    async def work(parts: Parts, _: Any) -> Sequence[Package]:
        await _found(parts, names)
        return [await parts.api.marking.mark(name, marks, CONSOLE, None) for name in names]

    for one in with_parts(paths, data, work):
        words = [word for word, holds in (("archived", one.archived), ("abandoned", one.abandoned)) if holds]
        click.echo(f"{one.name} is {' and '.join(words) or 'in use'}")


@package.command(name="zip")
@settings_options
@click.argument("name")
@click.argument("version", required=False)
def build(paths: tuple[str, ...], data: str | None, name: str, version: str | None) -> None:
    """Build the archives of a package, or of one VERSION, ahead of the first download."""

    async def work(parts: Parts, _: Any) -> tuple[int, Sequence[str]]:
        return await build_zips(parts, [await package_named(parts, name)], version)

    built, failed = with_parts(paths, data, work)
    click.echo(f"{built} archives are there")
    if failed:
        raise PacketonError("; ".join(failed))


async def build_zips(
    parts: Parts, packages: Sequence[Package], version: str | None = None
) -> tuple[int, Sequence[str]]:
    """Build archives, with a progress bar; return how many are there, and of which versions why not."""
    if not parts.packages.archives.rules.enabled:
        raise Invalid("packeton.archive is off: this server builds no archives")
    wanted = [(one, stored) for one in packages for stored in await parts.packages.versions.of_package(one.id)]
    if version is not None:
        normalized = normalize(version)
        wanted = [(one, stored) for one, stored in wanted if normalized == stored.normalized]
    if version is not None and not wanted:
        raise NotFound(f"{packages[0].name} has no version {version}")
    built, failed = 0, []
    with steps() as progress:
        task = progress.add_task("building", total=len(wanted))
        for one, stored in wanted:
            progress.update(task, advance=1, description=f"{one.name} {stored.version}")
            references = await parts.packages.versions.with_reference(one.id, stored.dist_reference or "")
            try:
                await parts.packages.archives.prebuild(one, _of(references, stored.id))
                built += 1
            except PacketonError as error:
                failed.append(f"{one.name} {stored.version}: {error}")
    return built, failed


def _of(references: Sequence[KnownReference], version_id: int) -> KnownReference:
    found = next((known for known in references if known.version_id == version_id), None)
    if found is None:
        raise NotFound("it has no dist")
    return found


async def _found(parts: Parts, names: Sequence[str]) -> Sequence[Package]:
    """Return these packages, or all. Raises NotFound naming the one that is not there."""
    return [await package_named(parts, name) for name in names] if names else await all_packages(parts)


async def _maintainer(parts: Parts, name: str) -> Identity:
    account = await parts.accounts.users.find(name)
    if account is None:
        raise NotFound(f"there is no user {name}")
    if account.user is None:
        raise Invalid(f"{name} is a user of another system")
    return evolve(CONSOLE, user_id=account.user.id)


def _fields(url: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a submission."""
    fields: dict[str, Any] = {}
    file: Path | None = options["file"]
    if file is not None:
        fields = _object_in(file)
    given = {
        "repository": url,
        "name": options["name"],
        "glob": "\n".join(options["glob"]),
        "excludedGlob": "\n".join(options["exclude"]),
        "skipNotModifyTag": options["skip_unmodified"],
        "repositoryPath": options["folder"],
        "credentials": options["credential"],
        "visibleForAll": options["visible_for_all"],
    }
    return {"repoType": options["kind"], **fields, **{name: value for name, value in given.items() if value}}


def _object_in(file: Path) -> dict[str, Any]:
    """Read a JSON file. Raises Invalid."""
    if file.stat().st_size > MAX_FILE_BYTES:
        raise Invalid(f"{file} is too large")
    try:
        document = json.loads(file.read_text())
    except ValueError as error:
        raise Invalid(f"{file} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Invalid(f"{file} holds no JSON object")
    return document


def _document(one: Package, versions: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "type": str(one.repo_type),
        "repository": one.url,
        "versions": versions,
        "visibleForAll": one.visible_for_all,
        "abandoned": one.abandoned,
        "archived": one.archived,
        "readAt": one.crawled_at,
        "problem": one.problem,
    }
