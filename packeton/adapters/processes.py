"""
A bounded pool of child processes for blocking work that must not touch the server: `await pool.run(function, …)`.

Children start when there is work, are kept warm for more, and are replaced after some jobs, when they have grown, or
when they were idle for long. Every ending (result, exception, crash, time-out, cancelling, stop) frees its place.
What a child may be killed in the middle of must therefore be safe to kill. `children` has the protocol.
"""

import heapq
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from packeton.adapters import children
from packeton.adapters.children import GO_ON, LENGTH, Delivered, Done, Failed, Told, frame
from packeton.errors import ChildFailed

__all__ = ["PoolLimits", "ProcessPool"]

log = Logger()

TO_CHILD, FROM_CHILD = 0, 3
MAX_FRAME_BYTES = 256 * 2**20
MAX_LINE_BYTES = 8192


@frozen(kw_only=True)
class PoolLimits:
    """How many children there are, and how long and how large one becomes."""

    processes: int = 2
    niceness: int = 10
    max_memory_bytes: int = 3 * 2**30
    """A child that needs more fails its work."""
    recycle_bytes: int = 512 * 2**20
    """A child that ever held this much is replaced after its work."""
    jobs_per_child: int = 500
    idle: timedelta = timedelta(minutes=5)
    kill_after: timedelta = timedelta(seconds=2)
    """The time between SIGTERM and SIGKILL."""


@define(eq=False)
class _Job:
    """One piece of work: waiting, then running in a child, then over."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    within: timedelta
    on_told: Callable[[Any], None] | None
    on_delivered: Callable[[Any], Awaitable[None]] | None
    result: "Deferred[Any]" = field(init=False)
    child: "_ChildProtocol | None" = None

    @property
    def over(self) -> bool:
        return bool(self.result.called)


class ProcessPool(Service):
    """
    Runs module-level functions in child processes, a bounded number at once; urgent ones first, else in order.

    Work that is given before the service started waits for the start. A stop ends all work and all children.
    """

    def __init__(
        self, reactor: Any, environment: Mapping[str, str], limits: PoolLimits | None = None, *, name: str = "children"
    ) -> None:
        """*environment* is all that children have of one, besides what Python needs; ours is not passed on."""
        self.setName(name)
        self._reactor = reactor
        self._limits = limits or PoolLimits()
        self._environment = _with_python(environment)
        self._waiting: list[tuple[bool, int, _Job]] = []
        self._numbers = count()
        self._children: set[_ChildProtocol] = set()

    async def run(
        self,
        function: Callable[..., Any],
        /,
        *arguments: object,
        within: timedelta,
        on_told: Callable[[Any], None] | None = None,
        on_delivered: Callable[[Any], Awaitable[None]] | None = None,
        urgent: bool = False,
    ) -> Any:
        """
        Run `function(outlet, *arguments)` in a child. Cancelling ends the child.

        Args:
            within: From the moment the child begins; time in `on_delivered` counts.
            on_told: Gets what `outlet.tell` says.
            on_delivered: Gets what `outlet.deliver` hands over; the child waits for it. Its failure ends the work,
                and is the result.

        Raises:
            ChildFailed: The child died, or took too long or too much; or the function raised what is no PacketonError.
            PacketonError: As the function raised it.
        """
        job = _Job(function, arguments, within, on_told, on_delivered)
        job.result = Deferred(lambda _: self._cancelled(job))
        heapq.heappush(self._waiting, (not urgent, next(self._numbers), job))
        self._hand_out()
        return await job.result

    def __len__(self) -> int:
        """Return how much work waits or runs."""
        return len(self._waiting) + sum(child.job is not None for child in self._children)

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that run."""
        return [child.pid for child in self._children]

    def startService(self) -> None:
        """Begin; children start when there is work."""
        super().startService()
        self._hand_out()

    def stopService(self) -> Deferred[None]:
        """End all work; fires once no child is left."""
        super().stopService()
        waiting, self._waiting = self._waiting, []
        for _, _, job in waiting:
            _fail(job, ChildFailed("we are stopping"))
        ended = [child.end("we are stopping") for child in list(self._children)]
        return DeferredList(ended).addCallback(lambda _: None)

    def _cancelled(self, job: _Job) -> None:
        if job.child is not None:
            job.child.job = None
            job.child.end("it was cancelled")
        else:
            self._waiting = [entry for entry in self._waiting if entry[2] is not job]
            heapq.heapify(self._waiting)

    def _hand_out(self) -> None:
        while self.running and self._waiting:
            child = next((child for child in self._children if child.is_free), None)
            if child is None:
                if len(self._children) >= self._limits.processes:
                    return
                child = self._spawn()
            child.start(heapq.heappop(self._waiting)[2])

    def _spawn(self) -> "_ChildProtocol":
        limits = self._limits
        child = _ChildProtocol(self._reactor, limits, self._freed, self._ended)
        arguments = [sys.executable, "-m", children.__name__, str(limits.niceness), str(limits.max_memory_bytes)]
        self._reactor.spawnProcess(
            child,
            sys.executable,
            arguments,
            env=self._environment,
            childFDs={TO_CHILD: "w", 1: "r", 2: "r", FROM_CHILD: "r"},
        )
        self._children.add(child)
        return child

    def _freed(self) -> None:
        self._hand_out()

    def _ended(self, child: "_ChildProtocol") -> None:
        self._children.discard(child)
        self._hand_out()


class _ChildProtocol(ProcessProtocol):
    """One child, seen from the parent."""

    transport: Any

    def __init__(
        self,
        reactor: Any,
        limits: PoolLimits,
        freed: Callable[[], None],
        ended: Callable[["_ChildProtocol"], None],
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._freed = freed
        self._ended = ended
        self._data = bytearray()
        self._done = 0
        self._timer: IDelayedCall | None = None
        self._killing: IDelayedCall | None = None
        self._leaving: list[Deferred[None]] = []
        self._ending = False
        self._gone = False
        self.job: _Job | None = None
        self.pid = 0

    @property
    def is_free(self) -> bool:
        """It could take work now."""
        return self.job is None and not self._ending

    def connectionMade(self) -> None:
        """It runs."""
        self.pid = self.transport.pid

    def start(self, job: _Job) -> None:
        """Give it work."""
        try:
            message = frame((job.function, job.arguments))
        except (pickle.PicklingError, AttributeError, TypeError):
            _fail(job, Failure())
            return
        self._set_timer(job.within, self._timed_out)
        self.job, job.child = job, self
        self.transport.writeToChild(TO_CHILD, message)

    def end(self, why: str) -> Deferred[None]:
        """End it, and what it runs; its work fails. Fires once it is gone."""
        ended: Deferred[None] = Deferred()
        if self._gone:
            ended.callback(None)
            return ended
        self._leaving.append(ended)
        self._finish(ChildFailed(why))
        self._cancel_timer()
        self._ending = True
        if self._killing is None:
            self._signal(signal.SIGTERM)
            self._killing = self._reactor.callLater(
                self._limits.kill_after.total_seconds(), self._signal, signal.SIGKILL
            )
        return ended

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take frames; what it prints goes to the log."""
        if childFD != FROM_CHILD:
            log.debug("Child {pid} printed: {text}", pid=self.pid, text=data[:MAX_LINE_BYTES].decode(errors="replace"))
            return
        self._data += data
        while len(self._data) >= LENGTH.size and not self._ending:
            (length,) = LENGTH.unpack_from(self._data)
            if length > MAX_FRAME_BYTES:
                self.end("it sent too much at once")
                return
            if len(self._data) < LENGTH.size + length:
                return
            message = pickle.loads(bytes(memoryview(self._data)[LENGTH.size : LENGTH.size + length]))  # noqa: S301
            del self._data[: LENGTH.size + length]
            self._take(message)

    def inConnectionLost(self) -> None:
        """It reads no more: it is about to end."""
        self._ending = True

    def processExited(self, reason: Failure) -> None:  # noqa: ARG002 - Twisted's
        """End what it has left behind, which may hold its pipes open."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def processEnded(self, reason: Failure) -> None:
        """It is gone, by itself or because it was to go."""
        self._gone = self._ending = True
        self._cancel_timer()
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        self._finish(ChildFailed(f"the child process ended: {reason.getErrorMessage()}"))
        self._ended(self)
        leaving, self._leaving = self._leaving, []
        for waiting in leaving:
            waiting.callback(None)

    def _take(self, message: object) -> None:
        job = self.job
        if job is None:
            return
        if isinstance(message, Told):
            if job.on_told is not None:
                self._guarded(job.on_told, message.value)
        elif isinstance(message, Delivered):
            Deferred.fromCoroutine(self._accept(job, message.value)).addErrback(self._refused, job)
        elif isinstance(message, Done):
            self._over(message.memory_bytes)
            job.result.callback(message.value)
            self._freed()
        elif isinstance(message, Failed):
            if message.trace is not None:
                log.error("Work in a child process failed unexpectedly:\n{trace}", trace=message.trace)
            self._over(message.memory_bytes)
            job.result.errback(message.error)
            self._freed()

    async def _accept(self, job: _Job, value: Any) -> None:
        if job.on_delivered is not None:
            await job.on_delivered(value)
        if self.job is job and not self._ending:
            self.transport.writeToChild(TO_CHILD, frame(GO_ON))

    def _refused(self, failure: Failure, job: _Job) -> None:
        if self.job is job:
            self.job = None
            self.end("its delivery was refused")
            _fail(job, failure)

    def _guarded(self, listener: Callable[[Any], None], value: Any) -> None:
        try:
            listener(value)
        except Exception:  # the work must go on; the log must know
            log.failure("A listener failed")

    def _over(self, memory_bytes: int) -> None:
        """The work is done: get ready for more, or go."""
        self.job = None
        self._cancel_timer()
        self._done += 1
        if memory_bytes > self._limits.recycle_bytes or self._done >= self._limits.jobs_per_child:
            self.end("it has done its part")
        else:
            self._set_timer(self._limits.idle, self.end, "it was idle")

    def _timed_out(self) -> None:
        job, self.job = self.job, None
        self.end("it took too long")
        if job is not None:
            seconds = job.within.total_seconds()
            _fail(job, ChildFailed(f"it took longer than {seconds:g} seconds", timed_out=True))

    def _finish(self, error: ChildFailed) -> None:
        job, self.job = self.job, None
        if job is not None:
            _fail(job, error)

    def _signal(self, number: int) -> None:
        """Signal its group; it has none yet while Python starts."""
        if self._gone:
            return
        with suppress(ProcessLookupError):
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def _set_timer(self, after: timedelta, call: Callable[..., Any], *arguments: Any) -> None:
        self._cancel_timer()
        self._timer = self._reactor.callLater(after.total_seconds(), call, *arguments)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def _fail(job: _Job, error: Exception | Failure) -> None:
    if not job.over:
        job.result.errback(error)


def _with_python(environment: Mapping[str, str]) -> dict[str, str]:
    """Add what a child needs to find the same modules, and nothing else."""
    python = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
    }
    return {**python, **environment}
