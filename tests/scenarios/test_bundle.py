"""Recorded metadata of real packages, behind a root of every shape: what Composer resolves, and what we change."""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from pathlib import Path
from typing import Any
from unittest import SkipTest, TestCase

from packeton.core.composer.metadata import versions_of
from tests.support.bundle import BUNDLE, Bundle
from tests.support.client import fetch
from tests.support.composer import Composer, composer_missing
from tests.support.files import FileOrigin
from tests.support.server import Server

ROOTS = ("packagist-2026", "classic", "bare", "avail", "patterns", "mirrors", "v1", "lazy")
MODES = ("mirrors", "rewrite")
SEEN = ("monolog/monolog", "psr/log", "league/mime-type-detection", "fruitcake/php-cors")
FIRST = "Composer/1.10.28 (Linux; 6.18.44-fc-v657; PHP 8.2.36)"


class RootTests(TestCase):
    """One server before all of them."""

    @classmethod
    def setUpClass(cls) -> None:
        if not BUNDLE.is_dir():
            raise SkipTest("the recorded metadata is not at hand")
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.origins = {root: Bundle(cls.folder, root) for root in ROOTS}
        for origin in cls.origins.values():
            cls.addClassCleanup(origin.stop)
        cls.included = FileOrigin(included)
        cls.addClassCleanup(cls.included.stop)
        urls = {root: origin.url for root, origin in cls.origins.items()} | {"inline": cls.included.base}
        mirrors = {
            f"{root}-{mode}": {"url": url, "public_access": True, "dist_urls": mode, "sync_interval": 3600}
            for root, url in urls.items()
            for mode in MODES
        }
        cls.server = Server(cls.folder / "server", {"mirrors": mirrors}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.aliases = [alias for alias in mirrors if not alias.startswith("inline")]

    def get(self, path: str, agent: str = "") -> Any:
        answer = fetch(f"{self.server.url}/mirror/{path}", headers={"User-Agent": agent} if agent else {})
        self.assertEqual(200, answer.status, path)
        return answer.json()

    def versions(self, document: Any, name: str) -> dict[str, Any]:
        found = {}
        for version in versions_of(document, name):
            for key in ("url", "mirrors"):
                (version.get("dist") or {}).pop(key, None)
            found[version["version"]] = version
        return found

    def test_expected_locks(self) -> None:
        """The versions and references are those that Composer resolved from the recorded data itself."""
        if (reason := composer_missing()) is not None:
            raise SkipTest(reason)
        wanted = json.loads((BUNDLE / "locks" / "small" / "composer.json").read_text())["require"]
        lock = json.loads((BUNDLE / "locks" / "small" / "composer.lock").read_text())
        expected = {(one["name"], one["version"], one["dist"]["reference"]) for one in lock["packages"]}

        def resolve(alias: str) -> tuple[str, set[tuple[str, str, str]]]:
            composer = Composer(self.folder / alias)
            composer.require(f"{self.server.url}/mirror/{alias}", wanted)
            run = composer.run("update", "--no-install")
            self.assertEqual(0, run.status, f"{alias}: {run.output}")
            ours = json.loads((composer.project / "composer.lock").read_text())
            return alias, {(one["name"], one["version"], one["dist"]["reference"]) for one in ours["packages"]}

        with ThreadPoolExecutor(2) as pool:
            for alias, found in pool.map(resolve, self.aliases):
                self.assertEqual(expected, found, alias)

    def test_equal_version_by_version(self) -> None:
        """Each version is the recorded one but for where its dist lies, for both generations, from every root."""
        for name in SEEN:
            stable, branches = (recorded(f"p2/{name}{suffix}.json") for suffix in ("", "~dev"))
            old = recorded_old(name)
            for alias in self.aliases:
                if alias.startswith("patterns") and not name.startswith(("psr/", "monolog/")):
                    continue
                for suffix, theirs in (("", stable), ("~dev", branches)):
                    ours = self.get(f"{alias}/p2/{name}{suffix}.json")
                    made = alias.startswith(("v1", "lazy"))
                    expected, found = self.versions(theirs, name), self.versions(ours, name)
                    self.assertEqual(set(expected), set(found), alias)
                    for number, version in found.items():
                        whole = expected[number]
                        if made:  # the recorded documents for Composer 1 lack these
                            whole = {key: value for key, value in whole.items() if key in version}
                            self.assertLessEqual(set(expected[number]) - set(version), LACKED, alias)
                        self.assertEqual(whole, version, (alias, name, number))
                first = self.versions(self.get(f"{alias}/pkg/{name}.json", FIRST), name)
                self.assertEqual(set(old), set(first), alias)
                for number, version in first.items():
                    for key in ("name", "version", "version_normalized", "require", "time"):
                        self.assertEqual(old[number].get(key), version.get(key), (alias, name, number))

    def test_satis(self) -> None:
        """Packages out of an included file: for Composer 1 as one file, for Composer 2 one by one."""
        theirs = json.loads(next((BUNDLE / "include").iterdir()).read_bytes())["packages"]
        for mode in MODES:
            root = self.get(f"inline-{mode}/packages.json", FIRST)
            ((path, told),) = root["includes"].items()
            answer = fetch(f"{self.server.url}/mirror/inline-{mode}/{path}")
            self.assertEqual(told["sha1"], sha1(answer.body).hexdigest())
            self.assertEqual(set(theirs), set(answer.json()["packages"]))
            self.assertEqual(sorted(theirs), self.get(f"inline-{mode}/packages.json")["available-packages"])
            for name in list(theirs)[:20]:
                found = self.versions(self.get(f"inline-{mode}/p2/{name}.json"), name)
                found |= self.versions(self.get(f"inline-{mode}/p2/{name}~dev.json"), name)
                self.assertEqual(set(theirs[name]), set(found))


LACKED = {"support", "funding", "default-branch", "php-ext"}


def recorded(path: str) -> Any:
    return json.loads((BUNDLE / path).read_bytes())


def recorded_old(name: str) -> dict[str, Any]:
    import gzip

    vendor, _, package = name.partition("/")
    (path,) = (BUNDLE / "p" / vendor).glob(f"{package}$*.json.gz")
    versions = json.loads(gzip.decompress(path.read_bytes()))["packages"][name]
    return dict(versions)


def included(_base: str) -> dict[str, bytes]:
    path = next((BUNDLE / "include").iterdir())
    root = (BUNDLE / "roots" / "inline.json").read_bytes()
    return {"/packages.json": root, f"/include/{path.name}": path.read_bytes()}
