"""The records of accounts keep their contract on every database."""

from unittest import TestCase

from tests.contracts.accounts import AccountRecordsContract
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite


class SqliteAccountTests(OnSqlite, AccountRecordsContract, TestCase):
    """On SQLite."""


class PostgresqlAccountTests(OnPostgresql, AccountRecordsContract, TestCase):
    """On PostgreSQL."""


class MysqlAccountTests(OnMysql, AccountRecordsContract, TestCase):
    """On MariaDB."""
