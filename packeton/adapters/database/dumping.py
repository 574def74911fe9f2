"""
A whole database as lines of JSON, and back: for backups, and to move from one engine to another.

Theory: the first line says what it is, then each table has a line with its columns and one line a row, and the last
line counts the rows, so that a dump that was cut off is told from a whole one. Values are those of the schema, not of
an engine: instants are texts, bytes are base64, JSON is JSON. Reading is one snapshot; restoring is one transaction.
Both hold a few rows at a time.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import IO, Any, Final

import orjson
from attrs import frozen
from sqlalchemy import JSON, Connection, Engine, Integer, LargeBinary, Table, func, insert, null, select, text

from packeton.adapters.database.migrations import newest, prepare
from packeton.adapters.database.tables import metadata
from packeton.adapters.database.tables.base import Instant
from packeton.errors import Conflict, Invalid

__all__ = ["Restored", "dump", "restore", "row_count", "snapshot"]

FORMAT: Final = 1
PASSING: Final = frozenset({"locks", "package_digests"})
"""What only processes that run now know about, and what is made again when it is gone."""
COUNTERS: Final = PASSING | {"revisions"}
"""Tables that say nothing about whether a database is in use."""
BATCH: Final = 100
MAX_LINE: Final = 64 * 2**20


@frozen(kw_only=True)
class Restored:
    """What a restore put in."""

    tables: int
    rows: int


def row_count(connection: Connection) -> int:
    """Return how many rows a dump has, for a progress bar."""
    counted = (connection.execute(select(func.count()).select_from(table)).scalar_one() for table in _tables())
    return sum(map(int, counted))


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one moment for as long as it is used."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            _take_your_time(connection)
            yield connection


def dump(connection: Connection, out: IO[bytes], on_row: Callable[[], object] = lambda: None) -> int:
    """Write all that *connection* sees; return the number of rows. Blocking."""
    out.write(_line({"packeton": "dump", "format": FORMAT, "schema": newest()}))
    rows = 0
    for table in _tables():
        out.write(_line({"table": table.name, "columns": [column.name for column in table.columns]}))
        writers = [_writer(column.type) for column in table.columns]
        statement = select(table).order_by(*table.primary_key.columns)
        for row in connection.execute(statement.execution_options(stream_results=True, yield_per=BATCH)):
            pairs = zip(writers, row, strict=True)
            out.write(_line([None if value is None else write(value) for write, value in pairs]))
            rows += 1
            on_row()
    out.write(_line({"end": True, "rows": rows}))
    return rows


def restore(
    engine: Engine, lines: IO[bytes], *, force: bool = False, on_row: Callable[[], object] = lambda: None
) -> Restored:
    """
    Put a dump into an empty database, all of it or nothing. Blocking.

    Args:
        force: Empty the database first.

    Raises:
        Conflict: there is something in the database.
        Invalid: this is no dump, one of another schema, or one that was cut off.
    """
    head = _object(lines)
    if head.get("packeton") != "dump" or head.get("format") != FORMAT:
        raise Invalid("this is no dump of a Packeton database")
    if head.get("schema") != newest():
        raise Invalid(
            f"the dump has the schema {head.get('schema')}, this program {newest()}: restore it with the program that"
            " made it, then upgrade"
        )
    prepare(engine)
    with engine.begin() as connection:
        _take_your_time(connection)
        _emptied(connection, force=force)
        restored = _restored(connection, lines, on_row)
        _continue_numbers(connection)
    return restored


def _restored(connection: Connection, lines: IO[bytes], on_row: Callable[[], object]) -> Restored:
    tables = {table.name: table for table in _tables()}
    rows, names, line = 0, 0, _object(lines)
    while "table" in line:
        table, columns = tables.get(str(line["table"])), line.get("columns")
        if table is None or not isinstance(columns, list) or not set(columns) <= set(table.columns.keys()):
            raise Invalid(f"the dump has an unknown table or column: {str(line['table'])[:64]}")
        ending: list[dict[str, Any]] = []
        coming = _rows(lines, ending)
        while some := list(islice(coming, BATCH)):
            connection.execute(insert(table), [_values(table, columns, row) for row in some])
            rows += len(some)
            for _ in some:
                on_row()
        names, line = names + 1, ending[0]
    if line.get("end") is not True or line.get("rows") != rows:
        raise Invalid("the dump was cut off: nothing was restored")
    return Restored(tables=names, rows=rows)


def _rows(lines: IO[bytes], ending: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """Yield the rows of a table, then put what follows them into *ending*."""
    while True:
        value = _value(lines)
        if not isinstance(value, list):
            ending.append(value if isinstance(value, dict) else {})
            return
        yield value


def _values(table: Table, columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    if len(row) != len(columns):
        raise Invalid(f"a row of {table.name} has {len(row)} values instead of {len(columns)}")
    try:
        return {
            name: _read(table.columns[name].type, value, nullable=bool(table.columns[name].nullable))
            for name, value in zip(columns, row, strict=True)
        }
    except (ValueError, TypeError) as error:
        raise Invalid(f"a row of {table.name} holds a value that cannot be read") from error


def _read(kind: Any, value: Any, *, nullable: bool) -> Any:
    if value is None:
        return null() if isinstance(kind, JSON) and nullable else None
    if isinstance(kind, Instant):
        return datetime.fromisoformat(value)
    return b64decode(value, validate=True) if isinstance(kind, LargeBinary) else value


def _writer(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, Instant):
        return datetime.isoformat
    if isinstance(kind, LargeBinary):
        return lambda value: b64encode(value).decode()
    return lambda value: value


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in PASSING]


def _emptied(connection: Connection, *, force: bool) -> None:
    for table in reversed(metadata.sorted_tables):
        if force:
            connection.execute(table.delete())
        elif table.name not in COUNTERS and connection.execute(select(table).limit(1)).first() is not None:
            raise Conflict(f"the database is not empty ({table.name} has rows); --force empties it first")
        elif table.name in COUNTERS:
            connection.execute(table.delete())


def _take_your_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _continue_numbers(connection: Connection) -> None:
    """Let PostgreSQL's sequences go on after the greatest number; the others see to that themselves."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        key = table.autoincrement_column
        if key is None or not isinstance(key.type, Integer):
            continue
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": key.name}
        ).scalar_one()
        if sequence is not None:
            greatest = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
            connection.execute(select(func.setval(sequence, greatest, False)))


def _line(value: Any) -> bytes:
    return orjson.dumps(value) + b"\n"


def _value(lines: IO[bytes]) -> Any:
    try:
        line = lines.readline(MAX_LINE)
    except (EOFError, OSError, zlib.error) as error:
        raise Invalid("the dump is damaged, or was cut off: nothing was restored") from error
    if not line.endswith(b"\n"):
        raise Invalid("the dump was cut off: nothing was restored")
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Invalid("the dump is damaged, or was cut off: nothing was restored") from error


def _object(lines: IO[bytes]) -> dict[str, Any]:
    value = _value(lines)
    if not isinstance(value, dict):
        raise Invalid("this is no dump of a Packeton database")
    return value
