"""The log of one running job, written in pieces: a line costs no transaction of its own."""

from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from packeton.core.texts import legible
from packeton.errors import StorageFailed
from packeton.interfaces.queues import IJobRecords

__all__ = ["BufferedLog"]

log = Logger()

FLUSH_SECONDS: Final = 0.5
MAX_WAITING: Final = 1_000_000
"""Characters that wait for a slow database; more are dropped."""


@define(eq=False)
class BufferedLog:
    """See JobLog. What was given shows within a second."""

    _records: IJobRecords
    _job_id: str
    _clock: IReactorTime
    _waiting: list[str] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _writing: Deferred[None] | None = field(default=None, init=False)

    def __call__(self, text: str) -> None:
        """Append a line, or several."""
        if self._size > MAX_WAITING:
            return
        moment = self._clock.seconds()
        stamp = f"[{int(moment // 3600 % 24):02d}:{int(moment // 60 % 60):02d}:{int(moment % 60):02d}] "
        lines = "".join(f"{stamp}{line}\n" for line in legible(text).splitlines() or [""])
        self._waiting.append(lines)
        self._size += len(lines)
        if self._timer is None and self._writing is None:
            self._timer = self._clock.callLater(FLUSH_SECONDS, self._flush)

    async def close(self) -> None:
        """Write what waits; nothing may be appended any more."""
        if self._writing is not None:
            await self._writing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            await self._write(self._taken())

    def _taken(self) -> str:
        text, self._waiting, self._size = "".join(self._waiting), [], 0
        return text

    def _flush(self) -> None:
        self._timer = None
        self._writing = Deferred.fromCoroutine(self._write_and_go_on())

    async def _write_and_go_on(self) -> None:
        await self._write(self._taken())
        self._writing = None
        if self._waiting and self._timer is None:
            self._timer = self._clock.callLater(FLUSH_SECONDS, self._flush)

    async def _write(self, text: str) -> None:
        try:
            await self._records.write_log(self._job_id, text)
        except StorageFailed as error:
            log.warn("The log of job {id} could not be kept: {why}", id=self._job_id, why=str(error))
