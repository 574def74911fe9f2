"""Which mirrors are synchronised by a command that names none."""

import json
import os
import pty
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
        told = {name: {"url": f"http://127.0.0.1:9/{name}"} for name in mirrors}
        (self.folder / "c.yaml").write_text(json.dumps({"packeton": {"mirrors": told}}))
        options = ["-c", str(self.folder / "c.yaml"), "-d", str(self.folder / "var")]
        command = [sys.executable, "-m", "packeton", *arguments, *options]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL if stdin is None else stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        self.assertEqual(1, done.returncode, done.stderr)
        return done.stderr

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
