"""
Real databases for tests: SQLite in a file, PostgreSQL and MariaDB as servers on loopback.

A contract of records runs on all three by three classes of two lines:

    class TokenRecordsTests(OnSqlite, TokenRecordsContract, SynchronousTestCase): ...
    class TokenRecordsOnPostgresqlTests(OnPostgresql, TokenRecordsContract, SynchronousTestCase): ...
    class TokenRecordsOnMysqlTests(OnMysql, TokenRecordsContract, SynchronousTestCase): ...

where the contract's `setUp` takes `self.make_database()`: a Database with the newest schema and nothing in it, whose
calls run at once. Servers start when the first test asks and stop with the process; a server that is not installed
skips its tests. All tests of one engine share one database, which is emptied for each test.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import SkipTest

from sqlalchemy import Engine, text

from packeton.adapters.database.connection import Database, sqlite_engine
from packeton.adapters.database.engines import engine_of
from packeton.adapters.database.migrations import prepare
from packeton.adapters.database.tables import metadata
from packeton.config.databases import database_address
from tests.support.scripted import immediately
from tests.support.server import await_port, free_port

__all__ = ["ENGINES", "OnMysql", "OnPostgresql", "OnSqlite", "Server", "mysql_url", "postgresql_url", "server_of"]

ENGINES = ("sqlite", "postgresql", "mysql")


class Server:
    """A database server in a process of its own, with its data in a directory that goes with it."""

    def __init__(self, name: str, account: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"packeton-{name}-"))
        self.account = account if os.getuid() == 0 else None
        self.port = free_port()
        self.command: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        if self.account is not None:
            shutil.chown(self.folder, self.account)
        atexit.register(self.remove)

    def as_account(self, *command: object) -> list[str]:
        """Return the command as one that runs under the server's account, where we are root."""
        words = [str(word) for word in command]
        if self.account is None:
            return words
        return ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--clear-groups", *words]

    def run(self, *command: object) -> None:
        environment = {**os.environ, "HOME": str(self.folder)}
        done = subprocess.run(
            self.as_account(*command), check=False, capture_output=True, text=True, timeout=120, cwd=self.folder, env=environment
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.as_account(*self.command), stdout=log, stderr=log, cwd=self.folder)
        try:
            await_port(self.port, self.process, 30)
        except OSError:
            raise AssertionError("the server did not start:\n" + (self.folder / "server.log").read_text()) from None

    def stop(self) -> None:
        """Stop it as one that crashed; what is in it stays."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait(20)
            if self.account == "postgres":  # its children end by themselves, a moment later
                (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
                time.sleep(0.3)

    def remove(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def _program(name: str) -> str:
    """Return a program's path, also from where Debian hides it. Raises SkipTest."""
    hidden = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, hidden)]))
    if found is None:
        raise SkipTest(f"{name} is not installed")
    return str(Path(found).resolve())


@cache
def _postgresql() -> Server | str:
    try:
        initdb, postgres = _program("initdb"), _program("postgres")
    except SkipTest as error:
        return str(error)
    server = Server("postgresql", "postgres")
    data = server.folder / "data"
    server.run(initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    settings = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60", f"unix_socket_directories={server.folder}")
    options = [word for setting in settings for word in ("-c", setting)]
    server.command = [postgres, "-D", str(data), "-p", str(server.port), "-h", "127.0.0.1", *options]
    server.start()
    _until(lambda: _execute(f"postgresql://tester@127.0.0.1:{server.port}/postgres", "CREATE DATABASE packeton"))
    return server


@cache
def _mysql() -> Server | str:
    try:
        install, daemon = _program("mariadb-install-db"), _program("mariadbd")
    except SkipTest as error:
        return str(error)
    server = Server("mysql", "mysql")
    data = server.folder / "data"
    server.run(install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-use-native-aio=0")
    server.command = [
        daemon, "--no-defaults", f"--datadir={data}", f"--port={server.port}", "--bind-address=127.0.0.1",
        f"--socket={server.folder}/socket", f"--pid-file={server.folder}/pid", "--skip-log-bin", "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=2", "--skip-innodb-doublewrite", "--innodb-use-native-aio=0", "--max-connections=60",
    ]  # fmt: skip
    server.start()
    _until(lambda: _execute(f"mysql://root@127.0.0.1:{server.port}/mysql", "CREATE DATABASE packeton CHARACTER SET latin1"))
    return server


def _until(done: Callable[[], None]) -> None:
    """Repeat what fails while a server wakes up."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return done()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _execute(url: str, statement: str) -> None:
    engine = engine_of(database_address(url), connections=1)
    try:
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))
    finally:
        engine.dispose()


def server_of(engine: str) -> Server:
    """Return the server, started. Raises SkipTest where there is none."""
    server = _postgresql() if engine == "postgresql" else _mysql()
    if isinstance(server, str):
        raise SkipTest(server)
    return server


def postgresql_url(name: str = "packeton") -> str:
    """Return the address of a database on the PostgreSQL server; it is made when it is not there. May raise SkipTest."""
    root = f"postgresql://tester@127.0.0.1:{server_of('postgresql').port}"
    if name != "packeton":
        _execute(f"{root}/postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        _execute(f"{root}/postgres", f'CREATE DATABASE "{name}"')
    return f"{root}/{name}"


def mysql_url(name: str = "packeton") -> str:
    """Return the address of a database on the MariaDB server; it is made when it is not there. May raise SkipTest."""
    root = f"mysql://root@127.0.0.1:{server_of('mysql').port}"
    if name != "packeton":
        _execute(f"{root}/mysql", f"DROP DATABASE IF EXISTS `{name}`")
        _execute(f"{root}/mysql", f"CREATE DATABASE `{name}` CHARACTER SET latin1")
    return f"{root}/{name}"


@cache
def _shared(engine: str) -> Engine:
    """Return the engine of the one database that all tests share, with the newest schema."""
    url = postgresql_url() if engine == "postgresql" else mysql_url()
    made = engine_of(database_address(url), connections=5)
    atexit.register(made.dispose)
    prepare(made)
    return made


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="packeton-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = sqlite_engine(folder / "template.db")
    prepare(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return folder / "template.db"


def _emptied(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.execute(text("SET foreign_key_checks=0"))
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        if engine.dialect.name == "mysql":
            connection.execute(text("SET foreign_key_checks=1"))


class OnSqlite:
    """Makes databases in files."""

    engine_name = "sqlite"
    addCleanup: Any

    def make_engine(self) -> Engine:
        folder = tempfile.mkdtemp(prefix="packeton-sqlite-")
        self.addCleanup(shutil.rmtree, folder)
        path = Path(folder) / "packeton.db"
        shutil.copyfile(_template(), path)
        engine = sqlite_engine(path)
        self.addCleanup(engine.dispose)
        return engine

    def make_database(self) -> Database:
        """Return an empty database whose calls run at once; on SQLite what only reads cannot write."""
        engine = self.make_engine()
        if engine.dialect.name != "sqlite":
            return Database(engine, immediately)
        reading = sqlite_engine(Path(engine.url.database or ""), read_only=True)
        self.addCleanup(reading.dispose)
        return Database(engine, immediately, reading, immediately)


class OnPostgresql(OnSqlite):
    """Empties the database of the PostgreSQL server."""

    engine_name = "postgresql"

    def make_engine(self) -> Engine:
        server_of(self.engine_name)
        engine = _shared(self.engine_name)
        _emptied(engine)
        return engine


class OnMysql(OnPostgresql):
    """Empties the database of the MariaDB server."""

    engine_name = "mysql"

