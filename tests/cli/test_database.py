"""`packeton database`, as a user runs it."""

import gzip
import sqlite3
import stat
import tempfile
from pathlib import Path
from unittest import TestCase

from packeton.adapters.database.migrations import newest
from tests.cli.test_cli import run
from tests.support.databases import mysql_url, postgresql_url


class DatabaseTests(TestCase):
    """upgrade, check, dump, restore."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.data = self.folder / "var"

    def packeton(self, *arguments: str, status: int = 0, **environment: str) -> str:
        done = run("database", *arguments, "--data", str(self.data), **environment)
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout + done.stderr

    def test_story(self) -> None:
        """Made, checked, dumped from SQLite, restored on PostgreSQL and from there on MariaDB, equal each time."""
        self.assertIn("to be upgraded", self.packeton("check", status=1))
        self.assertIn(str(newest()), self.packeton("upgrade"))
        self.packeton("check")
        with sqlite3.connect(self.data / "packeton.db") as connection:
            connection.execute("INSERT INTO publications VALUES ('k', 'f', 1)")
        connection.close()
        first, second = self.folder / "first.jsonl.gz", self.folder / "second.jsonl"
        self.packeton("dump", str(first))
        self.assertEqual(0o600, stat.S_IMODE(first.stat().st_mode))
        self.assertIn("not empty", self.packeton("restore", str(first), status=1))
        self.packeton("restore", str(first), "--force")
        for url in (postgresql_url("story"), mysql_url("story")):
            self.packeton("restore", str(first), DATABASE_URL=url)
            self.packeton("check", DATABASE_URL=url)
            self.packeton("dump", str(second), DATABASE_URL=url)
            self.assertEqual(gzip.decompress(first.read_bytes()), second.read_bytes())

    def test_wrong(self) -> None:
        """One line: a server that is not there, one of another program, a file that is no dump; no password in it."""
        url = "postgresql://u:tellnobody@127.0.0.1:1/n"
        shown = self.packeton("check", status=1, DATABASE_URL=url)
        self.assertIn("the database failed", shown)
        self.assertNotIn("tellnobody", shown)
        self.packeton("upgrade")
        with sqlite3.connect(self.data / "packeton.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        self.assertIn("newer Packeton", self.packeton("upgrade", status=1))
        junk = self.folder / "junk"
        junk.write_bytes(b"\x1f\x8bjunk")
        self.packeton("restore", str(junk), status=1)
