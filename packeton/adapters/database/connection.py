"""SQLAlchemy Core off the reactor thread: one unit of work is one hop and one transaction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field
from sqlalchemy import Connection, Engine, create_engine, event, exc
from twisted.logger import Logger

from packeton.adapters.database.migrations import upgrade
from packeton.errors import StorageFailed
from packeton.interfaces.clocks import InThread

__all__ = ["Database", "sqlite_engine"]

log = Logger()

T = TypeVar("T")

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=5000",
    "foreign_keys=ON",
    "cache_size=-16000",
    "temp_store=MEMORY",
)


def sqlite_engine(path: Path) -> Engine:
    """Return an engine on the SQLite file *path*, in WAL mode; nothing is opened yet."""
    engine = create_engine(
        f"sqlite:///{path}", pool_size=1, max_overflow=0, connect_args={"check_same_thread": False, "timeout": 5}
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


@define
class Database:
    """
    One engine and the thread that uses it.

    `in_thread` must run one call at a time for SQLite: one writer.
    """

    _engine: Engine
    _in_thread: InThread
    _prepared: bool = field(default=False, init=False)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """
        Run *work* in one transaction.

        Raises:
            StorageFailed: the database cannot be read or written; nothing of *work* happened.
        """
        return await self._in_thread(self._transaction, work)

    async def close(self) -> None:
        """Close the connections."""
        await self._in_thread(self._engine.dispose)

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        try:
            if not self._prepared:
                with self._engine.begin() as connection:
                    upgrade(connection)
                self._prepared = True
            with self._engine.begin() as connection:
                return work(connection)
        except (exc.OperationalError, exc.DatabaseError, exc.TimeoutError) as error:
            reason = getattr(error, "orig", None) or error
            raise StorageFailed(f"the database failed: {reason}") from error
