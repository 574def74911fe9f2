"""`packeton credential`, as an operator runs it."""

import json
import tempfile
from pathlib import Path
from unittest import TestCase

from tests.cli.test_cli import run


class CredentialTests(TestCase):
    """From a file to a sealed row."""

    def test_life(self) -> None:
        """Add, list, update, remove; the database's file holds no plain text."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            auth = folder / "auth.json"
            auth.write_text(json.dumps({"http-basic": {"git.example.com": {"username": "u", "password": "geheim-geheim"}}}))
            data = ("--data", str(folder / "data"))
            added = run("credential", "add", "deploy", "--composer-config", str(auth), *data, "--json")
            self.assertEqual(0, added.returncode, added.stderr)
            made = json.loads(added.stdout)
            self.assertEqual(("deploy", True, None), (made["name"], made["shared"], made["ownerId"]))
            stored = b"".join(path.read_bytes() for path in (folder / "data").glob("packeton.db*"))
            self.assertIn(b"deploy", stored)
            self.assertNotIn(b"geheim", stored)
            updated = run("credential", "update", "1", "--private", "--name", "other", *data)
            self.assertEqual((0, "other updated: id 1\n"), (updated.returncode, updated.stdout))
            self.assertRegex(run("credential", "list", *data).stdout, r"1 +other +- +no ")
            refused = run("credential", "add", "x", "--key", str(auth), *data)
            self.assertEqual((1, "packeton: key: is no private key: it must begin with -----BEGIN … PRIVATE KEY-----\n"), (refused.returncode, refused.stderr))
            self.assertEqual(0, run("credential", "remove", "1", *data).returncode)
            self.assertEqual(1, run("credential", "remove", "1", *data).returncode)
