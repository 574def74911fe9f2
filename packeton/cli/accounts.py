"""What the commands about accounts share: running on the accounts of a store, options, output."""

import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import click

from packeton.assembly.accounts import Accounts, open_accounts
from packeton.assembly.store import Store
from packeton.cli.options import read_settings
from packeton.cli.stores import with_store
from packeton.core.access.days import day_text, parse_day
from packeton.errors import Invalid

__all__ = ["DAY", "NONE", "as_json", "day_or_none", "print_json", "print_table", "with_accounts"]

T = TypeVar("T")

NONE = "none"
"""What a date is cleared with."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Day(click.ParamType[Any]):
    """A day, or the word that clears it."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        if isinstance(value, datetime) or value == NONE:
            return value
        try:
            return parse_day(value)
        except Invalid as error:
            self.fail(str(error), param, ctx)


DAY = _Day()


def day_or_none(value: Any) -> datetime | None:
    """Return what a DAY option says: a moment, or None for the word that clears it."""
    return None if value == NONE else value


def with_accounts(
    paths: tuple[str, ...], data: str | None, work: Callable[[Accounts], Coroutine[Any, Any, T]]
) -> T:
    """
    Run *work* on the accounts of a data directory, beside a server that may be running on it.

    A program that embeds the commands passes something else that runs it as the `obj` of click's context.
    """
    runner = click.get_current_context().find_root().obj
    if runner is not None:
        return cast("T", runner(work))

    async def on_store(store: Store) -> T:
        return await work(open_accounts(store))

    return with_store(read_settings(paths, data).settings, on_store)


def print_json(value: Any) -> None:
    """Print it; moments as RFC 3339 has them."""
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below *head*, in columns as wide as they must be."""
    lines = [list(head), *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(one) for one in (value if isinstance(value, list | tuple) else sorted(value))) or "-"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return day_text(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")
