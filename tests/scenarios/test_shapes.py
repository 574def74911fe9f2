"""Composer, real and recorded, in front of mirrors of repositories of every shape."""

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest, TestCase
from urllib.parse import quote

from tests.support.client import Answer, fetch
from tests.support.composer import Composer, composer_missing
from tests.support.files import FileOrigin
from tests.support.server import Server
from tests.support.shapes import PACKAGES, SHAPES, make_shape

REQUIRE = {"acme/front": "^1.0", "acme/null": "*"}
BRANCHES = {"acme/front": "dev-master", "acme/lib": "v2.0.0"}
MODES = ("mirrors", "rewrite")
OLD_ONLY = {f"{shape}-old": shape for shape in ("v2", "v1", "lazy", "satis", "inline")}
WHOLE = (("v1", "mirrors"), ("v1", "rewrite"), ("classic", "mirrors"))
"""Shape and mode of dists of mirrors that keep whole lists."""
AGENTS = {
    "1.10.28": "Composer/1.10.28 (Linux; 6.18.44-fc-v657; PHP 8.2.36)",
    "2.2.29": "Composer/2.2.29 (Linux; 6.18.44-fc-v657; PHP 8.2.36; cURL 7.88.1)",
    "2.5.5": "Composer/2.5.5 (Linux; 6.18.44-fc-v657; PHP 8.2.36; cURL 7.88.1)",
    "2.10.2": "Composer/2.10.2 (Linux; 6.18.44-fc-v657; PHP 8.2.36; cURL 7.88.1; cmd:update)",
}
"""What the real clients sent when they were recorded."""


class ShapeTestCase(TestCase):
    """An origin a shape, and one server with a mirror for each shape and mode of dists."""

    extra: ClassVar[dict[str, dict[str, object]]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        cls.origins = {shape: FileOrigin(lambda base, shape=shape: make_shape(shape, base)) for shape in SHAPES}
        for origin in cls.origins.values():
            cls.addClassCleanup(origin.stop)
        mirrors: dict[str, object] = {}
        for shape, origin in cls.origins.items():
            for mode in MODES:
                told = {"url": f"{origin.base}/repo", "public_access": True, "dist_urls": mode}
                mirrors[f"{shape}-{mode}"] = told
        for alias, shape in OLD_ONLY.items():
            told = {"url": f"{cls.origins[shape].base}/repo", "public_access": True, "dist_urls": "rewrite"}
            mirrors[alias] = {**told, "disable_v2": True}
        for shape, mode in WHOLE:
            told = {"url": f"{cls.origins[shape].base}/repo", "public_access": True, "dist_urls": mode}
            mirrors[f"{shape}-full-{mode}"] = {**told, "disable_v2": True, "sync_lazy": False}
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.server = Server(cls.folder / "server", {"mirrors": mirrors}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.aliases = list(mirrors)


class ComposerTests(ShapeTestCase):
    """The real Composer gets the same from each of them as from an origin."""

    @classmethod
    def setUpClass(cls) -> None:
        reason = composer_missing()
        if reason is not None:
            raise SkipTest(reason)
        super().setUpClass()

    def updated(self, name: str, url: str, require: dict[str, str]) -> Composer:
        composer = Composer(self.folder / name)
        composer.require(url, require)
        run = composer.run("update")
        self.assertEqual(0, run.status, f"{name}: {run.output}{self.server.log[-2000:]}")
        return composer

    def test_same_everywhere(self) -> None:
        """Lock and files are those of a direct run, tags, branches and dists without a reference alike."""
        for number, require in enumerate((REQUIRE, BRANCHES)):
            direct = self.updated(f"direct{number}", f"{self.origins['v2'].base}/repo", require)
            lock, tree = direct.lock(), direct.tree()

            def run(alias: str, number: int = number, require: dict[str, str] = require) -> tuple[str, Composer]:
                url = f"{self.server.url}/mirror/{alias}"
                return alias, self.updated(f"{alias}{number}", url, require)

            with ThreadPoolExecutor(2) as pool:
                for alias, composer in pool.map(run, self.aliases):
                    self.assertEqual(lock, composer.lock(), alias)
                    self.assertEqual(tree, composer.tree(), alias)
                    text = (composer.project / "composer.lock").read_text()
                    self.assertIn(f"{self.server.url}/mirror/{alias}/zipball/", text.replace("\\/", "/"), alias)


    def test_hashes_checked(self) -> None:
        """Composer asks for lists and documents by our hashes, and takes them for right."""
        for shape, mode in WHOLE:
            alias = f"{shape}-full-{mode}"
            for name in PACKAGES:  # what is changed by us is listed once it was fetched
                fetch(f"{self.server.url}/mirror/{alias}/pkg/{name}.json")
            self.assertEqual(set(PACKAGES), self.listed(alias))
            self.updated(f"hashed-{alias}", f"{self.server.url}/mirror/{alias}", REQUIRE)
            self.assertRegex(self.server.log, rf"/mirror/{alias}/p/outer(\$|%24)[0-9a-f]{{64}}\.json\" 200")
            self.assertRegex(self.server.log, rf"/mirror/{alias}/pkg/acme/lib(\$|%24)[0-9a-f]{{64}}\.json\" 200")

    def listed(self, alias: str) -> set[str]:
        """Return what the lists of a mirror hold."""
        base = f"{self.server.url}/mirror/{alias}"
        root, found = fetch(f"{base}/packages.json").json(), set()
        for path, told in root["provider-includes"].items():
            answer = fetch(f"{base}/{quote(path.replace('%hash%', told['sha256']))}")
            found |= set(answer.json()["providers"]) if answer.status == 200 else set()
        return found


class RecordedTests(ShapeTestCase):
    """What each generation asks for, with its own header fields, as it was recorded."""

    def get(self, url: str, agent: str) -> Answer:
        fields = {"User-Agent": AGENTS[agent], "Accept-Encoding": "identity"}
        if agent == "1.10.28":
            return fetch(url, headers={**fields, "Connection": "close"})
        return fetch(url, headers={**fields, "Accept": "*/*", "Connection": "keep-alive"})

    def test_second_generation(self) -> None:
        """Root, p2 and ~dev, again with the date that came, and the dist of the version with a shared commit."""
        for agent in ("2.2.29", "2.5.5", "2.10.2"):
            for shape in SHAPES:
                for mode in MODES:
                    self.one_update(f"{self.server.url}/mirror/{shape}-{mode}", agent)

    def one_update(self, base: str, agent: str) -> None:
        root = self.get(f"{base}/packages.json", agent)
        self.assertEqual(200, root.status)
        metadata = str(root.json()["metadata-url"])
        for name in ("acme/front", "acme/front~dev", "acme/null"):
            url = metadata.replace("%package%", name)
            answer = self.get(url, agent)
            self.assertEqual(200, answer.status, url)
            date = answer.headers["last-modified"]
            again = fetch(url, headers={"User-Agent": AGENTS[agent], "If-Modified-Since": date})
            self.assertEqual((304, b""), (again.status, again.body), url)
        self.assertEqual(404, self.get(metadata.replace("%package%", "acme/absent"), agent).status)
        dist = self.get(f"{base}/zipball/acme/lib/2.0.0.0/ref{'d' * 40}.zip", agent)
        self.assertEqual((200, b"PK"), (dist.status, dist.body[:2]))

    def test_first_generation(self) -> None:
        """Root, then lists, documents or files as the root says, each held against its hash, then dists."""
        for alias in self.aliases:
            base = f"{self.server.url}/mirror/{alias}"
            root = self.get(f"{base}/packages.json", "1.10.28").json()
            found = dict(self.packages(base, root))
            self.assertLessEqual({"acme/front", "acme/lib", "acme/null"}, set(found), alias)
            for name in ("acme/front", "acme/null"):
                versions = list(found[name].values()) if isinstance(found[name], dict) else found[name]
                self.assertTrue(all(isinstance(version["uid"], int) for version in versions), alias)
                self.dists(base, root, name, versions)

    def packages(self, base: str, root: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        yield from (root["packages"] or {}).items()
        for path, told in root.get("includes", {}).items():
            answer = self.get(f"{base}/{quote(path)}", "1.10.28")
            self.assertEqual(told["sha1"], sha1(answer.body).hexdigest(), path)
            yield from answer.json()["packages"].items()
        for path, told in root.get("provider-includes", {}).items():
            answer = self.get(f"{base}/{quote(path.replace('%hash%', told['sha256']))}", "1.10.28")
            self.assertEqual(told["sha256"], sha256(answer.body).hexdigest())
            for name, one in answer.json()["providers"].items():
                url = root["providers-url"].replace("%package%", name).replace("$%hash%", f"%24{one['sha256']}")
                document = self.get(url, "1.10.28")
                self.assertEqual(one["sha256"], sha256(document.body).hexdigest(), url)
                yield name, document.json()["packages"][name]
        if "providers-lazy-url" in root:
            for name in {"acme/front", "acme/lib", "acme/null"} - set(root["packages"] or {}):
                url = root["providers-lazy-url"].replace("%package%", name)
                yield name, self.get(url, "1.10.28").json()["packages"][name]
            self.assertEqual(404, self.get(root["providers-lazy-url"].replace("%package%", "a/b"), "1.10.28").status)

    def dists(self, base: str, root: dict[str, Any], name: str, versions: list[dict[str, Any]]) -> None:
        for version in versions:
            url, reference = version["dist"]["url"], version["dist"]["reference"] or ""
            if "mirrors" in root:
                url = f"{base}/zipball/{name}/{version['version_normalized']}/ref{reference}.zip"
            answer = self.get(url, "1.10.28")
            self.assertEqual((200, b"PK"), (answer.status, answer.body[:2]), url)

    def test_asked_for(self) -> None:
        """`?ua=` wins over what the client says of itself."""
        base = f"{self.server.url}/mirror/satis-mirrors/packages.json"
        self.assertIn("includes", self.get(f"{base}?ua=1", "2.5.5").json())
        self.assertNotIn("includes", self.get(f"{base}?ua=2", "1.10.28").json())
        self.assertIn("User-Agent", self.get(base, "2.5.5").headers["vary"])
        self.assertTrue(json.loads(self.get(base, "1.10.28").body)["includes"])


