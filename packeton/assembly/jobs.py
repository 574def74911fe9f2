"""Work in the background: jobs and who does them, locks, signals, and the timetable."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from attrs import define, field

from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.locks import DatabaseLocks
from packeton.adapters.database.owners import owner_name
from packeton.adapters.queues.local import LocalSignals
from packeton.adapters.queues.redis import RedisLink, RedisSignals
from packeton.adapters.queues.throttles import LocalThrottle, RedisThrottle
from packeton.assembly.store import Store
from packeton.background.jobs import JobKinds, Jobs
from packeton.background.timetable import Entry, Timetable
from packeton.background.workers import WorkerLimits, WorkerService
from packeton.config.redis import redis_address
from packeton.core.access.attempts import LoginThrottle
from packeton.interfaces.clocks import Now, now_of
from packeton.interfaces.queues import ILocks, ISignals
from packeton.interfaces.throttles import IThrottle

__all__ = ["Work", "open_work", "timetable_of", "worker_of"]


@define(kw_only=True)
class Work:
    """What features put work in with, and register who does it; register before the services start."""

    jobs: Jobs
    kinds: JobKinds
    locks: ILocks
    signals: ISignals
    name: str
    """Of this process; no other has it."""
    now: Now
    link: RedisLink | None = None
    """What holds the connections to Redis, where there is one."""
    ping: Callable[[], Awaitable[object]] | None = None
    """Asks Redis for a sign of life, where there is one."""
    timetable: list[Entry] = field(factory=list)

    def throttle(self, name: str, limits: LoginThrottle) -> IThrottle:
        """Return what counts attempts at *name*: for all processes where there is a Redis, else for this one."""
        if self.link is None:
            return LocalThrottle(limits, self.now)
        return RedisThrottle(self.link, name, limits, self.now)


def open_work(store: Store) -> Work:
    """Put it together; nothing runs yet."""
    name = owner_name(secrets.token_hex(4))
    now = now_of(store.reactor)
    records = JobRecords(store.database, lambda: secrets.token_hex(20))
    link, ping = None, None
    signals: ISignals = LocalSignals()
    if store.settings.redis.url is not None:
        link = RedisLink(store.reactor, redis_address(store.settings.redis.url.reveal()))
        signals = RedisSignals(link, name)
        ping = partial(link.call, "ping")

    async def clean() -> None:
        await records.clean(now())

    return Work(
        jobs=Jobs(records, signals, now),
        kinds=JobKinds(),
        locks=DatabaseLocks(store.database, name, now),
        signals=signals,
        name=name,
        now=now,
        link=link,
        ping=ping,
        timetable=[Entry(name="old jobs", expression="49 0 * * *", work=clean)],
    )


def timetable_of(work: Work, store: Store) -> Timetable:
    """Return what puts periodic work in."""
    return Timetable(tuple(work.timetable), store.reactor, work.locks)


def worker_of(work: Work, store: Store, at_once: int, max_jobs: int | None = None) -> WorkerService:
    """Return what does the jobs."""
    settings = store.settings
    limits = WorkerLimits(
        at_once=at_once,
        per_host=settings.jobs.per_host,
        patience=min(settings.shutdown_timeout, timedelta(minutes=1)),
    )
    worker = WorkerService(
        work.jobs.records, work.kinds, work.signals, store.reactor, work.name, limits, max_jobs, store.metrics.on_job
    )
    store.metrics.gauge("packeton_jobs_running", "Jobs under way in this process", lambda: worker.busy)
    return worker
