"""A new APP_SECRET: what was sealed with the former one is sealed anew, and the rest is told."""

import os

from sqlalchemy import insert, select, update
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.sealed import reseal
from packeton.adapters.database.tables.packages import credentials
from packeton.core.access.sealing import Sealer, context_of
from tests.contracts.caching import NOW
from tests.core.access.test_sealing import reference
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite

OLD, NEW = "the old secret", "the new secret"


class ResealTests(OnSqlite, SynchronousTestCase):
    """On SQLite."""

    def test_rotation(self) -> None:
        """More rows than a batch, of all kinds: each opens afterwards with the new secret alone; doing it twice changes nothing."""
        database = self.make_database()
        old, both, new = Sealer([OLD], os.urandom), Sealer([NEW, OLD], os.urandom), Sealer([NEW], os.urandom)
        texts = {number: old.seal(f"key {number}", context_of("credentials", "ssh_key", number)) for number in range(1, 131)}
        texts[131], texts[132] = reference("key 131", OLD), "key 132"
        texts[133] = both.seal("key 133", context_of("credentials", "ssh_key", 133))
        texts[134] = texts[1]  # copied from another row
        texts[135] = Sealer(["a third"], os.urandom).seal("key 135", context_of("credentials", "ssh_key", 135))
        with database.engine.begin() as connection:
            for number, text in texts.items():
                connection.execute(insert(credentials).values(id=number, name="n", shared=False, ssh_key=text, created_at=NOW))
            connection.execute(update(credentials).where(credentials.c.id == 1).values(composer_auth=old.seal("{}", context_of("credentials", "composer_auth", 1))))
        done = self.successResultOf(Deferred.fromCoroutine(reseal(database, both)))
        self.assertEqual((133, 1, ("credentials/ssh_key/134", "credentials/ssh_key/135")), (done.anew, done.current, done.lost))
        with database.engine.connect() as connection:
            stored = {row.id: row.ssh_key for row in connection.execute(select(credentials)).all()}
        for number in range(1, 134):
            self.assertEqual(f"key {number}", new.open(stored[number], context_of("credentials", "ssh_key", number)))
        self.assertEqual(texts[135], stored[135])
        again = self.successResultOf(Deferred.fromCoroutine(reseal(database, both)))
        self.assertEqual((0, 134), (again.anew, again.current))


class PostgresqlResealTests(OnPostgresql, ResealTests):
    """On PostgreSQL."""


class MysqlResealTests(OnMysql, ResealTests):
    """On MariaDB."""
