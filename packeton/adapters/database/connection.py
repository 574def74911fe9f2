"""
SQLAlchemy Core off the reactor thread: one unit of work is one hop and one transaction.

Theory: SQLite has one writer, so `run` goes through one thread, whose transactions begin as writes; `read` goes through
a few other threads, whose transactions see the last commit and wait for nobody. On a server both share one pool. A unit
of work must be a function of its connection alone: it is run again when the database says that nothing of it happened
(a deadlock, a lock that came too late, a connection that broke before the commit).
"""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Self, TypeVar

from attrs import define, field
from sqlalchemy import Connection, Engine, exc
from twisted.logger import Logger

from packeton.adapters.database.engines import engine_of, sqlite_engine
from packeton.adapters.database.migrations import prepare
from packeton.config.databases import DatabaseAddress
from packeton.errors import Conflict, Invalid, StorageBusy, StorageFailed
from packeton.interfaces.clocks import InThread

__all__ = ["Database", "sqlite_engine"]

log = Logger()

T = TypeVar("T")

PAUSES: Final = (0.01, 0.05, 0.2, 0.5)
"""Seconds before the second attempt, the third …"""
MAX_WAITING: Final = 2000
"""Units of work that wait for a thread; more are refused at once."""
MAX_QUEUED_SECONDS: Final = 30.0
"""How long a unit of work may wait for a thread; then whoever asked for it has given up, or soon will."""
AGAIN: Final = frozenset({"40001", "40P01", "55P03", "1213", "1205", "1020", "SQLITE_BUSY", "SQLITE_LOCKED"})
"""Serialisation failures, deadlocks and locks that came too late: nothing happened, and trying again may help."""


@define
class Database:
    """
    One database and the threads that use it.

    `in_thread` must run one call at a time for SQLite: one writer. Without `readers`, `read` is like `run`.
    """

    _engine: Engine
    _in_thread: InThread
    _readers: Engine | None = None
    _read_in_thread: InThread | None = None
    _pause: Callable[[float], None] = time.sleep
    _seconds: Callable[[], float] = time.monotonic
    _prepared: bool = field(default=False, init=False)
    _waiting: int = field(default=0, init=False)

    @classmethod
    def on(cls, address: DatabaseAddress, *, writer: InThread, readers: InThread, connections: int) -> Self:
        """
        Return the database at *address*; nothing is opened yet.

        Args:
            writer: One thread.
            readers: As many threads as *connections*.

        Raises:
            ConfigurationInvalid: the driver is not installed.
        """
        if address.path is not None:
            reading = sqlite_engine(address.path, connections=connections, read_only=True)
            return cls(sqlite_engine(address.path), writer, reading, readers)
        return cls(engine_of(address, connections=connections), readers)

    @property
    def engine(self) -> Engine:
        """Return the engine that writes, for tools that block."""
        return self._engine

    @property
    def reading_engine(self) -> Engine:
        """Return the engine that reads, for tools that block."""
        return self._readers or self._engine

    async def run(self, work: Callable[[Connection], T]) -> T:
        """
        Run *work* in one transaction; it may be run again if nothing of it happened.

        Raises:
            StorageFailed: the database cannot be read or written; nothing of *work* happened.
            Conflict: *work* broke a rule of the schema: something exists already, or is still used.
            Invalid: a value does not fit in its column.
        """
        return await self._queued(self._in_thread, self._engine, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run *work*, which only reads, in one transaction that sees all that was written before. Raises as `run`."""
        if self._readers is None or self._read_in_thread is None:
            return await self.run(work)
        return await self._queued(self._read_in_thread, self._readers, work)

    async def close(self) -> None:
        """Close the connections."""
        await self._in_thread(self.dispose)

    def prepare(self) -> None:
        """
        Bring the schema up to date, if that was not done yet. Blocking; every unit of work does it first.

        Raises:
            DatabaseRefused: a newer program made the database, or it is another program's.
            StorageFailed: it cannot be reached.
        """
        if not self._prepared:
            self._attempted(lambda: prepare(self._engine))
            self._prepared = True

    def dispose(self) -> None:
        """Close the connections. Blocking."""
        if self._readers is not None:
            self._readers.dispose()
        if self._prepared and self._engine.dialect.name == "sqlite":
            self._optimize()
        self._engine.dispose()

    def _optimize(self) -> None:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA optimize")
        except exc.DBAPIError as error:
            log.debug("SQLite could not look after its indexes: {why}", why=_reason(error))

    async def _queued(self, in_thread: InThread, engine: Engine, work: Callable[[Connection], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise StorageBusy("the database cannot keep up: too much waits for it")
        self._waiting += 1
        try:
            waiting: Awaitable[T] = in_thread(self._transaction, engine, work, self._seconds())
            return await waiting
        finally:
            self._waiting -= 1

    def _transaction(self, engine: Engine, work: Callable[[Connection], T], since: float) -> T:
        if self._seconds() - since > MAX_QUEUED_SECONDS:
            raise StorageBusy("the database cannot keep up: this waited too long for its turn")
        self.prepare()
        return self._attempted(lambda: _once(engine, work))

    def once(self, attempt: Callable[[], T]) -> T:
        """Run *attempt* and raise kinds of ours. Blocking, for tools without threads."""
        return self._attempted(attempt, ())

    def _attempted(self, attempt: Callable[[], T], pauses: Sequence[float] = PAUSES) -> T:
        doubtful = 0
        for pause in (*pauses, None):
            try:
                return attempt()
            except exc.IntegrityError as error:
                doubtful += 1  # another process may have inserted the same between our look and our insert
                if doubtful > 1 or pause is None:
                    raise Conflict("this exists already, is still used, or has changed meanwhile") from error
            except exc.DataError as error:
                raise Invalid("a value is too long or too large to be stored") from error
            except (exc.DBAPIError, exc.TimeoutError) as error:
                if pause is None or not _may_try_again(error):
                    kind = StorageBusy if _is_locked(error) else StorageFailed
                    raise kind(f"the database failed: {_reason(error)}") from error
            self._pause(pause)
        raise AssertionError("the last attempt returns or raises")


def _once(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            result = work(connection)
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise StorageFailed(f"the database failed while committing: {_reason(error)}") from error
            raise
        return result


def _may_try_again(error: exc.SQLAlchemyError) -> bool:
    return _is_locked(error) or (isinstance(error, exc.DBAPIError) and error.connection_invalidated)


def _is_locked(error: exc.SQLAlchemyError) -> bool:
    return isinstance(error, exc.DBAPIError) and not AGAIN.isdisjoint(_codes(error))


def _codes(error: exc.DBAPIError) -> set[str]:
    """Return what the driver says went wrong: SQLSTATE, MySQL's number, SQLite's name."""
    original = error.orig
    state = getattr(original, "sqlstate", None)
    name = getattr(original, "sqlite_errorname", None) or ""
    arguments: tuple[object, ...] = getattr(original, "args", ())
    number = arguments[0] if arguments and isinstance(arguments[0], int) else None
    return {str(state), str(number), name, "_".join(name.split("_")[:2])}


def _reason(error: BaseException) -> str:
    """Return one line that says why."""
    reason = getattr(error, "orig", None) or error
    arguments: tuple[object, ...] = getattr(reason, "args", ())
    if len(arguments) > 1 and isinstance(arguments[0], int):  # MySQL: number, text
        reason = arguments[1]
    lines = [re.sub(r"\s+", " ", line).strip() for line in str(reason).splitlines()]
    return next(filter(None, lines), type(reason).__name__)[:200]
