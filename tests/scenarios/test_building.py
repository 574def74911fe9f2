"""A whole server in front of an origin that has lost its zips, with the repository still there."""

import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from unittest import SkipTest, TestCase

from tests.support.client import fetch
from tests.support.files import FileOrigin
from tests.support.server import Server
from tests.support.vcs import GitHttp, GitRepository, manifest


class BuildingTests(TestCase):
    """Dists by way of git."""

    def setUp(self) -> None:
        if shutil.which("git") is None:
            raise SkipTest("git is not installed")
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        repository = GitRepository.make(self.folder / "git" / "lib.git")
        self.commit = repository.commit({"composer.json": manifest(), "src/a.php": "<?php\n"})
        self.older = repository.commit({"src/b.php": "<?php\n"}, branch="other")
        self.git = GitHttp(self.folder / "git").start()
        self.addCleanup(self.git.stop)
        self.origin = FileOrigin(self.files)
        self.addCleanup(self.origin.stop)
        mirror = {"url": self.origin.base, "public_access": True, "dist_urls": "rewrite"}
        self.server = Server(self.folder / "server", {"mirrors": {"up": mirror}}).start()
        self.addCleanup(self.server.stop)

    def files(self, base: str) -> dict[str, bytes]:
        version = {
            "name": "acme/lib",
            "version": "1.0.0",
            "version_normalized": "1.0.0.0",
            "dist": {"type": "zip", "url": f"{base}/gone.zip", "reference": self.commit, "shasum": ""},
            "source": {"type": "git", "url": f"{self.git.url}/lib.git", "reference": self.commit},
        }
        return {
            "/packages.json": json.dumps({"packages": [], "metadata-url": "/p2/%package%.json"}).encode(),
            "/p2/acme/lib.json": json.dumps({"packages": {"acme/lib": [version]}}).encode(),
        }

    def test_built(self) -> None:
        """The zip is the commit's content; it is built once, and served on with origin and repository gone."""
        url = f"{self.server.url}/mirror/up/zipball/acme/lib/1.0.0.0/ref{self.commit}.zip"
        answer = fetch(url)
        self.assertEqual(200, answer.status, answer.body + self.server.log[-3000:].encode())
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            names = {name.rstrip("/").partition("/")[2] or name for name in archive.namelist()}
            self.assertIn("src/a.php", {name.rpartition("lib/")[2] for name in archive.namelist()} | names)
        asked = len(self.git.requests)
        self.assertEqual(answer.body, fetch(url).body)
        self.assertEqual(asked, len(self.git.requests))
        self.assertEqual(1, self.origin.asked["/gone.zip"])
        older = fetch(url.replace(self.commit, self.older))
        self.assertEqual((200, b"PK"), (older.status, older.body[:2]), older.body)
        missing = fetch(url.replace(self.commit, "f" * 40))
        self.assertEqual(404, missing.status)
        self.assertIn(b"building it out of its source failed", missing.body)
        self.assertEqual([], list((self.server.data / "building").iterdir()))
