"""`packeton mirror sync|warm|patch`: what asks upstream."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import click
from twisted.logger import globalLogPublisher

from packeton import logs
from packeton.assembly.mirroring import Mirroring
from packeton.cli.console import ConsoleCommand
from packeton.cli.mirrors import is_file, mirror, on_mirrors, read_text
from packeton.cli.options import settings_options
from packeton.cli.progress import Steps, steps
from packeton.core.caching.decisions import SyncState, Wish
from packeton.core.composer.lockfiles import locked_packages
from packeton.core.composer.names import PackageName
from packeton.core.composer.patches import PatchStrategy
from packeton.errors import Conflict, Invalid, PacketonError
from packeton.features.mirroring.synchronising import each
from packeton.features.mirroring.warming import Locked, Warmed, Warming, WarmOutcome

__all__ = ["mirror", "sync", "sync_as_before"]

AT_ONCE = 8
FORCE = click.option("--force", is_flag=True, help="Forget the stored metadata first, and fetch all of it anew.")


VERBOSE = click.option("--verbose", "-v", count=True, help="Tell what could not be had; twice: everything.")


class _Stderr(StringIO):
    """Standard error as it is now: a progress bar takes it over while it is shown."""

    def write(self, text: str) -> int:
        """Write there."""
        click.echo(text, err=True, nl=False)
        return len(text)


def _synchronise(
    paths: tuple[str, ...],
    data: str | None,
    aliases: Sequence[str],
    choose: Callable[[list[str]], list[str]],
    *,
    force: bool,
    verbose: int,
) -> None:
    if verbose:
        logs.show(globalLogPublisher, _Stderr(), "info" if verbose == 1 else "debug")

    async def work(mirroring: Mirroring) -> int:
        chosen = [mirroring.site(alias).mirror.rules.alias for alias in aliases] or choose(list(mirroring.sites))
        failed = 0
        with steps() as progress:
            for alias in chosen:
                failed += not await _sync_one(mirroring, alias, progress, Wish.RESET if force else Wish.UPDATE)
        return failed

    sys.exit(1 if on_mirrors(paths, data, work) else 0)


async def _sync_one(mirroring: Mirroring, alias: str, progress: Steps, wish: Wish) -> bool:
    task = progress.add_task(alias, total=None)

    def show(state: SyncState) -> None:
        text = f"{alias}: {state.phase.value}"
        progress.update(task, description=text, total=state.total or None, completed=min(state.done, state.total))

    try:
        state = await mirroring.syncs.all[alias].run(wish, show)
    except Conflict:
        raise
    except PacketonError as error:
        click.echo(f"{alias}: {error}", err=True)
        return False
    finally:
        progress.remove_task(task)
    click.echo(f"{alias}: {state.done} packages looked at, {state.changed} changed, {state.failed} could not be had")
    return not state.failed


@mirror.command()
@settings_options
@click.argument("aliases", nargs=-1, metavar="[ALIAS]...")
@FORCE
@VERBOSE
def sync(paths: tuple[str, ...], data: str | None, aliases: tuple[str, ...], *, force: bool, verbose: int) -> None:
    """Synchronise these mirrors now, or all; exit status 1 if something could not be had.

    An interrupted synchronisation goes on where it was. One that another process is at is not disturbed.
    """
    _synchronise(paths, data, aliases, list, force=force, verbose=verbose)


@click.command(name="packagist:sync:mirrors", cls=ConsoleCommand)
@settings_options
@click.argument("aliases", nargs=-1, metavar="[MIRROR]")
@FORCE
@VERBOSE
def sync_as_before(
    paths: tuple[str, ...], data: str | None, aliases: tuple[str, ...], *, force: bool, verbose: int
) -> None:
    """Synchronise mirrors: `packeton mirror sync` by its former name. Without a mirror it asks which, at a terminal."""
    _synchronise(paths, data, aliases, _ask_which, force=force, verbose=verbose)


def _ask_which(aliases: list[str]) -> list[str]:
    """Let somebody at a terminal choose; all where nobody is there. Source: contract 05 section 10 of the reference."""
    if len(aliases) == 1 or not sys.stdin.isatty():
        return aliases
    return [click.prompt("Which mirror?", type=click.Choice(aliases))]


@mirror.command()
@settings_options
@click.argument("files", nargs=-1, required=True, metavar="LOCKFILE...")
@click.option("--mirror", "aliases", multiple=True, metavar="ALIAS", help="Only these mirrors; may be repeated.")
@click.option("--dists/--no-dists", default=True, help="Fetch dists as well as metadata.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a package.")
def warm(
    paths: tuple[str, ...],
    data: str | None,
    files: Sequence[str],
    aliases: Sequence[str],
    *,
    dists: bool,
    as_json: bool,
) -> None:
    """Fetch all metadata and dists that lock files name; exit status 1 if something could not be had."""
    wanted = _locked(files)

    async def work(mirroring: Mirroring) -> list[Warmed]:
        chosen = [mirroring.site(alias).mirror.rules.alias for alias in aliases] or list(mirroring.sites)
        warming = Warming({alias: mirroring.sites[alias] for alias in chosen})
        done: list[Warmed] = []
        with steps() as progress:
            task = progress.add_task("warming", total=len(wanted))

            async def one(locked: Locked) -> None:
                warmed = await warming.warm(locked, dists=dists)
                done.append(warmed)
                progress.advance(task)
                if as_json:
                    click.echo(json.dumps(_told(warmed)))
                elif warmed.outcome is WarmOutcome.MISSING:
                    click.echo(f"{locked.name} {locked.version}: {warmed.reason}", err=True)

            await each(wanted, one, AT_ONCE)
        return done

    done = on_mirrors(paths, data, work)
    counts = {outcome: sum(one.outcome is outcome for one in done) for outcome in WarmOutcome}
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    fetched = sum(one.size for one in done if one.outcome is WarmOutcome.FETCHED)
    click.echo(f"{len(done)} packages: {told or 'nothing to do'}; {fetched} bytes of dists fetched", err=as_json)
    sys.exit(1 if counts[WarmOutcome.MISSING] else 0)


@mirror.command()
@settings_options
@click.argument("alias")
@click.argument("package", required=False)
@click.argument("version", required=False)
@click.argument("patch", required=False, metavar="JSON-or-FILE")
@click.option("--strategy", type=click.Choice([one.value for one in PatchStrategy]), default="merge")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a patch.")
def patch(
    paths: tuple[str, ...],
    data: str | None,
    alias: str,
    package: str | None,
    version: str | None,
    patch: str | None,
    *,
    strategy: str,
    as_json: bool,
) -> None:
    """Put JSON over upstream's metadata of a version; `{}` takes the patch away. Without JSON: list patches."""

    async def work(mirroring: Mirroring) -> None:
        approvals = mirroring.decisions(alias)
        if patch is None:
            for one in await approvals.patches():
                if (package or one.name) == one.name and (version or one.version) == one.version:
                    told = {"package": one.name, "version": one.version, "strategy": one.strategy, "patch": one.patch}
                    line = f"{one.name} {one.version} {one.strategy} {json.dumps(one.patch)}"
                    click.echo(json.dumps(told) if as_json else line)
            return
        assert package is not None
        assert version is not None
        content = _object(patch)
        name = PackageName.parse(package.lower())
        versions = await mirroring.site(alias).source.versions(name) if content else []
        made = await approvals.patch(str(name), version, PatchStrategy(strategy), content, versions)
        click.echo(f"{name} {version} is {'patched' if made else 'not patched any more'}")

    on_mirrors(paths, data, work)


def _locked(files: Sequence[str]) -> list[Locked]:
    wanted: dict[Locked, None] = {}
    for file in files:
        for one in locked_packages(read_text(file).encode()):
            if one.dist is not None and one.dist.type == "path":
                continue  # it lies beside the project
            reference, kind = ("", None) if one.dist is None else (one.dist.reference, one.dist.type or "zip")
            wanted[Locked(name=one.name, version=one.version, reference=reference, type=kind)] = None
    return list(wanted)


def _object(given: str) -> Mapping[str, Any]:
    text = read_text(given) if is_file(given) else given
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Invalid(f"the patch is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise Invalid("the patch must be a JSON object")
    return content


def _told(warmed: Warmed) -> dict[str, object]:
    return {
        "package": warmed.locked.name,
        "version": warmed.locked.version,
        "mirror": warmed.alias,
        "outcome": warmed.outcome.value,
        "bytes": warmed.size,
        "reason": warmed.reason,
    }
