"""The schema after all revisions is the one of the tables, on every engine, and nobody else's database is touched."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import TestCase

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, String, insert, inspect, select, text
from twisted.logger import formatEvent, globalLogPublisher

from packeton.adapters.database.engines import engine_of, sqlite_engine
from packeton.adapters.database.migrations import newest, prepare, revision_of
from packeton.adapters.database.tables import metadata
from packeton.adapters.database.tables.caching import publications
from packeton.config.databases import database_address
from packeton.errors import DatabaseRefused
from tests.support.databases import mysql_url, postgresql_url

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class MigrationsContract:
    """Mix-in; `again` makes another engine on the same empty database."""

    again: Any
    addCleanup: Any

    def setUp(self) -> None:
        self.engine: Engine = self.make()

    def make(self) -> Engine:
        engine: Engine = self.again()
        self.addCleanup(engine.dispose)
        return engine

    def test_equal_to_tables(self) -> None:
        """Nothing is left for Alembic to find, and doing it twice changes nothing."""
        prepare(self.engine)
        prepare(self.engine)
        with self.engine.connect() as connection:
            self.assertEqual(newest(), revision_of(connection))  # type: ignore[attr-defined]
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            self.assertEqual([], compare_metadata(context, metadata))  # type: ignore[attr-defined]

    def test_at_once(self) -> None:
        """Several processes that start at once do it once."""
        engines = [self.make() for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(prepare, engines))
        with self.engine.connect() as connection:
            self.assertEqual(newest(), revision_of(connection))  # type: ignore[attr-defined]

    def test_adopts_an_old_one(self) -> None:
        """Tables that were made without revisions keep their rows."""
        with self.engine.begin() as connection:
            metadata.create_all(connection, [publications])
            connection.execute(insert(publications).values(key="k", fingerprint="f" * 64, last_modified=NEW_YEAR))
        prepare(self.engine)
        with self.engine.connect() as connection:
            self.assertEqual(1, len(connection.execute(publications.select()).all()))  # type: ignore[attr-defined]
            self.assertIn("cache_entries", inspect(connection).get_table_names())  # type: ignore[attr-defined]

    def test_newer(self) -> None:
        """A newer program's database is refused, and left as it is."""
        prepare(self.engine)
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with self.assertRaises(DatabaseRefused) as caught:  # type: ignore[attr-defined]
            prepare(self.engine)
        self.assertIn("9999", str(caught.exception))  # type: ignore[attr-defined]

    def test_strangers(self) -> None:
        """A database with a table of one of our names that we did not make is refused."""
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE users (id INTEGER)"))
        with self.assertRaises(DatabaseRefused) as caught:  # type: ignore[attr-defined]
            prepare(self.engine)
        self.assertIn("users", str(caught.exception))  # type: ignore[attr-defined]

    def test_texts(self) -> None:
        """Texts are equal and ordered byte by byte: by case, accents and trailing spaces."""
        prepare(self.engine)
        keys = ["B", "a", "a ", "a\u0001", "Ä", "ä", "b", "z", "\U0001f600", "", "ﬀ"]
        with self.engine.begin() as connection:
            for key in keys:
                connection.execute(insert(publications).values(key=key, fingerprint="", last_modified=NEW_YEAR))
            stored = list(connection.execute(select(publications.c.key).order_by(publications.c.key)).scalars())
            found = connection.execute(select(publications.c.key).where(publications.c.key.like("a%"))).scalars()
            self.assertEqual(sorted(keys, key=str.encode), stored)  # type: ignore[attr-defined]
            self.assertEqual({"a", "a ", "a\u0001"}, set(found))  # type: ignore[attr-defined]


class MigrationTests(MigrationsContract, TestCase):
    """On SQLite."""

    def again(self) -> Engine:
        if not hasattr(self, "path"):
            holder = TemporaryDirectory()
            self.addCleanup(holder.cleanup)
            self.path = Path(holder.name) / "packeton.db"
        return sqlite_engine(self.path)

    def test_reference(self) -> None:
        """A database of the reference system is told, once, and keeps its tables."""
        told: list[str] = []
        observe = lambda event: told.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE fos_user (id INTEGER)"))
        prepare(self.engine)
        prepare(self.engine)
        self.assertEqual(1, sum("not read" in line for line in told))
        self.assertTrue(inspect(self.engine).has_table("fos_user"))


class PostgresqlMigrationTests(MigrationsContract, TestCase):
    """On PostgreSQL."""

    def again(self) -> Engine:
        if not hasattr(self, "url"):
            self.url = postgresql_url("migrations")
        return engine_of(database_address(self.url), connections=1)

    def test_collation(self) -> None:
        """Every column of text has the collation C."""
        prepare(self.engine)
        statement = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND collation_name = 'C'"
        with self.engine.connect() as connection:
            binary = {(row[0], row[1]) for row in connection.execute(text(statement))}
        wanted = {
            (table.name, column.name)
            for table in metadata.tables.values()
            for column in table.columns
            if isinstance(column.type, String)
        }
        self.assertEqual(set(), wanted - binary)


class MysqlMigrationTests(MigrationsContract, TestCase):
    """On MariaDB, in a database whose own character set is another."""

    def again(self) -> Engine:
        if not hasattr(self, "url"):
            self.url = mysql_url("migrations")
        return engine_of(database_address(self.url), connections=1)
