"""Full synchronisation of the recorded metadata, and warming from recorded lock files, by the command line."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase, skipUnless

from tests.support.bundle import BUNDLE, Bundle
from tests.support.client import fetch
from tests.support.server import Server


@skipUnless(BUNDLE.is_dir(), "the recorded metadata is not here")
class BundleMirrorTests(TestCase):
    """One upstream of each kind."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.manifest = json.loads((BUNDLE / "MANIFEST.json").read_text())["list"]

    def upstream(self, root: str) -> Bundle:
        upstream = Bundle(self.folder, root)
        self.addCleanup(upstream.stop)
        return upstream

    def command(self, *arguments: str) -> str:
        options = ["--config", str(self.folder / "packeton.yaml"), "--data", str(self.folder / "var")]
        command = [sys.executable, "-m", "packeton", *arguments, *options]
        done = subprocess.run(command, capture_output=True, timeout=200, check=False)
        self.assertEqual(0, done.returncode, done.stderr.decode())
        return done.stdout.decode()

    def test_full(self) -> None:
        """Everything is fetched once, and served when upstream is gone; the next run asks for the root alone, or conditionally."""
        origins = {root: self.upstream(root) for root in ("v1", "classic", "packagist-2026")}
        mirrors = {root: {"url": origin.url, "public_access": True} for root, origin in origins.items()}
        (self.folder / "packeton.yaml").write_text(json.dumps({"packeton": {"mirrors": mirrors}}))
        output = self.command("mirror", "sync")
        for root in origins:
            self.assertIn(f"{root}: {len(self.manifest)} packages looked at, {len(self.manifest)} changed, 0 could", output)
        for origin in origins.values():
            self.assertEqual(1, max(times for path, times in origin.counts().items() if path.startswith(("/p/", "/p2/"))))
        packages_v1 = sum("$" in path or "%24" in path for path in origins["v1"].counts())
        self.assertEqual(len(self.manifest) + 1, packages_v1)
        for origin in origins.values():
            origin.clear()
        output = self.command("mirror", "sync")
        self.assertEqual(3, output.count(", 0 changed, 0 could"))
        self.assertEqual({"/packages.json"}, set(origins["v1"].counts()))
        for origin in origins.values():
            origin.stop()
        server = Server(self.folder, {"mirrors": mirrors}).start()
        self.addCleanup(server.stop)
        for root in origins:
            for package in self.manifest[::20]:
                answer = fetch(f"{server.url}/mirror/{root}/p2/{package['name']}.json")
                self.assertEqual(200, answer.status, (root, package["name"]))
                versions = answer.json()["packages"][package["name"]]
                expected = json.loads((BUNDLE / "p2" / f"{package['name']}.json").read_text())
                self.assertEqual(len(expected["packages"][package["name"]]), len(versions), (root, package["name"]))

    def test_warm(self) -> None:
        """All that lock files name is there when upstream is gone, for a server that runs meanwhile."""
        origin = self.upstream("packagist-2026")
        mirrors = {"up": {"url": origin.url, "public_access": True, "sync_lazy": True}}
        server = Server(self.folder, {"mirrors": mirrors}).start()
        self.addCleanup(server.stop)
        locks = [BUNDLE / "locks" / name / "composer.lock" for name in ("tiny", "small")]
        output = self.command("mirror", "warm", *map(str, locks))
        self.assertIn("fetched", output)
        self.assertNotIn("not had", output)
        self.assertIn("held already", self.command("mirror", "warm", *map(str, locks)))
        origin.stop()
        packages = [package for lock in locks for package in json.loads(lock.read_text())["packages"]]
        for package in packages:
            name, reference = package["name"], package["dist"]["reference"]
            metadata = fetch(f"{server.url}/mirror/up/p2/{name}.json")
            self.assertEqual(200, metadata.status, name)
            listed = {one["version"]: one["version_normalized"] for one in metadata.json()["packages"][name] if "version" in one}
            url = f"{server.url}/mirror/up/zipball/{name}/{listed[package['version']]}/ref{reference}.zip"
            dist = fetch(url)
            self.assertEqual((200, "hit"), (dist.status, dist.headers["x-cache"]), url)
        self.assertIn(packages[0]["name"], self.command("mirror", "list", "up"))
