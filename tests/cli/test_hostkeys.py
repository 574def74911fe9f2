"""`packeton hostkey`, as a user runs it."""

import json
import tempfile
from pathlib import Path
from unittest import TestCase

from tests.cli.test_cli import run

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


class HostKeyTests(TestCase):
    """Two servers that were seen."""

    def test_story(self) -> None:
        """Listed, one forgotten, the other kept; what is not there is said."""
        with tempfile.TemporaryDirectory() as data:
            empty = run("hostkey", "list", "--json", "--data", data)
            self.assertEqual((0, []), (empty.returncode, json.loads(empty.stdout)), empty.stderr)
            hosts = ("git.example", "[git.example]:2222")
            known = Path(data) / "vcs" / "known_hosts"
            known.parent.mkdir(exist_ok=True)
            known.write_text("".join(f"{host} ssh-ed25519 {KEY}\n" for host in hosts))
            listed = json.loads(run("hostkey", "list", "--json", "--data", data).stdout)
            told = {"type": "ssh-ed25519", "fingerprint": FINGERPRINT}
            self.assertEqual([{"host": host, **told} for host in hosts], listed)
            self.assertEqual(0, run("hostkey", "forget", "git.example", "--data", data).returncode)
            left = run("hostkey", "list", "--data", data).stdout
            self.assertEqual([["host", "type", "fingerprint"], [hosts[1], "ssh-ed25519", FINGERPRINT]], [line.split() for line in left.splitlines()])
            again = run("hostkey", "forget", "git.example", "--data", data)
            self.assertEqual((1, True), (again.returncode, "no key of git.example is pinned" in again.stderr))
