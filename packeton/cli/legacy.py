"""The reference's names of commands about packages. Source: contract 09 section 7 of the reference."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click
import re2  # type: ignore[import-untyped]

from packeton.assembly.server import Parts
from packeton.cli.console import ConsoleCommand
from packeton.cli.options import settings_options
from packeton.cli.packages import build_zips
from packeton.cli.running import all_packages, package_named, with_parts
from packeton.errors import Invalid
from packeton.features.packages.scheduling import SPREAD
from packeton.features.packages.updating import UpdateRequest
from packeton.interfaces.queues import Job, Priority

__all__ = ["clear_versions", "download_versions", "update_packages"]


@click.command(name="packagist:update", cls=ConsoleCommand)
@settings_options
@click.argument("name", required=False)
@click.option("--force", is_flag=True)
@click.option("--delete-before", is_flag=True)
@click.option("--update-equal-refs", is_flag=True)
@click.option("--update-crawl-interval", type=click.IntRange(1), default=14_400)
@click.option("-v", "--verbose", count=True)
def update_packages(
    paths: tuple[str, ...], data: str | None, name: str | None, *, force: bool, delete_before: bool,
    update_equal_refs: bool, update_crawl_interval: int, verbose: int,
) -> None:  # fmt: skip
    """Have one package read now; without a name the stale ones, or with --force all, spread over time."""
    request = UpdateRequest(update_equal_refs=update_equal_refs or force, delete_before=delete_before)
    spread = timedelta(seconds=update_crawl_interval) / SPREAD

    async def work(parts: Parts, _: Any) -> Sequence[Job]:
        scheduling = parts.packages.scheduling
        if name is not None:
            return [await scheduling.update(await package_named(parts, name), request, priority=Priority.NOW)]
        records = parts.packages.records
        if force:
            found = [one for one in await all_packages(parts) if one.parent_id is None]
        else:
            found = list(
                await records.stale(now=parts.accounts.now(), interval_seconds=update_crawl_interval, limit=5000)
            )
        chance = random.SystemRandom().random
        return [
            await scheduling.update(one, request, priority=Priority.SCHEDULED, delay=spread * chance())
            for one in found
        ]

    jobs = with_parts(paths, data, work)
    for job in jobs if verbose else ():
        click.echo(f"{job.package}: job {job.id}")
    click.echo(f"{len(jobs)} jobs")


@click.command(name="packagist:clear:versions", cls=ConsoleCommand)
@settings_options
@click.option("--force", is_flag=True)
@click.option("--filter", "pattern", default="")
def clear_versions(paths: tuple[str, ...], data: str | None, *, force: bool, pattern: str) -> None:
    """List versions whose `name version` matches a regular expression; with --force remove them."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    try:
        matching = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        told = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise Invalid(f"--filter: {told}") from error

    async def work(parts: Parts, _: Any) -> int:
        count = 0
        for one in await all_packages(parts):
            for version in await parts.packages.versions.index(one.id):
                if not matching.search(f"{one.name} {version.version}"):
                    continue
                count += 1
                click.echo(f"Clearing {one.name} {version.version}")
                if force:
                    await parts.packages.removals.remove_version(one, version.normalized)
        return count

    count = with_parts(paths, data, work)
    click.echo(f"{count} versions" + ("" if force else "; --force removes them"))


@click.command(name="packagist:download:versions", cls=ConsoleCommand)
@settings_options
def download_versions(paths: tuple[str, ...], data: str | None) -> None:
    """Build the archives of all versions; what cannot be built is skipped."""

    async def work(parts: Parts, _: Any) -> tuple[int, Sequence[str]]:
        return await build_zips(parts, await all_packages(parts))

    built, failed = with_parts(paths, data, work)
    for line in failed:
        click.echo(line, err=True)
    click.echo(f"{built} archives are there, {len(failed)} cannot be built")
