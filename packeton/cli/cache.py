"""`packeton cache`: look into the store, verify, purge, pin."""

import json
import sys
from datetime import UTC

import click

from packeton.assembly.store import Store
from packeton.cli.options import read_settings, settings_options
from packeton.cli.progress import steps
from packeton.cli.stores import with_store
from packeton.config.units import size_text
from packeton.core.caching.entries import CacheEntry
from packeton.features.caching.housekeeping import Fault

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """The store of upstream content. Works beside a running server.

    A PATTERN is a glob over keys such as `mirror/packagist/p2/symfony/*`, as `packeton cache list` shows them.
    """


@cache.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stats(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """Count entries and bytes."""
    settings = read_settings(paths, data).settings

    async def work(store: Store) -> dict[str, int]:
        totals = await store.housekeeping().totals()
        metadata = await store.housekeeping().totals("mirror/*/p2/*")
        dists = await store.housekeeping().totals("mirror/*/dist/*")
        return {
            "entries": totals.entries,
            "bytes": totals.bytes,
            "pinned": totals.pinned,
            "metadata_entries": metadata.entries,
            "metadata_bytes": metadata.bytes,
            "dist_entries": dists.entries,
            "dist_bytes": dists.bytes,
            "changed_dists": len(await store.dists.alarms(10_000)),
            "max_bytes": settings.cache.max_bytes,
        }

    figures = with_store(settings, work)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        shown = f"{value} ({size_text(value)})" if name == "max_bytes" else str(value)
        click.echo(f"{name.replace('_', ' '):<18} {shown}")


@cache.command(name="list")
@settings_options
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_entries(paths: tuple[str, ...], data: str | None, pattern: str, *, as_json: bool) -> None:
    """List entries: bytes, last use, and key; pinned ones with a `*`."""

    async def work(store: Store) -> None:
        async for entry in store.housekeeping().entries(pattern):
            click.echo(_json(entry) if as_json else _line(entry))

    with_store(read_settings(paths, data).settings, work)


@cache.command()
@settings_options
@click.argument("pattern", default="*")
@click.option("--repair", is_flag=True, help="Remove what is damaged, so that it is fetched anew, and what none owns.")
def verify(paths: tuple[str, ...], data: str | None, pattern: str, *, repair: bool) -> None:
    """Read every body through and compare it with its recorded SHA-256; exit status 1 if something is damaged."""

    async def work(store: Store) -> list[Fault]:
        housekeeping = store.housekeeping()
        faults: list[Fault] = []
        total = (await housekeeping.totals(pattern)).entries
        with steps() as progress:
            task = progress.add_task("verifying", total=total)
            async for fault in housekeeping.verify(pattern, repair=repair):
                progress.advance(task)
                if fault is not None:
                    faults.append(fault)
                    click.echo(f"{fault.key}: {fault.problem}{' (removed)' if fault.repaired else ''}")
        click.echo(f"{total} entries, {len(faults)} damaged")
        return faults

    faults = with_store(read_settings(paths, data).settings, work)
    sys.exit(1 if faults and not repair else 0)


@cache.command()
@settings_options
@click.argument("pattern")
def purge(paths: tuple[str, ...], data: str | None, pattern: str) -> None:
    """Remove matching entries; pinned ones stay."""

    async def work(store: Store) -> None:
        removed = await store.housekeeping().purge(pattern)
        click.echo(f"{len(removed)} entries, {sum(entry.size for entry in removed)} bytes removed")

    with_store(read_settings(paths, data).settings, work)


def _pin(paths: tuple[str, ...], data: str | None, pattern: str, *, pinned: bool) -> None:
    async def work(store: Store) -> int:
        return await store.housekeeping().pin(pattern, pinned=pinned)

    count = with_store(read_settings(paths, data).settings, work)
    click.echo(f"{count} entries {'pinned' if pinned else 'unpinned'}")
    sys.exit(0 if count else 1)


@cache.command()
@settings_options
@click.argument("pattern")
def pin(paths: tuple[str, ...], data: str | None, pattern: str) -> None:
    """Keep matching entries for ever; exit status 1 when none matches."""
    _pin(paths, data, pattern, pinned=True)


@cache.command()
@settings_options
@click.argument("pattern")
def unpin(paths: tuple[str, ...], data: str | None, pattern: str) -> None:
    """Let matching entries be evicted again."""
    _pin(paths, data, pattern, pinned=False)


@cache.command()
@settings_options
def alarms(paths: tuple[str, ...], data: str | None) -> None:
    """List dists for which upstream served other bytes than first seen; exit status 1 when there are any."""

    async def work(store: Store) -> int:
        changed = await store.dists.alarms(10_000)
        for one in changed:
            assert one.changed_at is not None, "only changed ones are alarms"
            click.echo(f"{one.mirror} {one.package} {one.version} {one.reference}")
            click.echo(f"    first seen {one.seen_at:%Y-%m-%d %H:%M} SHA-256 {one.sha256}")
            click.echo(f"    changed    {one.changed_at:%Y-%m-%d %H:%M} SHA-256 {one.changed_sha256}")
        return len(changed)

    sys.exit(1 if with_store(read_settings(paths, data).settings, work) else 0)


@cache.command()
@settings_options
@click.argument("package")
@click.argument("version", required=False)
def accept(paths: tuple[str, ...], data: str | None, package: str, version: str | None) -> None:
    """Believe upstream about changed dists of PACKAGE (of one normalised VERSION): what comes next is the first seen.

    Content of the old dists that is still kept goes on being served until it is purged.
    """

    async def work(store: Store) -> int:
        return await store.dists.accept(package, version)

    count = with_store(read_settings(paths, data).settings, work)
    click.echo(f"{count} changed dists accepted")
    sys.exit(0 if count else 1)


def _line(entry: CacheEntry) -> str:
    used = entry.used_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return f"{entry.size:>12} {used} {'*' if entry.pinned else ' '} {entry.key}{entry.variant and ' ' + entry.variant}"


def _json(entry: CacheEntry) -> str:
    return json.dumps(
        {
            "key": entry.key,
            "variant": entry.variant,
            "status": entry.status,
            "size": entry.size,
            "sha256": entry.sha256,
            "received_at": entry.received_at.isoformat(),
            "used_at": entry.used_at.isoformat(),
            "pinned": entry.pinned,
        }
    )
