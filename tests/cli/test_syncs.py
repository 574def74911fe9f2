"""`packeton mirror sync`: which mirrors without a name, and how it ends by a signal."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase


class SyncCommandTests(TestCase):
    """Mirrors of an upstream that is not there."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def run_command(self, mirrors: list[str], *arguments: str, stdin: int | None = None) -> str:
        """Return what is said on standard error by a command that fails."""
        command = self.command({name: f"http://127.0.0.1:9/{name}" for name in mirrors}, *arguments)
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL if stdin is None else stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        self.assertEqual(1, done.returncode, done.stderr)
        return done.stderr

    def command(self, mirrors: dict[str, str], *arguments: str) -> list[str]:
        told = {name: {"url": url} for name, url in mirrors.items()}
        (self.folder / "c.yaml").write_text(json.dumps({"packeton": {"mirrors": told}}))
        options = ["-c", str(self.folder / "c.yaml"), "-d", str(self.folder / "var")]
        return [sys.executable, "-m", "packeton", *arguments, *options]

    def test_interrupted(self) -> None:
        """It ends in order while upstream lets it wait, by either signal, and the mirror is free for the next."""
        upstream = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(upstream.close)
        upstream.settimeout(60)
        command = self.command({"slow": f"http://127.0.0.1:{upstream.getsockname()[1]}"}, "mirror", "sync")
        for number in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(process.kill)
            upstream.accept()[0].close()
            connection = upstream.accept()[0]
            process.send_signal(number)
            told = process.communicate(timeout=60)
            connection.close()
            self.assertEqual((130, b""), (process.returncode, told[0]), told[1])
            self.assertNotIn(b"Traceback", told[1])

    def test_asked(self) -> None:
        """The reference's command asks at a terminal which one; without a terminal, and by our own name, all are taken."""
        terminal, stdin = pty.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, stdin)
        os.write(terminal, b"two\n")
        told = self.run_command(["one", "two"], "packagist:sync:mirrors", stdin=stdin)
        self.assertNotIn("9/one/packages.json", told)
        self.assertIn("9/two/packages.json", told)
        told = self.run_command(["one", "two"], "packagist:sync:mirrors")
        self.assertIn("9/one/packages.json", told)
        self.assertIn("9/two/packages.json", told)
