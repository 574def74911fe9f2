"""What `/metrics` and `/api/healthz` ask the database, the store and Redis."""

from collections.abc import Mapping

from attrs import define, field
from sqlalchemy import text

from packeton.assembly.jobs import Work
from packeton.assembly.store import Store
from packeton.errors import PacketonError
from packeton.interfaces.clocks import now_of
from packeton.interfaces.queues import JobStatus
from packeton.web.health import Check

__all__ = ["Figures", "health_checks"]

PRESENT = (JobStatus.QUEUED, JobStatus.STARTED)


@define
class Figures:
    """Figures of all processes together, as they were when last asked for; none while they cannot be had."""

    _store: Store
    _work: Work
    _jobs: dict[str, float] = field(factory=dict, init=False)
    _late: float = field(default=0.0, init=False)
    _cache: dict[str, float] = field(factory=dict, init=False)

    def install(self) -> None:
        """Add them to the store's metrics."""
        metrics = self._store.metrics
        metrics.gauges("packeton_jobs", "Jobs in the database, of all processes", "status", lambda: self._jobs)
        metrics.gauge("packeton_jobs_late_seconds", "How long the job that is due longest waits", lambda: self._late)
        metrics.gauges("packeton_cache", "What the cache holds", "what", lambda: self._cache)

    async def refresh(self) -> None:
        """Ask for them."""
        try:
            counts = await self._work.jobs.records.counts()
            due = await self._work.jobs.records.next_due(self._work.kinds.types)
            totals = await self._store.records.totals()
        except PacketonError:
            self._jobs, self._late, self._cache = {}, 0.0, {}
            return
        self._jobs = {str(status): counts.get(str(status), 0) for status in PRESENT}
        late = 0.0 if due is None else (now_of(self._store.reactor)() - due).total_seconds()
        self._late = max(0.0, late)
        self._cache = {"entries": totals.entries, "bytes": totals.bytes}


def health_checks(store: Store, work: Work) -> Mapping[str, Check]:
    """Return what must work, and Redis, without which only time is lost."""

    async def database() -> None:
        await store.database.read(lambda connection: connection.execute(text("SELECT 1")).all())

    async def cache() -> None:
        def write() -> None:
            draft = store.blobs.draft()
            try:
                draft.write(b"health")
            finally:
                draft.discard()

        await store.in_thread(write)

    checks = {"database:ping": Check(run=database), "cache:ping": Check(run=cache)}
    if work.ping is not None:
        checks["redis:ping"] = Check(run=work.ping, essential=False)
    return checks
