"""The schema after all revisions is the one of the tables, also from a database of before there were revisions."""

from datetime import UTC, datetime
from unittest import TestCase

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, insert, inspect

from packeton.adapters.database.migrations import newest, revision_of, upgrade
from packeton.adapters.database.tables import metadata
from packeton.adapters.database.tables.caching import publications

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class MigrationTests(TestCase):
    """On SQLite."""

    def setUp(self) -> None:
        self.engine: Engine = create_engine("sqlite://")
        self.addCleanup(self.engine.dispose)

    def test_equal_to_tables(self) -> None:
        """Nothing is left for Alembic to find."""
        with self.engine.begin() as connection:
            upgrade(connection)
            self.assertEqual(newest(), revision_of(connection))
            self.assertEqual([], compare_metadata(MigrationContext.configure(connection), metadata))
            upgrade(connection)

    def test_adopts_an_old_one(self) -> None:
        """Tables that were made without revisions keep their rows."""
        with self.engine.begin() as connection:
            metadata.create_all(connection, [publications])
            connection.execute(insert(publications).values(key="k", fingerprint="f" * 64, last_modified=NEW_YEAR))
            upgrade(connection)
            self.assertEqual(1, len(connection.execute(publications.select()).all()))
            self.assertIn("cache_entries", inspect(connection).get_table_names())

