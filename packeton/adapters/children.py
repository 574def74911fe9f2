"""
The inside of a child process: it takes one piece of work at a time, and ends with its parent.

Frames are pickles behind four bytes of length. The parent writes to descriptor 0, the child to descriptor 3, so that
what a library prints does no harm. Parent and child are one program under one user: pickles cross no border of trust.

    parent → child   (function, arguments)       one piece of work
                     "go on"                     the parent has dealt with a delivery
    child → parent   Told(value)                 fire and forget
                     Delivered(value)            the child waits for "go on"
                     Done(value, memory)         the work's result
                     Failed(error, memory)       its exception: a PacketonError as it is, else as text
"""

import contextlib
import os
import pickle
import queue
import resource
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from attrs import frozen

from packeton.errors import ChildFailed, PacketonError

__all__ = ["GO_ON", "LENGTH", "Delivered", "Done", "Failed", "Outlet", "Told", "frame"]

LENGTH = struct.Struct(">I")
GO_ON = "go on"
FROM_CHILD = 3


@frozen
class Told:
    """Something the parent may like to know."""

    value: Any


@frozen
class Delivered:
    """Something the parent must deal with before the child goes on."""

    value: Any


@frozen
class Done:
    """The result."""

    value: Any
    memory_bytes: int


@frozen
class Failed:
    """The failure; `trace` is for the log where the error is none of ours."""

    error: PacketonError
    trace: str | None
    memory_bytes: int


def frame(message: Any) -> bytes:
    """Return a message as it goes through the pipe."""
    body = pickle.dumps(message, protocol=5)
    return LENGTH.pack(len(body)) + body


class Outlet:
    """What a piece of work gets as its first argument: its way to tell things while it runs."""

    def __init__(self, send: Callable[[Any], None], wait: Callable[[], Any]) -> None:
        self._send = send
        self._wait = wait

    def tell(self, value: Any) -> None:
        """Tell the parent; does not wait for it to act."""
        self._send(Told(value))

    def deliver(self, value: Any) -> None:
        """Hand *value* over and wait until the parent has dealt with it."""
        self._send(Delivered(value))
        self._wait()


class _Child:
    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._outlet = Outlet(self._send, self._next)

    def run(self) -> None:
        """Work until the parent ends or ends us."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            self._send(self._outcome())

    def _listen(self) -> None:
        """Read frames; without a parent there is nothing left to work for, nor for our own children."""
        with contextlib.suppress(OSError, struct.error):
            while head := self._source.read(LENGTH.size):
                self._inbox.put(self._source.read(LENGTH.unpack(head)[0]))
        os.killpg(0, signal.SIGKILL)

    def _next(self) -> Any:
        return pickle.loads(self._inbox.get())  # noqa: S301 - our parent's

    def _outcome(self) -> Done | Failed:
        body = self._inbox.get()
        try:
            function, arguments = pickle.loads(body)  # noqa: S301 - our parent's
            return Done(function(self._outlet, *arguments), _memory_bytes())
        except PacketonError as error:
            return Failed(error.with_traceback(None), None, _memory_bytes())
        except MemoryError:
            return Failed(ChildFailed("it took more memory than is allowed"), None, _memory_bytes())
        except Exception as error:  # the parent must know; what it is told goes to the log, not to a client
            why = getattr(error, "strerror", None) or type(error).__name__  # a full disk, say; no paths
            wrapped = ChildFailed(f"it failed unexpectedly ({why})")
            return Failed(wrapped, traceback.format_exc()[-8000:], _memory_bytes())

    def _send(self, message: Any) -> None:
        self._sink.write(frame(message))
        self._sink.flush()


def _memory_bytes() -> int:
    """
    Return the most memory this process ever held.

    Not `ru_maxrss`: Linux counts in it what the parent held when it forked, so that a large server would throw each
    child away after one piece of work.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(niceness: int, max_memory_bytes: int) -> None:
    """Become a child: a process group of its own, nice, without core files, bounded in memory."""
    os.setsid()
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (max_memory_bytes, max_memory_bytes))
    os.umask(0o077)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(FROM_CHILD), "wb")  # a dup is not inherited
    os.close(FROM_CHILD)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the parent decides
    signal.signal(signal.SIGTERM, _leave)
    _Child(source, sink).run()


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)  # so that `finally` removes what must not stay


if __name__ == "__main__":
    from packeton.adapters import children  # noqa: PLW0406 - pickles name this module, not `__main__`

    children.main(int(sys.argv[1]), int(sys.argv[2]))
