"""The records of the cache keep their contract on every database."""

from twisted.trial.unittest import SynchronousTestCase

from tests.contracts.caching import CacheRecordsContract
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite


class CacheRecordsTests(OnSqlite, CacheRecordsContract, SynchronousTestCase):
    """On SQLite."""


class PostgresqlCacheRecordsTests(OnPostgresql, CacheRecordsContract, SynchronousTestCase):
    """On PostgreSQL."""


class MysqlCacheRecordsTests(OnMysql, CacheRecordsContract, SynchronousTestCase):
    """On MariaDB."""
