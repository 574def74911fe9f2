"""`packeton keys rotate`, as a user runs it."""

import json
import os
import sqlite3
import tempfile
from pathlib import Path
from unittest import TestCase

from packeton.core.access.sealing import Sealer, context_of
from tests.cli.test_cli import run

PLACE = context_of("credentials", "ssh_key", 1)


class RotateTests(TestCase):
    """A new APP_SECRET."""

    def test_rotate(self) -> None:
        """Sealed anew with the former secret at hand; without it told as lost, status 1, and left as it is."""
        with tempfile.TemporaryDirectory() as data:
            self.assertEqual(0, run("database", "upgrade", "--data", data).returncode)
            connection = sqlite3.connect(Path(data) / "packeton.db")
            self.addCleanup(connection.close)
            sealed = Sealer(["former"], os.urandom).seal("key", PLACE)
            with connection:
                connection.execute("INSERT INTO credentials (id, name, shared, ssh_key, created_at) VALUES (1, 'n', 0, ?, 1)", (sealed,))
            lost = run("keys", "rotate", "--data", data, APP_SECRET="new")
            self.assertEqual((1, True), (lost.returncode, f"lost: {PLACE}" in lost.stdout), lost.stderr)
            done = run("keys", "rotate", "--json", "--data", data, APP_SECRET="new", APP_SECRET_PREVIOUS="older,former")
            self.assertEqual((0, {"current": 0, "sealed_anew": 1, "lost": []}), (done.returncode, json.loads(done.stdout)), done.stderr)
            stored = connection.execute("SELECT ssh_key FROM credentials").fetchone()[0]
            self.assertEqual("key", Sealer(["new"], os.urandom).open(stored, PLACE))
