"""The pool, with real child processes: results, errors, crashes, time-outs, turns and stops."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from packeton.adapters.children import Outlet
from packeton.adapters.processes import PoolLimits, ProcessPool
from packeton.config.settings import Secret
from packeton.errors import ChildFailed, NotFound, VcsFailed, VcsReason

LONG = timedelta(seconds=20)


def add(outlet: Outlet, one: Any, two: Any) -> Any:
    return one + two


def fail(outlet: Outlet, error: Exception) -> None:
    raise error


def die(outlet: Outlet) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def who(outlet: Outlet) -> tuple[int, dict[str, str], int]:
    return os.getpid(), dict(os.environ), os.nice(0)


def hold(outlet: Outlet, marker: str) -> None:
    """Tell the ids of this process and of a grandchild, then sleep; leave *marker* when asked to end."""
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        outlet.tell((os.getpid(), grandchild.pid))
        time.sleep(60)
    finally:
        Path(marker).write_text("tidied up")


def deaf(outlet: Outlet) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    outlet.tell(os.getpid())
    time.sleep(60)


def numbers(outlet: Outlet, count: int) -> int:
    for number in range(count):
        outlet.tell(f"telling {number}")
        outlet.deliver(number)
    return count


def swell(outlet: Outlet) -> int:
    return len(bytearray(400 * 2**20))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


class PoolTestCase(TestCase):
    timeout = 60

    def pool(self, *, start: bool = True, environment: dict[str, str] | None = None, **limits: Any) -> ProcessPool:
        pool = ProcessPool(reactor, environment or {}, PoolLimits(**limits))
        if start:
            pool.startService()
        self.addCleanup(pool.stopService)
        return pool

    def begin(self, pool: ProcessPool, function: Any, *args: Any, **options: Any) -> "tuple[Deferred[Any], list[Any]]":
        told: list[Any] = []
        options.setdefault("within", LONG)
        return Deferred.fromCoroutine(pool.run(function, *args, on_told=told.append, **options)), told

    async def until(self, condition: Any) -> None:
        for _ in range(1000):
            if condition():
                return
            await deferLater(reactor, 0.01)
        self.fail("it did not happen")


class WorkTests(PoolTestCase):
    """What goes in comes out."""

    async def test_results(self) -> None:
        """Values go both ways; a warm child is used again."""
        pool = self.pool()
        self.assertEqual("ab", await pool.run(add, "a", "b", within=LONG))
        first = await pool.run(who, within=LONG)
        self.assertEqual(first[0], (await pool.run(who, within=LONG))[0])
        big = b"x" * (5 * 2**20)
        self.assertEqual(big + big, await pool.run(add, big, big, within=LONG))
        self.assertEqual(0, len(pool))

    async def test_environment(self) -> None:
        """A child sees what it was given and nothing of ours; it is nice, and a secret stays one."""
        os.environ["PACKETON_TEST_SECRET"] = "s3cret"
        self.addCleanup(os.environ.pop, "PACKETON_TEST_SECRET")
        pool = self.pool(environment={"GIVEN": "yes"}, niceness=7)
        _, environment, niceness = await pool.run(who, within=LONG)
        self.assertEqual("yes", environment["GIVEN"])
        self.assertNotIn("PACKETON_TEST_SECRET", environment)
        self.assertNotIn("HOME", environment)
        self.assertGreaterEqual(niceness, 7)
        self.assertEqual("tail", (await pool.run(add, Secret("tail"), Secret(""), within=LONG)))

    async def test_errors(self) -> None:
        """Our kinds come back as they are, with what they carry; others as ChildFailed, and in the log."""
        pool = self.pool()
        told = await self.assertFailure(self.begin(pool, fail, NotFound("no such thing"))[0], NotFound)
        self.assertEqual("no such thing", str(told))
        gone = await self.assertFailure(self.begin(pool, fail, VcsFailed("gone", reason=VcsReason.GONE))[0], VcsFailed)
        self.assertIs(VcsReason.GONE, gone.reason)
        other = await self.assertFailure(self.begin(pool, fail, ZeroDivisionError("secret"))[0], ChildFailed)
        self.assertEqual("it failed unexpectedly (ZeroDivisionError)", str(other))
        full = await self.assertFailure(self.begin(pool, fail, OSError(28, "No space left on device", "/secret"))[0], ChildFailed)
        self.assertEqual("it failed unexpectedly (No space left on device)", str(full))
        self.assertEqual(3, await pool.run(add, 1, 2, within=LONG))

    async def test_not_to_be_sent(self) -> None:
        """Work that cannot be sent fails by itself."""
        pool = self.pool()
        with contextlib.suppress(Exception):
            await pool.run(lambda _: None, within=LONG)
            self.fail("sent a lambda")
        self.assertEqual(3, await pool.run(add, 1, 2, within=LONG))

    async def test_deliveries(self) -> None:
        """The child waits until the parent has dealt with each delivery; told things come in order."""
        events: list[Any] = []

        async def take(value: Any) -> None:
            await deferLater(reactor, 0.01)
            events.append(value)

        count = await self.pool().run(numbers, 5, within=LONG, on_told=events.append, on_delivered=take)
        expected = [event for number in range(5) for event in (f"telling {number}", number)]
        self.assertEqual((5, expected), (count, events))

    async def test_delivery_refused(self) -> None:
        """A failure while taking a delivery is the result, and ends the child."""

        async def take(value: Any) -> None:
            raise NotFound("the package went away")

        pool = self.pool()
        await self.assertFailure(self.begin(pool, numbers, 5, on_delivered=take)[0], NotFound)
        self.assertEqual(3, await pool.run(add, 1, 2, within=LONG))


class EndTests(PoolTestCase):
    """Whatever happens, the place is free again and nothing is left running."""

    async def test_crash(self) -> None:
        """A child that dies fails its own work only."""
        pool = self.pool(processes=1)
        dying, following = self.begin(pool, die)[0], self.begin(pool, add, 1, 2)[0]
        self.assertIn("signal 9", str(await self.assertFailure(dying, ChildFailed)))
        self.assertEqual(3, await following)

    async def test_timeout(self) -> None:
        """Time-out: the child and what it started are ended, and it could tidy up."""
        pool, folder = self.pool(processes=1), tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        marker = str(Path(folder) / "marker")
        slow, told = self.begin(pool, hold, marker, within=timedelta(seconds=2))
        following = self.begin(pool, add, 1, 2)[0]
        error = await self.assertFailure(slow, ChildFailed)
        self.assertEqual((True, "it took longer than 2 seconds"), (error.timed_out, str(error)))
        self.assertEqual(3, await following)
        await self.until(lambda: not any(map(is_alive, told[0])))
        self.assertEqual("tidied up", Path(marker).read_text())

    async def test_deaf(self) -> None:
        """A child that ignores SIGTERM is killed."""
        pool = self.pool(kill_after=timedelta(seconds=0.2))
        running, told = self.begin(pool, deaf)
        await self.until(lambda: told)
        running.cancel()
        await self.assertFailure(running, CancelledError)
        await self.until(lambda: not is_alive(told[0]))
        self.assertEqual(3, await pool.run(add, 1, 2, within=LONG))

    async def test_cancel_waiting(self) -> None:
        """Work that waits can be cancelled; what runs goes on."""
        pool = self.pool(processes=1, start=False)
        first, second = self.begin(pool, add, 1, 1)[0], self.begin(pool, add, 2, 2)[0]
        first.cancel()
        await self.assertFailure(first, CancelledError)
        self.assertEqual(1, len(pool))
        pool.startService()
        self.assertEqual(4, await second)

    async def test_stop(self) -> None:
        """A stop ends running and waiting work, and fires when no process is left."""
        pool = self.pool(processes=1)
        running, told = self.begin(pool, hold, os.devnull)
        waiting = self.begin(pool, add, 1, 2)[0]
        await self.until(lambda: told)
        stopped = pool.stopService()
        for work in (running, waiting):
            self.assertEqual("we are stopping", str(await self.assertFailure(work, ChildFailed)))
        await stopped
        self.assertEqual([], [pid for pid in told[0] if is_alive(pid)])

    async def test_parent_dies(self) -> None:
        """Children of a parent that was killed end by themselves, in the middle of work."""
        script = (
            "import sys; from datetime import timedelta; from twisted.internet import reactor, defer\n"
            "from packeton.adapters.processes import ProcessPool; from tests.adapters.test_processes import hold\n"
            "pool = ProcessPool(reactor, {}); pool.startService()\n"
            "tell = lambda value: print(*value, flush=True)\n"
            "work = pool.run(hold, '/dev/null', within=timedelta(60), on_told=tell)\n"
            "defer.Deferred.fromCoroutine(work); reactor.run()\n"
        )
        root = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": root}
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment, cwd=root) as parent:
            assert parent.stdout is not None
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            parent.kill()
        self.assertEqual(2, len(pids))
        await self.until(lambda: not any(map(is_alive, pids)))


class TurnTests(PoolTestCase):
    """How many, in which order, and for how long."""

    async def test_two_at_once(self) -> None:
        """No more children than allowed; two really work at once."""
        pool = self.pool(processes=2)
        began = time.monotonic()
        one, two, three = (self.begin(pool, who)[0] for _ in range(3))
        self.assertEqual((3, 2), (len(pool), len(pool.pids)))
        found = await gatherResults([one, two, three])
        self.assertEqual(2, len({pid for pid, *_ in found}))
        self.assertLess(time.monotonic() - began, 20)

    async def test_urgent_first(self) -> None:
        """Urgent work overtakes what waits."""
        order: list[str] = []
        pool = self.pool(processes=1, start=False)
        for name, urgent in (("scheduled", False), ("second", False), ("hook", True)):
            work = Deferred.fromCoroutine(pool.run(add, name, "", within=LONG, urgent=urgent))
            work.addCallback(order.append)
        pool.startService()
        await self.until(lambda: len(order) == 3)
        self.assertEqual(["hook", "scheduled", "second"], order)

    async def test_recycling(self) -> None:
        """A child that has done its part, has grown or was idle for long is replaced."""
        pool = self.pool(processes=1, jobs_per_child=2)
        pids = [(await pool.run(who, within=LONG))[0] for _ in range(3)]
        self.assertEqual((pids[0], 2), (pids[1], len(set(pids))))
        ours = b"x" * (300 * 2**20)  # what the parent holds when it starts a child is not the child's
        growing = self.pool(processes=1, recycle_bytes=200 * 2**20)
        before = (await growing.run(who, within=LONG))[0]
        self.assertEqual((before, 300 * 2**20), ((await growing.run(who, within=LONG))[0], len(ours)))
        await growing.run(swell, within=LONG)
        self.assertNotEqual(before, (await growing.run(who, within=LONG))[0])
        idle = self.pool(processes=1, idle=timedelta(seconds=0.1))
        await idle.run(who, within=LONG)
        await self.until(lambda: not idle.pids)

    async def test_memory(self) -> None:
        """Work that takes too much memory fails; the next one does not."""
        pool = self.pool(max_memory_bytes=300 * 2**20)
        error = await self.assertFailure(self.begin(pool, swell)[0], ChildFailed)
        self.assertEqual("it took more memory than is allowed", str(error))
        self.assertEqual(3, await pool.run(add, 1, 2, within=LONG))
