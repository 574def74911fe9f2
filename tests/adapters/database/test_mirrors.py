"""MirrorRecords and SyncRecords keep the contracts of their ports."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.mirrors import MirrorRecords
from packeton.adapters.database.owners import owner_name
from packeton.adapters.database.syncs import SyncRecords
from tests.contracts.mirrors import LEASE, NOW, MirrorRecordsContract, SyncRecordsContract
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite


class MirrorRecordsTests(OnSqlite, MirrorRecordsContract, SynchronousTestCase):
    """On SQLite."""

    def make_records(self) -> MirrorRecords:
        return MirrorRecords(self.make_database())


class MirrorRecordsOnPostgresqlTests(OnPostgresql, MirrorRecordsTests):
    """On PostgreSQL."""


class MirrorRecordsOnMysqlTests(OnMysql, MirrorRecordsTests):
    """On MariaDB."""


class SyncRecordsTests(OnSqlite, SyncRecordsContract, SynchronousTestCase):
    """On SQLite."""

    def make_records(self) -> SyncRecords:
        return SyncRecords(self.make_database())

    def test_dead_owner(self) -> None:
        """The lock of a process that was killed on this host is free at once; one of another host is not."""
        child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        me = owner_name("token")
        host = me.partition(":")[0]
        self.assertEqual(f"{host}:{os.getpid()}:token", me)
        dead = f"{host}:{int(child.stdout)}:other"
        self.assertIsNone(self.get(self.records.claim("a", dead, NOW, LEASE)))
        self.assertIsNone(self.get(self.records.claim("a", me, NOW, LEASE)))
        self.assertEqual(me, self.get(self.records.claim("a", f"{host}:1:init", NOW, LEASE)))
        far = f"elsewhere:{int(child.stdout)}:other"
        self.assertIsNone(self.get(self.records.claim("b", far, NOW, LEASE)))
        self.assertEqual(far, self.get(self.records.claim("b", me, NOW, LEASE)))


class PostgresqlMirrorRecordsTests(OnPostgresql, MirrorRecordsTests):
    """On PostgreSQL."""


class MysqlMirrorRecordsTests(OnMysql, MirrorRecordsTests):
    """On MariaDB."""


class PostgresqlSyncRecordsTests(OnPostgresql, SyncRecordsTests):
    """On PostgreSQL."""


class MysqlSyncRecordsTests(OnMysql, SyncRecordsTests):
    """On MariaDB."""


class SyncRecordsOnPostgresqlTests(OnPostgresql, SyncRecordsTests):
    """On PostgreSQL."""


class SyncRecordsOnMysqlTests(OnMysql, SyncRecordsTests):
    """On MariaDB."""
