"""The reference's commands about periodic work."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase


class CronCommandTests(TestCase):
    """One data directory."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "c.yaml").write_text(json.dumps({"packeton": {"mirrors": {"m": {"url": "http://127.0.0.1:9"}}}}))

    def run_command(self, *arguments: str, status: int = 0) -> str:
        options = ["-c", str(self.folder / "c.yaml"), "-d", str(self.folder / "var")]
        command = [sys.executable, "-m", "packeton", *arguments, *options]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(status, result.returncode, result.stderr)
        return result.stdout if status == 0 else result.stderr

    def test_timetable(self) -> None:
        """Listed with numbers, done by number, passed over when not due; a name that is none is told."""
        listed = self.run_command("okvpn:debug:cron").splitlines()
        number = next(line.split()[0] for line in listed if line.endswith("old jobs"))
        self.assertIn("49 0 * * *", next(line for line in listed if line.endswith("old jobs")))
        self.assertEqual("", self.run_command("okvpn:debug:cron", "--execute-one", number))
        self.assertIn("entries", self.run_command("okvpn:debug:cron", "--execute-one", "99", status=1))
        self.assertIn("there is no entry nonsense; there are old jobs", self.run_command("okvpn:cron", "--command", "nonsense", status=1))
        passed = self.run_command("okvpn:cron", "--dry-run")
        self.assertLessEqual({line.partition(" (")[0] for line in passed.splitlines()}, {line.split("  ")[-1] for line in listed})
