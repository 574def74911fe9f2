"""The records of accounts, on SQLite in memory."""

from unittest import TestCase

from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from packeton.adapters.database.connection import Database
from tests.contracts.accounts import AccountRecordsContract
from tests.support.scripted import immediately


class SqliteAccountTests(AccountRecordsContract, TestCase):
    """The contract, with foreign keys watched as on a file."""

    def make_database(self) -> Database:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
        self.addCleanup(engine.dispose)
        return Database(engine, immediately)
