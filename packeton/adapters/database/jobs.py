"""JobRecords: jobs and their logs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from attrs import define
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.owners import is_gone
from packeton.adapters.database.tables.jobs import job_logs, jobs
from packeton.interfaces.queues import IJobRecords, Job, JobOrder, JobStatus, LogLine

__all__ = ["JobRecords"]

MAX_LOG_BYTES: Final = 1_000_000
MAX_PIECE: Final = 60_000
MANY: Final = ((60_000, 2), (40_000, 5), (25_000, 10), (10_000, 21), (0, 60))
"""With more jobs than this, keep them for so many days."""
CANDIDATES: Final = 50


@implementer(IJobRecords)
@define
class JobRecords:
    """Jobs by id."""

    _database: Database
    _new_id: Callable[[], str]

    async def put(self, order: JobOrder, now: datetime) -> Job:
        """Put a job in, or make the waiting one of the same key more urgent."""
        run_at = now if order.run_at is None else order.run_at

        def work(connection: Connection) -> Job:
            mark = _mark(order.type, order.key)
            waiting = _waiting(connection, mark)
            if waiting is None:
                new = self._new_id()
                try:
                    with connection.begin_nested():
                        connection.execute(insert(jobs).values(id=new, waiting=mark, **_fields(order, now, run_at)))
                    return _one(connection, new)
                except IntegrityError:  # somebody put the same one in
                    waiting = _waiting(connection, mark)
                    if waiting is None:
                        raise
            merged = {
                "payload": {**waiting.payload, **order.payload},
                "priority": max(waiting.priority, order.priority),
                "run_at": waiting.run_at if order.run_at is not None else min(waiting.run_at, run_at),
            }
            connection.execute(update(jobs).where(jobs.c.id == waiting.id).values(**merged))
            return _one(connection, waiting.id)

        return await self._database.run(work)

    async def claim(
        self,
        worker: str,
        now: datetime,
        *,
        types: Collection[str],
        per_host: int,
        excluded_hosts: Collection[str] = (),
    ) -> Job | None:
        """Start the most urgent job that is due and free."""

        def work(connection: Connection) -> Job | None:
            full = set(excluded_hosts) | _full_hosts(connection, per_host)
            running = select(jobs.c.running).where(jobs.c.running.is_not(None)).scalar_subquery()
            due = (jobs.c.status == JobStatus.QUEUED) & (jobs.c.run_at <= now) & jobs.c.type.in_(list(types))
            free = jobs.c.waiting.is_(None) | jobs.c.waiting.not_in(running)
            if full:
                free &= jobs.c.host.is_(None) | jobs.c.host.not_in(full)
            order = (jobs.c.priority.desc(), jobs.c.run_at, jobs.c.created_at, jobs.c.id)
            chosen = select(jobs.c.id, jobs.c.waiting).where(due & free).order_by(*order).limit(CANDIDATES)
            started = (_start(connection, row.id, row.waiting, worker, now) for row in connection.execute(chosen).all())
            return next((job for job in started if job is not None), None)

        return await self._database.run(work)

    async def alive(self, ids: Collection[str], now: datetime) -> None:
        """Note that these are being worked on."""
        here = jobs.c.id.in_(list(ids)) & (jobs.c.status == JobStatus.STARTED)
        await self._database.run(lambda connection: connection.execute(update(jobs).where(here).values(heard_at=now)))

    async def finish(self, job_id: str, status: JobStatus, result: Mapping[str, Any], now: datetime) -> bool:
        """End a started job."""
        values = {"status": status, "result": dict(result), "finished_at": now, "running": None}
        return await self._database.run(lambda connection: _leave(connection, job_id, values))

    async def again(self, job_id: str, run_at: datetime, *, counts: bool = True) -> bool:
        """Put a started job back."""
        return await self._database.run(lambda connection: _requeue(connection, job_id, run_at, counts=counts))

    async def abandoned(self, before: datetime, now: datetime, *, max_attempts: int) -> int:
        """Put back what died with its worker, or end it."""

        def work(connection: Connection) -> int:
            started = jobs.c.status == JobStatus.STARTED
            workers = connection.execute(select(jobs.c.worker).where(started).distinct()).scalars()
            gone = [worker for worker in workers if worker is not None and is_gone(worker)]
            silent = started & ((jobs.c.heard_at < before) | jobs.c.worker.in_(gone))
            rows = connection.execute(select(jobs.c.id, jobs.c.attempts).where(silent)).all()
            for row in rows:
                if row.attempts < max_attempts:
                    _requeue(connection, row.id, now)
                else:
                    result = {"message": "the worker died, or the job took too long"}
                    ended = {"status": JobStatus.TIMEOUT, "result": result, "finished_at": now, "running": None}
                    _leave(connection, row.id, ended)
            return len(rows)

        return await self._database.run(work)

    async def find(self, job_id: str) -> Job | None:
        """Return one, or None."""
        found = await self._listed(jobs.c.id == job_id, 1)
        return found[0] if found else None

    async def latest(self, package: str, limit: int = 1) -> Sequence[Job]:
        """Return the jobs about a package, newest first."""
        return await self._listed(jobs.c.package == package, limit)

    async def listing(self, limit: int = 50, status: JobStatus | None = None) -> Sequence[Job]:
        """Return jobs, newest first."""
        return await self._listed(jobs.c.id.is_not(None) if status is None else jobs.c.status == status, limit)

    async def _listed(self, here: ColumnElement[bool], limit: int) -> Sequence[Job]:
        newest = select(jobs).where(here).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        return await self._database.read(lambda connection: [_job(row) for row in connection.execute(newest)])

    async def counts(self) -> Mapping[str, int]:
        """Return how many there are by status."""
        counted = select(jobs.c.status, func.count()).group_by(jobs.c.status)
        return await self._database.read(
            lambda connection: {str(status): int(count) for status, count in connection.execute(counted)}
        )

    async def next_due(self, types: Collection[str]) -> datetime | None:
        """Return when the next waiting job may run."""
        here = (jobs.c.status == JobStatus.QUEUED) & jobs.c.type.in_(list(types))
        first = select(jobs.c.run_at).where(here).order_by(jobs.c.run_at).limit(1)
        return await self._database.read(lambda connection: connection.execute(first).scalar_one_or_none())

    async def write_log(self, job_id: str, text: str) -> None:
        """Append to a log, within its bound."""

        def work(connection: Connection) -> None:
            size = connection.execute(select(jobs.c.log_bytes).where(jobs.c.id == job_id)).scalar_one_or_none()
            if size is None or size >= MAX_LOG_BYTES:
                return
            kept = text[: MAX_LOG_BYTES - size]
            pieces = [kept[start : start + MAX_PIECE] for start in range(0, len(kept), MAX_PIECE)]
            if len(kept) < len(text):
                pieces.append("\n(the rest of the log was dropped: it is longer than 1 MB)\n")
            for piece in pieces:
                connection.execute(insert(job_logs).values(job_id=job_id, text=piece))
            grown = MAX_LOG_BYTES if len(kept) < len(text) else size + len(kept)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(log_bytes=grown))

        await self._database.run(work)

    async def read_log(self, job_id: str, past: int = 0, limit: int = 200) -> Sequence[LogLine]:
        """Return pieces of a log past a position."""
        here = (job_logs.c.job_id == job_id) & (job_logs.c.position > past)
        pieces = select(job_logs.c.position, job_logs.c.text).where(here).order_by(job_logs.c.position).limit(limit)
        return await self._database.read(lambda connection: [LogLine(*row) for row in connection.execute(pieces)])

    async def clean(self, now: datetime) -> int:
        """Remove jobs that have been over for long."""

        def work(connection: Connection) -> int:
            count = connection.execute(select(func.count()).select_from(jobs)).scalar_one()
            days = next(days for least, days in MANY if count >= least)
            old = jobs.c.finished_at < now - timedelta(days=days)
            gone = select(jobs.c.id).where(old).scalar_subquery()
            connection.execute(delete(job_logs).where(job_logs.c.job_id.in_(gone)))
            return connection.execute(delete(jobs).where(old)).rowcount

        return await self._database.run(work)


def _mark(kind: str, key: str | None) -> str | None:
    return None if key is None else f"{kind}:{sha256(key.encode()).hexdigest()}"


def _fields(order: JobOrder, now: datetime, run_at: datetime) -> dict[str, Any]:
    return {
        "type": order.type,
        "payload": dict(order.payload),
        "key": order.key,
        "package": order.package,
        "host": order.host,
        "status": JobStatus.QUEUED,
        "priority": int(order.priority),
        "attempts": 0,
        "created_at": now,
        "run_at": run_at,
        "log_bytes": 0,
    }


def _waiting(connection: Connection, mark: str | None) -> Job | None:
    """Return the job that waits under *mark*; nobody starts it before this transaction ends."""
    if mark is None:
        return None
    row = connection.execute(select(jobs).where(jobs.c.waiting == mark).with_for_update()).one_or_none()
    return None if row is None else _job(row)


def _full_hosts(connection: Connection, per_host: int) -> set[str]:
    busy = select(jobs.c.host).where((jobs.c.status == JobStatus.STARTED) & jobs.c.host.is_not(None))
    full = busy.group_by(jobs.c.host).having(func.count() >= per_host)
    return set(connection.execute(full).scalars())


def _start(connection: Connection, job_id: str, mark: str | None, worker: str, now: datetime) -> Job | None:
    """Start one, unless another worker was quicker."""
    still = (jobs.c.id == job_id) & (jobs.c.status == JobStatus.QUEUED)
    values = {
        "status": JobStatus.STARTED,
        "started_at": now,
        "heard_at": now,
        "worker": worker,
        "attempts": jobs.c.attempts + 1,
        "running": mark,
        "waiting": None,
    }
    try:
        with connection.begin_nested():
            if connection.execute(update(jobs).where(still).values(**values)).rowcount == 0:
                return None
    except IntegrityError:  # one of the same key began meanwhile
        return None
    return _one(connection, job_id)


def _leave(connection: Connection, job_id: str, values: Mapping[str, Any]) -> bool:
    here = (jobs.c.id == job_id) & (jobs.c.status == JobStatus.STARTED)
    return connection.execute(update(jobs).where(here).values(**values)).rowcount > 0


def _requeue(connection: Connection, job_id: str, run_at: datetime, *, counts: bool = True) -> bool:
    """Put a started job back; where another of its key waits already, that one is run in its place."""
    row = connection.execute(select(jobs.c.running).where(jobs.c.id == job_id)).one_or_none()
    mark = None if row is None else row.running
    other = _waiting(connection, mark)
    if other is not None:
        result = {"message": "another job does the same", "job": other.id}
        ended = {"status": JobStatus.COMPLETED, "result": result, "finished_at": run_at, "running": None}
        return _leave(connection, job_id, ended)
    back: dict[str, Any] = {
        "status": JobStatus.QUEUED, "run_at": run_at, "running": None, "waiting": mark, "worker": None
    }  # fmt: skip
    if not counts:
        back["attempts"] = jobs.c.attempts - 1
    return _leave(connection, job_id, back)


def _one(connection: Connection, job_id: str) -> Job:
    return _job(connection.execute(select(jobs).where(jobs.c.id == job_id)).one())


def _job(row: Row[Any]) -> Job:
    fields = row._asdict()
    for name in ("worker", "heard_at", "waiting", "running", "log_bytes"):
        del fields[name]
    return Job(**{**fields, "status": JobStatus(fields["status"])})
