"""`packeton database`: the schema, and the whole content as a file."""

import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import click

from packeton.adapters.database.checking import findings
from packeton.adapters.database.connection import Database
from packeton.adapters.database.dumping import dump as write_dump
from packeton.adapters.database.dumping import restore as read_dump
from packeton.adapters.database.dumping import row_count, snapshot
from packeton.adapters.database.migrations import check as check_revision
from packeton.adapters.database.migrations import newest
from packeton.assembly.store import blocking_database
from packeton.cli.console import ConsoleCommand
from packeton.cli.options import read_settings, settings_options
from packeton.cli.progress import steps

__all__ = ["database", "update_schema"]

GZIP = b"\x1f\x8b"


@click.group()
def database() -> None:
    """The database: SQLite in the data directory, or what `packeton.database.url` names."""


@database.command()
@settings_options
def upgrade(paths: tuple[str, ...], data: str | None) -> None:
    """Bring the schema up to date, as every start does."""
    with _opened(paths, data) as opened:
        click.echo(f"the schema is {newest()}")
        del opened


@click.command(name="doctrine:schema:update", cls=ConsoleCommand)
@settings_options
@click.option("--force", is_flag=True, help="Bring it up to date.")
@click.option("--complete", is_flag=True, help="It always is.")
@click.option("--dump-sql", is_flag=True, help="Not possible: every start does what is needed, in one transaction.")
def update_schema(paths: tuple[str, ...], data: str | None, *, force: bool, complete: bool, dump_sql: bool) -> None:
    """Bring the schema up to date with --force, else say if it is: `packeton database upgrade` by its former name."""
    del complete
    if dump_sql:
        raise click.UsageError("--dump-sql: the schema is changed by versioned steps, which are no SQL text.")
    if force:
        with _opened(paths, data):
            click.echo(f"the schema is {newest()}")
        return
    revision = _revision(paths, data)
    state = "up to date" if revision == newest() else "--force brings it up to date"
    click.echo(f"the schema is {revision or 'not made yet'}: {state}")


@database.command()
@settings_options
def check(paths: tuple[str, ...], data: str | None) -> None:
    """Say where the database is, and look for faults in it; exit status 1 when there are any. Changes nothing."""
    address, opened = blocking_database(read_settings(paths, data).settings)
    try:
        click.echo(f"{address}")

        def work() -> list[str]:
            with opened.engine.connect() as connection, connection.begin():
                revision = check_revision(connection)
                click.echo(f"schema {revision}, this program needs {newest()}")
                return findings(connection) if revision == newest() else ["the schema is to be upgraded"]

        faults = opened.once(work)
    finally:
        opened.dispose()
    for fault in faults:
        click.echo(fault)
    sys.exit(1 if faults else 0)


@database.command()
@settings_options
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--gzip", "zipped", is_flag=True, help="Compress; names that end in .gz are compressed anyway.")
def dump(paths: tuple[str, ...], data: str | None, file: str, *, zipped: bool) -> None:
    """Write the whole content to FILE (`-` is standard output), also beside a running server.

    It holds password hashes, and secrets sealed by APP_SECRET, without which they are lost.
    """

    def work() -> int:
        with (
            snapshot(opened.reading_engine) as connection,
            _progress("dumping", row_count(connection)) as advance,
            _written(file, zipped=zipped or file.endswith(".gz")) as out,
        ):
            return write_dump(connection, out, advance)

    with _opened(paths, data) as opened:
        rows = opened.once(work)
    click.echo(f"{rows} rows dumped", err=True)


@database.command()
@settings_options
@click.argument("file", type=click.Path(dir_okay=False, exists=True, allow_dash=True))
@click.option("--force", is_flag=True, help="Empty the database first.")
def restore(paths: tuple[str, ...], data: str | None, file: str, *, force: bool) -> None:
    """Put a dump into an empty database of any kind: all of it, or nothing. Stop the server before."""
    with _opened(paths, data) as opened, _read(file) as lines, _progress("restoring", None) as advance:
        done = opened.once(lambda: read_dump(opened.engine, lines, force=force, on_row=advance))
    click.echo(f"{done.rows} rows restored in {done.tables} tables", err=True)


def _revision(paths: tuple[str, ...], data: str | None) -> str | None:
    """Return the revision of the schema, None for an empty database; changes nothing."""
    _, opened = blocking_database(read_settings(paths, data).settings)

    def work() -> str | None:
        with opened.engine.connect() as connection, connection.begin():
            return check_revision(connection)

    try:
        return opened.once(work)
    finally:
        opened.dispose()


@contextmanager
def _opened(paths: tuple[str, ...], data: str | None) -> Iterator[Database]:
    _, opened = blocking_database(read_settings(paths, data).settings)
    try:
        opened.prepare()
        yield opened
    finally:
        opened.dispose()


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[], object]]:
    with steps() as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def _written(file: str, *, zipped: bool) -> Iterator[IO[bytes]]:
    """Give what writes to a file that only its owner reads and that is there whole or not at all."""
    if file == "-":
        with _compressed(sys.stdout.buffer, zipped=zipped) as out:
            yield out
        sys.stdout.flush()
        return
    draft = Path(f"{file}.{os.getpid()}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as plain:
            with _compressed(plain, zipped=zipped) as out:
                yield out
            plain.flush()
            os.fsync(plain.fileno())
        draft.replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise


@contextmanager
def _compressed(plain: IO[bytes], *, zipped: bool) -> Iterator[IO[bytes]]:
    if not zipped:
        yield plain
        return
    with gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=6, mtime=0, filename="") as out:
        yield cast("IO[bytes]", out)


@contextmanager
def _read(file: str) -> Iterator[IO[bytes]]:
    with open(0 if file == "-" else file, "rb") as plain:  # noqa: PTH123  # 0 is standard input
        zipped = plain.peek(2)[:2] == GZIP
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=plain)) if zipped else plain
