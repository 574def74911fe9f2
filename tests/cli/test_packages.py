"""`packeton package`, without a server and with git for real."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which
from unittest import TestCase, skipUnless


@skipUnless(which("git"), "git is not installed")
class PackageCommandTests(TestCase):
    """One data directory, one repository."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.repository = self.folder / "repos" / "lib"
        self.repository.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        for version in ("1.0.0", "2.0.0"):
            self.release(version)
        settings = {"archive": True, "vcs": {"local_paths": [str(self.folder / "repos")]}, "mirrors": {"m": {"url": "http://127.0.0.1:9"}}}
        (self.folder / "c.yaml").write_text(json.dumps({"packeton": settings}))

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=self.repository, check=True, capture_output=True)

    def release(self, version: str) -> None:
        (self.repository / "composer.json").write_text(json.dumps({"name": "acme/lib", "description": version}))
        self.git("add", "-A")
        self.git("commit", "-qm", version)
        self.git("tag", f"v{version}")

    def run_command(self, *arguments: str, status: int = 0) -> str:
        options = ["-c", str(self.folder / "c.yaml"), "-d", str(self.folder / "var")]
        command = [sys.executable, "-m", "packeton", *arguments, *options]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(status, result.returncode, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        return result.stdout if status == 0 else result.stderr

    def test_added_and_built(self) -> None:
        """Added with its name read from git, listed, updated, and built; mistakes are one line."""
        url = self.repository.as_uri()
        self.assertIn("must lie below", self.run_command("package", "add", "/etc", status=1))
        added = json.loads(self.run_command("package", "add", url, "--json"))
        self.assertEqual(("acme/lib", "completed"), (added["name"], added["status"]))
        self.assertIn("already exists", self.run_command("package", "add", url, status=1))
        self.assertIn("affectedVersions", self.run_command("advisory", "add", "acme/lib", "--affected", "no version!", "--title", "Leaks", status=1))
        written = json.loads(self.run_command("advisory", "add", "acme/lib", "--affected", "<2.1", "--title", "Leaks", "--severity", "high", "--json"))
        self.assertEqual([written], json.loads(self.run_command("advisory", "list", "--json")))
        self.release("2.1.0")
        self.assertIn("acme/lib was read", self.run_command("package", "update", "acme/lib"))
        [listed] = json.loads(self.run_command("package", "list", "--json"))
        self.assertEqual(("acme/lib", 4, None), (listed["name"], listed["versions"], listed["problem"]))
        self.assertIn("was withdrawn", self.run_command("advisory", "remove", "acme/lib", written["advisoryId"]))
        self.assertIn("1 archives", self.run_command("package", "zip", "acme/lib", "2.1.0"))
        self.assertIn("no version 3.0.0", self.run_command("package", "zip", "acme/lib", "3.0.0", status=1))
        self.assertIn("4 archives are there, 0", self.run_command("packagist:download:versions"))

    def test_cleared_and_removed(self) -> None:
        """Under the reference's names: versions are removed and come back; a package is removed."""
        self.run_command("package", "add", self.repository.as_uri())
        self.assertIn("1 versions; --force", self.run_command("packagist:clear:versions", "--filter", r"lib v1\."))
        self.assertIn("--filter", self.run_command("packagist:clear:versions", "--filter", "(", status=1))
        self.run_command("packagist:clear:versions", "--filter", r"lib v1\.", "--force")
        self.assertEqual(2, json.loads(self.run_command("package", "list", "--json"))[0]["versions"])
        self.assertIn("1 jobs", self.run_command("packagist:update", "acme/lib"))
        self.assertIn("there is no package", self.run_command("package", "remove", "acme/nope", "--yes", status=1))
        self.assertIn("acme/lib was removed", self.run_command("package", "remove", "acme/lib", "--yes"))
        self.assertEqual([], json.loads(self.run_command("package", "list", "--json")))
