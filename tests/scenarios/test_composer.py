"""The real Composer through the real server: cold, warm, from lock, three at once, and with the origin gone."""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import SkipTest, TestCase

from tests.support.bundle import BUNDLE, Bundle
from tests.support.composer import Composer, composer_missing
from tests.support.origin import Origin, Package, make_zip
from tests.support.server import Server


class Small(Origin):
    """The project's own origin, where the recorded metadata is not at hand."""

    def clear(self) -> None:
        self.log.clear()


SMALL_PACKAGES = [
    Package(f"acme/p{number}", version, make_zip(f"acme/p{number}", f"{number}{version}", 3000 * number))
    for number in range(1, 8)
    for version in ("1.0.0", "1.1.0")
]


class ComposerTests(TestCase):
    """One origin and one server for all stories of a class."""

    dist_urls = "mirrors"

    def setUp(self) -> None:
        reason = composer_missing()
        if reason is not None:
            raise SkipTest(reason)
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        if BUNDLE.is_dir():
            self.origin: Bundle | Small = Bundle(self.folder)
            locks = {root: BUNDLE / "locks" / root / "composer.json" for root in ("small", "medium")}
            self.roots = {root: json.loads(path.read_text())["require"] for root, path in locks.items()}
        else:
            self.origin = Small(SMALL_PACKAGES)
            self.origin.start()
            many = {f"acme/p{number}": "*" for number in range(1, 8)}
            self.roots = {"small": {"acme/p1": "^1.0", "acme/p2": "^1.0"}, "medium": many}
        self.addCleanup(self.origin.stop)
        mirror = {"url": self.origin.url, "public_access": True, "dist_urls": self.dist_urls, "parent_notify": True}
        mirror["sync_interval"] = 3600  # nothing is asked again because the machine is slow
        self.server = Server(self.folder / "server", {"mirrors": {"up": mirror}}).start()
        self.addCleanup(self.server.stop)

    def composer(self, name: str, repository: str, root: str) -> Composer:
        composer = Composer(self.folder / name)
        composer.require(repository, self.roots[root])
        return composer

    def succeed(self, composer: Composer, *arguments: str) -> None:
        run = composer.run(*arguments)
        self.assertEqual(0, run.status, run.output + self.server.log[-3000:])

    def test_story(self) -> None:
        """Each root: what a direct run gives, we give, cold and warm and locked and without the origin."""
        for root in self.roots:
            direct = self.composer(f"direct-{root}", self.origin.url, root)
            self.succeed(direct, "update")
            self.origin.clear()
            ours = self.composer(f"ours-{root}", f"{self.server.url}/mirror/up", root)
            self.succeed(ours, "update")
            self.assertEqual(direct.lock(), ours.lock())
            self.assertEqual(direct.tree(), ours.tree())
            lock = json.loads((ours.project / "composer.lock").read_text())
            self.assertTrue(all(self.server.url in json.dumps(package["dist"]) for package in lock["packages"]))
            self.succeed(ours, "update")
            ours.forget(lock=False)
            self.succeed(ours, "install")
            self.assertEqual(direct.tree(), ours.tree())
            self.assert_each_once()
        self.three_at_once()
        self.without_origin()

    def three_at_once(self) -> None:
        """Three clients with nothing in their caches, and a server with nothing in its: one fetch each."""
        self.server.stop()
        self.server.folder = self.folder / "second"
        self.server.start()
        self.origin.clear()
        clients = [self.composer(f"one-of-three-{n}", f"{self.server.url}/mirror/up", "medium") for n in range(3)]
        with ThreadPoolExecutor(3) as pool:
            runs = list(pool.map(lambda client: client.run("update"), clients))
        self.assertEqual([0, 0, 0], [run.status for run in runs], "\n".join(run.output for run in runs))
        self.assertEqual([clients[0].tree()] * 3, [client.tree() for client in clients])
        self.assert_each_once()

    def without_origin(self) -> None:
        """What was once fetched installs with the origin gone, also after a restart of ours."""
        self.origin.stop()
        self.server.stop()
        self.server.start()
        client = self.composer("later", f"{self.server.url}/mirror/up", "medium")
        self.succeed(client, "update")
        client.forget(lock=False)
        self.succeed(client, "install")
        self.assertEqual(0, self.server.stop())

    def assert_each_once(self) -> None:
        repeated = {path: count for path, count in self.origin.counts().items() if count > 1}
        self.assertEqual({}, repeated, self.server.log[-3000:])


class RewrittenComposerTests(ComposerTests):
    """The same with dist URLs that lead to us."""

    dist_urls = "rewrite"
