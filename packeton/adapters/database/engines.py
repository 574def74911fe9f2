"""SQLAlchemy engines for a DatabaseAddress: bounded pools, timeouts, and the same behaviour on all databases."""

import sqlite3
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from packeton.config.databases import DatabaseAddress
from packeton.errors import ConfigurationInvalid

__all__ = ["engine_of", "sqlite_engine"]

PRAGMAS: Final = (
    "busy_timeout=5000",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "cache_size=-16000",
    "temp_store=MEMORY",
    "case_sensitive_like=ON",
)
WAL_ATTEMPTS: Final = 60
CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 60
LOCK_SECONDS: Final = 10
DRIVERS: Final = {"postgresql": ("psycopg", "postgresql+psycopg"), "mysql": ("pymysql", "mysql+pymysql")}


def sqlite_engine(path: Path, *, connections: int = 1, read_only: bool = False) -> Engine:
    """
    Return an engine on the SQLite file *path*, in WAL mode; nothing is opened yet.

    A transaction begins as a write, so that two processes wait for each other instead of failing half-way; with
    *read_only* as a read, which waits for nobody and sees what was committed when it began.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"check_same_thread": False, "timeout": 5, "isolation_level": None},
    )
    beginning = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        _to_wal(connection)
        for pragma in (*PRAGMAS, *(("query_only=ON",) if read_only else ())):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(beginning)

    return engine


def _to_wal(connection: Any) -> None:
    """Switch the file to WAL, for good; while another process does the same SQLite refuses without waiting."""
    for attempt in range(WAL_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in {"SQLITE_BUSY", "SQLITE_LOCKED"} or attempt == WAL_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return


def engine_of(address: DatabaseAddress, *, connections: int) -> Engine:
    """
    Return an engine on a PostgreSQL or MySQL server; nothing is opened yet.

    Raises:
        ConfigurationInvalid: its driver is not installed.
    """
    module, name = DRIVERS[address.engine]
    if find_spec(module) is None:
        raise ConfigurationInvalid(
            f"packeton.database.url: {address.engine} needs its driver: pip install 'packeton[{address.engine}]'"
        )
    secret = None if address.password is None else address.password.reveal()
    url = URL.create(name, address.user or None, secret, address.host or None, address.port, address.name)
    return create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args=dict(_postgresql(address) if address.engine == "postgresql" else _mysql(address)),
    )


def _postgresql(address: DatabaseAddress) -> Mapping[str, Any]:
    limits = {
        "statement_timeout": STATEMENT_SECONDS,
        "lock_timeout": LOCK_SECONDS,
        "idle_in_transaction_session_timeout": STATEMENT_SECONDS,
    }
    options = " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items())
    return {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "application_name": "packeton",
        "options": options,
        "client_encoding": "utf8",
        **dict(address.options),
    }


def _mysql(address: DatabaseAddress) -> Mapping[str, Any]:
    strict = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION"
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": STATEMENT_SECONDS * 2,
        "write_timeout": STATEMENT_SECONDS,
        "charset": "utf8mb4",
        "init_command": f"SET SESSION sql_mode='{strict}', SESSION innodb_lock_wait_timeout={LOCK_SECONDS}",
        **dict(address.options),
    }
