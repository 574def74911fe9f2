"""`packeton worker`, beside a server."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

from tests.support.server import Server


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "packeton", *arguments], capture_output=True, text=True, timeout=60, check=False)


class WorkerCommandTests(TestCase):
    """Real processes on one data directory."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.server = Server(Path(holder.name) / "s", {"jobs": {"at_once": 0}}).start()
        self.addCleanup(self.server.stop)
        self.options = ("-c", str(self.server.folder / "packeton.yaml"), "-d", str(self.server.data))

    def test_ends_when_nothing_is_due(self) -> None:
        """`--once`, and the reference's command, end with status 0."""
        for command in (("worker", "--once"), ("packagist:run-workers", "--execute-once")):
            with self.subTest(command):
                result = run(*command, *self.options)
                self.assertEqual((0, ""), (result.returncode, result.stdout), result.stderr)

    def test_ends_by_signal(self) -> None:
        """SIGTERM ends it in order; the server goes on."""
        process = subprocess.Popen([sys.executable, "-m", "packeton", "worker", *self.options], stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        assert process.stderr is not None
        self.assertTrue(any(b"Doing jobs" in line for line in process.stderr))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, errors)
        self.assertNotIn(b"Traceback", errors)
        assert self.server.process is not None
        self.assertIsNone(self.server.process.poll())
