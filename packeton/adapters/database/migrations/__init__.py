"""
The schema's history, run when the database is first used.

Every revision makes the tables of one subject; `tables/` says what they look like today, and a test compares both. Of
several processes that start at once one does it, and the others wait.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text
from twisted.logger import Logger

import packeton.adapters.database.dialects  # noqa: F401  # for what it does to columns and tables
from packeton.adapters.database.tables import metadata
from packeton.errors import DatabaseRefused, StorageFailed

__all__ = ["newest", "prepare", "revision_of", "upgrade"]

REVISION: Final = re.compile(r"r([0-9]{4})_[a-z_]+\.py")
log = Logger()

LOCK_NUMBER: Final = 0x7061636B65746F6E
"""`packeton`."""
LOCK_SECONDS: Final = 100
REFERENCE: Final = "fos_user"
"""A table that the reference system's databases have."""
EARLIER: Final = frozenset({"cache_entries", "dist_digests", "publications"})
"""Tables of before there were revisions."""


def prepare(engine: Engine) -> None:
    """
    Bring the schema up to date, one process at a time. Blocking.

    Raises:
        DatabaseRefused: a newer program made it, or it is another program's.
        StorageFailed: another process is at it for too long.
    """
    with engine.connect() as connection:
        with connection.begin():
            if engine.dialect.name != "sqlite" and check(connection) == newest():
                return
        with connection.begin(), _alone(connection):
            revision = check(connection)
            if revision is None and inspect(connection).has_table(REFERENCE):
                log.warn("The database is the reference system's: its tables stay as they are, and are not read")
            if revision != newest():
                upgrade(connection)


def check(connection: Connection) -> str | None:
    """Return the revision that the database has; None for an empty one. Raises DatabaseRefused."""
    revision = revision_of(connection)
    if revision is None:
        ours = set(metadata.tables) - EARLIER
        strangers = sorted(ours.intersection(inspect(connection).get_table_names()))
        if strangers:
            raise DatabaseRefused(f"the database has tables of another program: {', '.join(strangers[:3])}")
    elif revision not in _revisions():
        raise DatabaseRefused(
            f"the database was used by a newer Packeton (its schema is {revision}, this program knows {newest()}):"
            " start that one, or restore a dump from before"
        )
    return revision


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date, in the transaction of *connection*. Blocking."""
    from alembic import command  # rarely needed, and slow to import
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision_of(connection: Connection) -> str | None:
    """Return the revision that the database has, as Alembic keeps it; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision


def newest() -> str:
    """Return the revision that this program needs."""
    return _revisions()[-1]


def _revisions() -> list[str]:
    """Return all revisions, oldest first: what the names of their files begin with."""
    names = (REVISION.fullmatch(file.name) for file in (Path(__file__).parent / "versions").iterdir())
    return sorted(name[1] for name in names if name is not None)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes from doing the same; SQLite's transaction does that itself."""
    kind = connection.dialect.name
    if kind == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
        yield
    elif kind in {"mysql", "mariadb"}:
        name = {"name": "packeton.schema", "seconds": LOCK_SECONDS}
        got = "SELECT GET_LOCK(CONCAT(:name, '.', MD5(DATABASE())), :seconds)"
        if connection.execute(text(got), name).scalar_one() != 1:
            raise StorageFailed("another process has been changing the schema for too long")
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(CONCAT(:name, '.', MD5(DATABASE())))"), name)
    else:
        yield
