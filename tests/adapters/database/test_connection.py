"""Database: what is run again, what is not, and what errors become."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Any

from sqlalchemy import Connection, insert, select, text, update
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.connection import Database
from packeton.adapters.database.engines import sqlite_engine
from packeton.adapters.database.tables.accounts import revisions
from packeton.adapters.database.tables.caching import publications
from packeton.config.databases import database_address
from packeton.errors import Conflict, Invalid, StorageBusy, StorageFailed
from tests.contracts.caching import NOW
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite, mysql_url, postgresql_url, server_of
from tests.support.scripted import immediately


class DatabaseContract:
    """Mix into a SynchronousTestCase with one of the engines."""

    make_database: Any

    def setUp(self) -> None:
        self.database: Database = self.make_database()

    def ok(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))  # type: ignore[attr-defined]

    def failed(self, kind: type[Exception], coroutine: Any) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), kind).value)  # type: ignore[attr-defined]

    def numbers(self) -> dict[str, int]:
        return {row.subject: row.number for row in self.ok(self.database.read(lambda connection: connection.execute(select(revisions)).all()))}

    def test_all_or_nothing(self) -> None:
        """What fails half-way leaves nothing, also when the failure is ours."""

        def half(connection: Connection) -> None:
            connection.execute(insert(revisions).values(subject="a", number=1))
            raise KeyError("mine")

        self.failed(KeyError, self.database.run(half))
        self.assertEqual({}, self.numbers())  # type: ignore[attr-defined]

    def test_exists(self) -> None:
        """What exists is a Conflict, looked at twice, since another process may have been quicker the first time."""
        calls = count(1)
        put = insert(revisions).values(subject="a", number=1)

        def work(connection: Connection) -> None:
            next(calls)
            connection.execute(put)

        self.ok(self.database.run(work))
        self.failed(Conflict, self.database.run(work))
        self.assertEqual(4, next(calls))  # type: ignore[attr-defined]

    def test_at_once(self) -> None:
        """Counting up from several threads loses none."""
        self.ok(self.database.run(lambda connection: connection.execute(insert(revisions).values(subject="a", number=0))))
        here = revisions.c.subject == "a"

        def work(connection: Connection) -> None:
            connection.execute(update(revisions).where(here).values(number=revisions.c.number + 1))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: self.ok(self.database.run(work)), range(40)))
        self.assertEqual({"a": 40}, self.numbers())  # type: ignore[attr-defined]


class ServerContract(DatabaseContract):
    """Of the servers only."""

    engine_name: str
    own_url: Any
    kill: str

    def test_too_long(self) -> None:
        """A value that does not fit is Invalid, and not cut."""
        self.failed(Invalid, self.database.run(lambda connection: connection.execute(insert(revisions).values(subject="x" * 33, number=1))))

    def test_deadlock(self) -> None:
        """Two that lock each other: one is run again, both are done."""
        self.ok(self.database.run(lambda connection: connection.execute(insert(revisions), [{"subject": name, "number": 0} for name in "ab"])))
        barrier, runs = Barrier(2), count()

        def crossing(order: str) -> Any:
            first = iter([True])

            def work(connection: Connection) -> None:
                next(runs)
                for name in order:
                    connection.execute(update(revisions).where(revisions.c.subject == name).values(number=revisions.c.number + 1))
                    if name == order[0] and next(first, False):
                        barrier.wait(10)

            return work

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda order: self.ok(self.database.run(crossing(order))), ("ab", "ba")))
        self.assertEqual({"a": 2, "b": 2}, self.numbers())  # type: ignore[attr-defined]
        self.assertEqual(3, next(runs))  # type: ignore[attr-defined]

    def test_broken_connection(self) -> None:
        """A connection that the server closed is replaced and the work run again; one that breaks in it too."""
        self.numbers()
        self.assertEqual({}, self.numbers())  # type: ignore[attr-defined]
        broken = iter([True])

        def work(connection: Connection) -> int:
            if next(broken, False):
                mine = connection.execute(text("SELECT pg_backend_pid()" if self.engine_name == "postgresql" else "SELECT CONNECTION_ID()")).scalar_one()
                with self.database.engine.connect() as other:
                    other.execute(text(self.kill.format(mine)))
            return int(connection.execute(text("SELECT 7")).scalar_one())

        self.assertEqual(7, self.ok(self.database.run(work)))  # type: ignore[attr-defined]

    def test_restart(self) -> None:
        """While the server is away each call fails in a short time; once it is back all goes on."""
        url = self.own_url("restart")
        server = server_of(self.engine_name)
        database = Database.on(database_address(url), writer=immediately, readers=immediately, connections=2)
        self.addCleanup(database.dispose)  # type: ignore[attr-defined]
        put = insert(publications).values(key="k", fingerprint="f", last_modified=NOW)
        self.ok(database.run(lambda connection: connection.execute(put)))
        server.stop()
        try:
            message = self.failed(StorageFailed, database.read(lambda connection: connection.execute(select(publications)).all()))
            self.assertIn("the database failed", message)  # type: ignore[attr-defined]
        finally:
            server.start()
            self.database.dispose()  # the other tests' connections are gone too
        for _ in range(50):
            found: list[Any] = []
            reading = database.read(lambda connection: connection.execute(select(publications)).all())
            Deferred.fromCoroutine(reading).addCallbacks(found.append, lambda failure: failure.trap(StorageFailed))
            if found:
                break
        self.assertEqual(1, len(found[0]))  # type: ignore[attr-defined]


class SqliteDatabaseTests(OnSqlite, DatabaseContract, SynchronousTestCase):
    """On SQLite."""

    def test_reader(self) -> None:
        """A reader sees what was committed, waits for no writer, and cannot write."""
        path = self.database.engine.url.database
        reading = sqlite_engine(path, connections=2, read_only=True)
        self.addCleanup(reading.dispose)
        database = Database(self.database.engine, immediately, reading, immediately)
        put = insert(revisions).values(subject="a", number=1)

        def nested(connection: Connection) -> None:
            connection.execute(put)
            self.assertEqual([], self.ok(database.read(lambda other: other.execute(select(revisions)).all())))

        self.ok(database.run(nested))
        self.assertEqual(1, len(self.ok(database.read(lambda other: other.execute(select(revisions)).all()))))
        self.assertIn("readonly", self.failed(StorageFailed, database.read(lambda other: other.execute(put))))

    def test_locked(self) -> None:
        """While another process writes, reading goes on, and writing is said to be worth another try."""
        path = self.database.engine.url.database
        reading = sqlite_engine(path, read_only=True)
        self.addCleanup(reading.dispose)
        pauses: list[float] = []
        database = Database(self.database.engine, immediately, reading, immediately, pause=pauses.append)
        self.ok(database.run(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=0")))
        other = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.assertEqual([], self.ok(database.read(lambda connection: connection.execute(select(revisions)).all())))
        self.assertIn("locked", self.failed(StorageBusy, database.run(lambda _: None)))
        self.assertEqual([0.01, 0.05, 0.2, 0.5], pauses)

    def test_crowd(self) -> None:
        """What waits for a thread is bounded."""
        never: list[Deferred[Any]] = []

        def stuck(_work: Any, *_args: Any) -> Any:
            never.append(Deferred())
            return never[-1]

        database = Database(self.database.engine, stuck)
        calls = [Deferred.fromCoroutine(database.run(lambda _: None)) for _ in range(2000)]
        self.assertIn("keep up", self.failed(StorageBusy, database.run(lambda _: None)))
        for deferred in never:
            deferred.callback(None)
        self.assertEqual([None] * 2000, [self.successResultOf(call) for call in calls])
        self.assertNoResult(Deferred.fromCoroutine(database.run(lambda _: None)))

    def test_too_late(self) -> None:
        """What waited too long for its turn is not done any more."""
        done: list[str] = []
        for waited, expected in ((30.0, ["x"]), (30.1, [])):
            moments = iter((100.0, 100.0 + waited))
            database = Database(self.database.engine, immediately, seconds=lambda moments=moments: next(moments))
            work = database.run(lambda _: done.append("x"))
            if expected:
                self.successResultOf(Deferred.fromCoroutine(work))
            else:
                self.assertIn("too long", self.failed(StorageFailed, work))
            self.assertEqual(expected, done[:])
            done.clear()


class PostgresqlDatabaseTests(OnPostgresql, ServerContract, SynchronousTestCase):
    """On PostgreSQL."""

    own_url = staticmethod(postgresql_url)
    kill = "SELECT pg_terminate_backend({})"


class MysqlDatabaseTests(OnMysql, ServerContract, SynchronousTestCase):
    """On MariaDB."""

    own_url = staticmethod(mysql_url)
    kill = "KILL {}"
