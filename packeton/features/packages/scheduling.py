"""When packages are read again: at once when somebody asks, and now and then by themselves."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from attrs import define

from packeton.features.packages.updating import UpdateRequest
from packeton.interfaces.clocks import Now
from packeton.interfaces.packages import IPackageRecords, Package
from packeton.interfaces.queues import Job, JobOrder, Priority

__all__ = ["UPDATES", "Scheduling"]

UPDATES = "package:updates"
"""The type of the jobs. Source: the reference."""
MAX_STALE = 5000
SPREAD = 1.5
"""Scheduled updates are spread over the interval divided by this. Source: the reference."""


@define
class Scheduling:
    """Puts update jobs in. Of one package at most one waits, and at most one runs."""

    _packages: IPackageRecords
    _put: Callable[[JobOrder], Awaitable[Job]]
    _latest: Callable[[str], Awaitable[Sequence[Job]]]
    """Returns the newest jobs about a package."""
    _random: Callable[[], float]
    _now: Now
    _interval: timedelta

    async def update(
        self,
        package: Package,
        request: UpdateRequest | None = None,
        *,
        priority: Priority = Priority.NORMAL,
        delay: timedelta | None = None,
    ) -> Job:
        """Have a package updated; for a child, its mono-repo. Raises StorageFailed."""
        request = request or UpdateRequest()
        number = package.parent_id or package.id
        payload: dict[str, object] = {"id": number}
        for name in ("update_equal_refs", "delete_before"):
            if getattr(request, name):
                payload[name] = True
        order = JobOrder(
            type=UPDATES,
            payload=payload,
            key=str(number),
            package=package.name,
            host=package.host,
            priority=priority,
            run_at=None if delay is None else self._now() + delay,
        )
        return await self._put(order)

    async def first(self, package: Package) -> None:
        """
        Have a package read that never was, and that nobody asked to read.

        Source: the reference, when an editor first looks at it.
        """
        if package.crawled_at is None and not await self._latest(package.name):
            await self.update(package, UpdateRequest(update_equal_refs=True), priority=Priority.NOW)

    async def stale(self) -> None:
        """Have all packages updated that were not for long, spread over time."""
        found = await self._packages.stale(
            now=self._now(), interval_seconds=int(self._interval.total_seconds()), limit=MAX_STALE
        )
        for package in found:
            delay = self._interval / SPREAD * self._random()
            await self.update(package, priority=Priority.SCHEDULED, delay=delay)
