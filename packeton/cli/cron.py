"""The reference's names of commands about periodic work. Source: contract 09 section 7 of the reference."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click
from twisted.internet.task import deferLater

from packeton.assembly.server import Parts
from packeton.background.timetable import LEASE, Entry, next_time
from packeton.cli.accounts import print_table
from packeton.cli.console import ConsoleCommand
from packeton.cli.options import settings_options
from packeton.cli.running import with_parts
from packeton.errors import Invalid, NotFound

__all__ = ["clear_cache", "compile_statistics", "cron", "debug_cron"]

MINUTE = timedelta(minutes=1)
GROUP = "default"
"""Which all entries are of; none has a stamp."""


def choosing(command: Any) -> Any:
    """Give a command the reference's options that choose entries."""
    group = click.option("--group", multiple=True, help=f"Only entries of this group; all are of {GROUP}.")
    stamped = click.option("--with", "stamped", multiple=True, help="Only entries with this stamp; none has one.")
    without = click.option("--without", "unstamped", multiple=True, help="No entries with this stamp; none has one.")
    return group(stamped(without(command)))


def _is_chosen(group: Sequence[str], stamped: Sequence[str], unstamped: Sequence[str]) -> bool:  # noqa: ARG001
    """Say if the entries are meant by what the reference's options choose."""
    return not stamped and (not group or GROUP in group)


@click.command(name="okvpn:cron", cls=ConsoleCommand)
@settings_options
@click.option("--demand", is_flag=True, help="Go on, minute by minute.")
@click.option("--time-limit", type=click.IntRange(1), help="End after so many seconds.")
@click.option("--command", "name", help="Only this entry.")
@click.option("--dry-run", is_flag=True, help="Only list what is due.")
@choosing
def cron(
    paths: tuple[str, ...], data: str | None, *, demand: bool, time_limit: int | None, name: str | None, dry_run: bool,
    **choice: Any,
) -> None:  # fmt: skip
    """Do what is due in this minute. A server does it by itself: this is for installations that leave it to cron."""

    async def work(parts: Parts, reactor: Any) -> None:
        began = reactor.seconds()
        while True:
            await _pass(parts, _chosen(parts, name) if _is_chosen(**choice) else [], dry_run=dry_run)
            left = None if time_limit is None else time_limit - (reactor.seconds() - began)
            if not demand or (left is not None and left <= 0):
                return
            wait = 60 - reactor.seconds() % 60
            await deferLater(reactor, wait if left is None else min(wait, left), lambda: None)

    with_parts(paths, data, work)


@click.command(name="okvpn:debug:cron", cls=ConsoleCommand)
@settings_options
@click.option("--execute-one", type=click.IntRange(1), metavar="N", help="Do entry N now.")
@choosing
def debug_cron(paths: tuple[str, ...], data: str | None, *, execute_one: int | None, **choice: Any) -> None:
    """List the timetable; or do one of its entries now."""

    async def work(parts: Parts, _: Any) -> Sequence[Entry]:
        entries = parts.work.timetable if _is_chosen(**choice) else []
        if execute_one is None:
            return entries
        if execute_one > len(entries):
            raise NotFound(f"there are {len(entries)} entries")
        await entries[execute_one - 1].work()
        return []

    entries = with_parts(paths, data, work)
    if execute_one is None:
        print_table(("N", "When", "What"), [(n, one.expression, one.name) for n, one in enumerate(entries, 1)])


@click.command(name="packagist:stats:compile", cls=ConsoleCommand)
@click.option("--force", is_flag=True)
def compile_statistics(*, force: bool) -> None:  # noqa: ARG001  # the reference's option
    """Nothing needs to be done: statistics are read from the counters as they are."""
    click.echo("Statistics are always up to date.")


@click.command(name="cache:clear", cls=ConsoleCommand)
def clear_cache() -> None:
    """Nothing needs to be done: settings are read at each start."""
    click.echo("Settings are read at each start; `packeton cache purge` removes what mirrors keep.")


async def _pass(parts: Parts, entries: Sequence[Entry], *, dry_run: bool) -> None:
    now = parts.accounts.now()
    for one in entries:
        due = next_time(one.expression, now - MINUTE)
        if due > now:
            continue
        click.echo(f"{one.name} ({one.expression})")
        if not dry_run and await parts.work.locks.take(one.lock(due), LEASE):
            await one.work()


def _chosen(parts: Parts, name: str | None) -> Sequence[Entry]:
    entries = [one for one in parts.work.timetable if name in {None, one.name}]
    if not entries:
        known = ", ".join(one.name for one in parts.work.timetable)
        raise Invalid(f"there is no entry {name}; there are {known}")
    return entries
