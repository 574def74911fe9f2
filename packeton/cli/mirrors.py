"""`packeton mirror`: what mirrors there are, synchronise them, and decide what they serve."""

import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import asdict, evolve

from packeton.assembly.mirroring import Mirroring, open_mirroring
from packeton.assembly.store import Store
from packeton.cli.options import read_settings, settings_options
from packeton.cli.stores import with_store
from packeton.config.units import duration_text
from packeton.core.caching.decisions import Choices, MirrorPackage, Phase
from packeton.core.composer.lockfiles import names_in
from packeton.errors import Invalid
from packeton.features.mirroring.approvals import Approvals, Checked
from packeton.features.mirroring.summaries import Summary
from packeton.interfaces.mirrors import Which

__all__ = ["ALIAS", "mirror", "on_mirrors"]

T = TypeVar("T")
ALIAS = click.argument("alias")
NAMES = click.argument("names", nargs=-1, required=True, metavar="NAME-or-FILE...")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
EVEN_PRIVATE = click.option(
    "--even-private", is_flag=True, help="Also names of our own and of reserved vendors, which are left out else."
)
MAX_TEXT = 64 * 2**20


@click.group()
def mirror() -> None:
    """The mirrors: synchronise, approve, patch, warm. Works beside a running server, which notices within a second.

    NAME-or-FILE is a package name, a file (composer.json, composer.lock, the output of `composer info`, names), or `-`
    for standard input.
    """


def on_mirrors(
    paths: tuple[str, ...], data: str | None, work: Callable[[Mirroring], Coroutine[Any, Any, T]]
) -> T:
    """Run *work* on the mirrors of the settings and their store; as `with_store`."""
    loaded = read_settings(paths, data)

    async def on_store(store: Store) -> T:
        mirroring = open_mirroring(store, loaded.environment)
        try:
            return await work(mirroring)
        finally:
            await mirroring.close()

    return with_store(loaded.settings, on_store)


@mirror.command(name="list")
@settings_options
@click.argument("alias", required=False)
@AS_JSON
def list_mirrors(paths: tuple[str, ...], data: str | None, alias: str | None, *, as_json: bool) -> None:
    """List the mirrors, how far they are and what is wrong with them; or with ALIAS the packages of one."""

    async def mirrors(mirroring: Mirroring) -> None:
        shown = [await mirroring.summary(one) for one in mirroring.sites]
        if as_json:
            click.echo(json.dumps([_summary(one) for one in shown], indent=2))
            return
        for summary in shown:
            click.echo("\n".join(_lines(summary)))

    async def packages(mirroring: Mirroring) -> None:
        await _print(mirroring.decisions(alias or ""), Which.ALL, as_json=as_json)

    on_mirrors(paths, data, packages if alias else mirrors)


@mirror.command()
@settings_options
@ALIAS
@AS_JSON
def review(paths: tuple[str, ...], data: str | None, alias: str, *, as_json: bool) -> None:
    """List the packages that clients asked for and nobody approved."""
    on_mirrors(paths, data, lambda mirroring: _print(mirroring.decisions(alias), Which.WAITING, as_json=as_json))


@mirror.command()
@settings_options
@ALIAS
@NAMES
@EVEN_PRIVATE
@click.option("--check", is_flag=True, help="Only say what would be done.")
def approve(
    paths: tuple[str, ...], data: str | None, alias: str, names: tuple[str, ...], *, even_private: bool, check: bool
) -> None:
    """Approve packages: a strict mirror serves nothing else."""
    chosen = _names(names)

    async def work(mirroring: Mirroring) -> Checked:
        approvals = mirroring.decisions(alias)
        if check:
            return await approvals.check(chosen, approved=True)
        return await approvals.approve(chosen, even_private=even_private)

    done = "would be approved" if check else "approved"
    _tell(on_mirrors(paths, data, work), done, even_private=even_private)


@mirror.command()
@settings_options
@ALIAS
@NAMES
@EVEN_PRIVATE
def enable(
    paths: tuple[str, ...], data: str | None, alias: str, names: tuple[str, ...], *, even_private: bool
) -> None:
    """Keep the metadata of packages fresh, as if clients used them."""
    chosen = _names(names)
    work = on_mirrors(
        paths, data, lambda mirroring: mirroring.decisions(alias).enable(chosen, even_private=even_private)
    )
    _tell(work, "enabled", even_private=even_private)


@mirror.command()
@settings_options
@ALIAS
@NAMES
def disapprove(paths: tuple[str, ...], data: str | None, alias: str, names: tuple[str, ...]) -> None:
    """Take approvals back."""
    chosen = _names(names)
    count = on_mirrors(paths, data, lambda mirroring: mirroring.decisions(alias).disapprove(chosen))
    click.echo(f"{count} packages not approved any more")
    sys.exit(0 if count else 1)


@mirror.command()
@settings_options
@ALIAS
@NAMES
def remove(paths: tuple[str, ...], data: str | None, alias: str, names: tuple[str, ...]) -> None:
    """Forget packages: neither enabled nor approved nor waiting for review."""
    chosen = _names(names)
    count = on_mirrors(paths, data, lambda mirroring: mirroring.decisions(alias).remove(chosen))
    click.echo(f"{count} packages removed")
    sys.exit(0 if count else 1)


@mirror.command(name="settings")
@settings_options
@ALIAS
@click.option("--strict/--no-strict", default=None, help="Serve approved packages only.")
@click.option("--sync/--no-sync", default=None, help="Keep up to date; off: the metadata is a frozen snapshot.")
@click.option("--disable-v2/--enable-v2", default=None, help="Offer no metadata-url.")
@AS_JSON
def choose(
    paths: tuple[str, ...],
    data: str | None,
    alias: str,
    *,
    strict: bool | None,
    sync: bool | None,
    disable_v2: bool | None,
    as_json: bool,
) -> None:
    """Show what is chosen for a mirror, or choose."""
    given = {"strict": strict, "sync": sync, "disable_v2": disable_v2}
    chosen = {name: value for name, value in given.items() if value is not None}

    async def work(mirroring: Mirroring) -> Choices:
        approvals = mirroring.decisions(alias)
        if chosen:
            await approvals.choose(evolve(await approvals.choices(), **chosen))
        return await approvals.choices()

    now = asdict(on_mirrors(paths, data, work))
    click.echo(json.dumps(now, indent=2) if as_json else "\n".join(f"{name:<11}{_yes(now[name])}" for name in now))


def _names(given: Sequence[str]) -> list[str]:
    """Read names out of what stands on the command line. Raises Invalid when something in it is no name."""
    valid: dict[str, None] = {}
    for one in given:
        found, invalid = names_in(read_text(one) if is_file(one) else one)
        if invalid or not found:
            raise Invalid(f"{one}: {'no package names' if not found else 'no package name: ' + ', '.join(invalid[:5])}")
        valid.update(dict.fromkeys(found))
    return list(valid)


def is_file(text: str) -> bool:
    """Say if an argument means a file or standard input."""
    return text == "-" or Path(text).is_file()


def read_text(path: str) -> str:
    """Read a file, or standard input for `-`. Raises Invalid for what is no text, or too much of it."""
    try:
        with click.open_file(path, encoding="utf-8") as file:
            text: str = file.read(MAX_TEXT + 1)
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}: is no text") from error
    if len(text) > MAX_TEXT:
        raise Invalid(f"{path}: is larger than {MAX_TEXT} characters")
    return text


def _tell(checked: Checked, done: str, *, even_private: bool) -> None:
    left_out = {} if even_private else checked.private
    fresh = [name for name in checked.fresh if name not in left_out]
    click.echo(f"{len(fresh)} {done}, {len(checked.known)} before")
    for reason in left_out.values():
        click.echo(f"left out: {reason}", err=True)
    sys.exit(1 if left_out else 0)


async def _print(approvals: Approvals, which: Which, *, as_json: bool) -> None:
    async for package in approvals.packages(which):
        click.echo(json.dumps(_told(package)) if as_json else _line(package))


def _line(package: MirrorPackage) -> str:
    waits = package.last_requested is not None and package.approved_at is None
    marks = ("e" if package.enabled_at else "-") + ("a" if package.approved_at else "w" if waits else "-")
    asked = f"  asked for {package.requests} times, last {package.last_requested:%Y-%m-%d %H:%M}" if waits else ""
    return f"{marks} {package.name}{asked}"


def _told(package: MirrorPackage) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in asdict(package).items()}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _lines(summary: Summary) -> Iterator[str]:
    state, counts, choices = summary.state, summary.counts, summary.choices
    kind = summary.mode.value + (", strict" if choices.strict else "") + ("" if choices.sync else ", frozen")
    yield f"{summary.alias}  {summary.url}  ({kind})"
    waiting = f", {counts.waiting} waiting for review" if counts.waiting else ""
    used = f"{counts.enabled} in use, {counts.approved} approved{waiting}"
    yield f"    packages: {used}, {summary.listed} listed by upstream"
    last = "never" if state.synced_at is None else f"{state.synced_at:%Y-%m-%d %H:%M} UTC"
    yield f"    synchronised: {last}; every {duration_text(summary.interval)}"
    if summary.holder is not None:
        yield f"    now: {state.phase.value}, {state.done} of {state.total} ({summary.holder.rpartition(':')[0]})"
    elif state.phase is not Phase.IDLE:
        yield f"    to go on with: {state.phase.value}, {state.done} of {state.total}"
    if state.error is not None and summary.holder is None:
        yield f"    trouble: {state.error}"


def _summary(summary: Summary) -> dict[str, Any]:
    state, counts, choices = summary.state, summary.counts, summary.choices
    return {
        "alias": summary.alias,
        "url": summary.url,
        "mode": summary.mode.value,
        "interval_seconds": summary.interval.total_seconds(),
        **asdict(choices),
        **asdict(counts),
        "listed": summary.listed,
        "phase": state.phase.value,
        "total": state.total,
        "done": state.done,
        "changed": state.changed,
        "failed": state.failed,
        "synced_at": state.synced_at and state.synced_at.isoformat(),
        "synchronised_by": summary.holder and summary.holder.rpartition(":")[0],
        "error": state.error,
    }
