"""A dump of one engine restores on each other one, whole or not at all."""

import gzip
import io
import json
from typing import Any
from unittest import TestCase

from sqlalchemy import Engine, LargeBinary, insert, select

from packeton.adapters.database.dumping import dump, restore, row_count, snapshot
from packeton.adapters.database.tables import metadata
from packeton.adapters.database.tables.accounts import revisions, users
from packeton.adapters.database.tables.caching import cache_entries
from packeton.adapters.database.tables.jobs import locks
from packeton.adapters.database.tables.packages import packages, versions
from packeton.errors import Conflict, Invalid
from tests.contracts.caching import NOW, entry
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite


def sample(table: Any, **given: Any) -> dict[str, Any]:
    """Return values for all columns of *table*, of their types."""
    values: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, LargeBinary):
            values[column.name] = bytes(range(256)) * 100
        else:
            kind = column.type.python_type if column.type.__class__.__name__ not in {"Instant", "JSON"} else None
            values[column.name] = {int: 2**31 - 1 if column.primary_key else 7, str: "ä😀", bool: True}.get(kind, NOW)
            if column.type.__class__.__name__ == "JSON":
                values[column.name] = {"a": [1, None, "ö"]}
    return {**values, **given}


class DumpContract:
    """Mix into a TestCase with one of the engines."""

    make_engine: Any

    def filled(self) -> Engine:
        engine: Engine = self.make_engine()
        with engine.begin() as connection:
            connection.execute(insert(users).values(sample(users, id=1, name="Anna", reset_digest=None, totp_secret=None)))
            connection.execute(insert(packages).values(sample(packages, id=41, parent_id=None)))
            for number in range(250):
                one = sample(versions, id=number + 1, package_id=41, normalized=f"1.{number}", document=b"\0\xff" * number)
                connection.execute(insert(versions).values(one))
            connection.execute(insert(revisions).values(subject="access", number=9))
            connection.execute(insert(locks).values(name="l", owner="dead", until=NOW))
            fields = ("key", "variant", "status", "headers", "selecting", "requested_at", "received_at", "stored_at", "blob", "size", "sha256", "used_at", "pinned")
            connection.execute(insert(cache_entries).values({name: getattr(entry("k ", headers=(("A", "b"),)), name) for name in fields}))
        return engine

    def dumped(self, engine: Engine) -> bytes:
        out = io.BytesIO()
        with snapshot(engine) as connection:
            rows = dump(connection, out)
            self.assertEqual(row_count(connection), rows)  # type: ignore[attr-defined]
        return out.getvalue()

    def test_round_trip(self) -> None:
        """What comes out goes in again, here and on SQLite, and comes out equal; new rows get new numbers."""
        first = self.dumped(self.filled())
        for engine in (OnSqlite.make_engine(self), self.make_engine()):  # type: ignore[arg-type]
            done = restore(engine, io.BytesIO(first))
            self.assertEqual(254, done.rows)  # type: ignore[attr-defined]
            self.assertEqual(first, self.dumped(engine))  # type: ignore[attr-defined]
            with engine.begin() as connection:
                self.assertEqual([], connection.execute(select(locks)).all())  # type: ignore[attr-defined]
                values = sample(packages, name="acme/new")
                del values["id"]
                self.assertGreater(connection.execute(insert(packages).values(values)).inserted_primary_key[0], 41)  # type: ignore[attr-defined]

    def test_not_empty(self) -> None:
        """A database with something in it is refused, unless forced, and then has the dump alone."""
        engine = self.filled()
        content = self.dumped(engine)
        with self.assertRaises(Conflict):  # type: ignore[attr-defined]
            restore(engine, io.BytesIO(content))
        restore(engine, io.BytesIO(content), force=True)
        self.assertEqual(content, self.dumped(engine))  # type: ignore[attr-defined]

    def test_cut_off(self) -> None:
        """A dump that ends early, is damaged or another thing leaves the database as it was."""
        engine = self.filled()
        content = self.dumped(engine)
        lines = content.splitlines(keepends=True)
        wrong_count = b"".join(lines[:-2] + lines[-1:])
        for broken in (content[: len(content) // 2], b"".join(lines[:-1]), wrong_count, content[:-1], b"", b"junk\n", b'{"packeton":"dump","format":2}\n', b"[]\n"):
            with self.assertRaises(Invalid):  # type: ignore[attr-defined]
                restore(engine, io.BytesIO(broken), force=True)
            self.assertEqual(content, self.dumped(engine))  # type: ignore[attr-defined]
        head = {**json.loads(lines[0]), "schema": "0001"}
        with self.assertRaisesRegex(Invalid, "0001"):  # type: ignore[attr-defined]
            restore(engine, io.BytesIO(json.dumps(head).encode() + b"\n"))
        strange = [lines[0], b'{"table":"users","columns":["id","nothing"]}\n']
        with self.assertRaisesRegex(Invalid, "users"):  # type: ignore[attr-defined]
            restore(engine, io.BytesIO(b"".join(strange)), force=True)

    def test_all_tables(self) -> None:
        """No table is left out but the locks, and the digests that are made again."""
        names = {json.loads(line)["table"] for line in self.dumped(self.make_engine()).splitlines() if line.startswith(b'{"table"')}
        self.assertEqual(set(metadata.tables) - {"locks", "package_digests"}, names)  # type: ignore[attr-defined]


class SqliteDumpTests(OnSqlite, DumpContract, TestCase):
    """On SQLite."""

    def test_compressed(self) -> None:
        """A compressed one is read as it is."""
        content = gzip.compress(self.dumped(self.filled()))
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as lines:
            self.assertEqual(254, restore(self.make_engine(), lines).rows)
        for cut in (content[: len(content) // 2], content[:100] + b"junk" + content[104:]):
            with gzip.GzipFile(fileobj=io.BytesIO(cut)) as lines, self.assertRaises(Invalid):
                restore(self.make_engine(), lines)


class PostgresqlDumpTests(OnPostgresql, DumpContract, TestCase):
    """On PostgreSQL."""


class MysqlDumpTests(OnMysql, DumpContract, TestCase):
    """On MariaDB."""
