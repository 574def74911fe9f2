"""Composer 1.10, 2.2, 2.8 and the newest of Debian: what a direct run gives them, we give, and each its private packages."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.scenarios.test_packages import TOKEN, PackagesTestCase
from tests.scenarios.test_shapes import BRANCHES, REQUIRE, ShapeTestCase
from tests.support.composer import Composer
from tests.support.generations import GENERATIONS, Generation, program

ALIASES = ("v2-mirrors", "v2-rewrite", "v1-mirrors", "satis-rewrite", "inline-old", "v1-full-mirrors")
ONE, TWO_TWO, TWO_EIGHT, NEWEST = GENERATIONS


class MirrorGenerationTests(ShapeTestCase):
    """Upstreams of several shapes, in both dist modes."""

    def test_one(self) -> None:
        """Composer 1 is served also what only knows metadata-url."""
        self.story(ONE, "v1")

    def test_two_two(self) -> None:
        """The long-term support of Composer 2."""
        self.story(TWO_TWO, "v2")

    def test_two_eight(self) -> None:
        """Of Debian 13."""
        self.story(TWO_EIGHT, "v2")

    def test_newest(self) -> None:
        """Of the Debian to come."""
        self.story(NEWEST, "v2")

    def story(self, generation: Generation, shape: str) -> None:
        """Lock and files are those of a direct run."""
        path = program(generation)
        for number, (require, aliases) in enumerate(((REQUIRE, ALIASES), (BRANCHES, ALIASES[:2]))):
            name = f"{generation.release}{number}"
            direct = self.updated(path, f"{name}-direct", f"{self.origins[shape].base}/repo", require)

            def run(
                alias: str, path: Path = path, name: str = name, require: dict[str, str] = require
            ) -> tuple[str, Composer]:
                return alias, self.updated(path, f"{name}-{alias}", f"{self.server.url}/mirror/{alias}", require)

            with ThreadPoolExecutor(2) as pool:
                for alias, composer in pool.map(run, aliases):
                    self.assertEqual(direct.lock(), composer.lock(), alias)
                    self.assertEqual(direct.tree(), composer.tree(), alias)

    def updated(self, path: Path, name: str, url: str, require: dict[str, str]) -> Composer:
        composer = Composer(self.folder / name, path)
        composer.require(url, require)
        run = composer.run("update")
        self.assertEqual(0, run.status, f"{name}: {run.output}{self.server.log[-2000:]}")
        return composer


class PrivateGenerationTests(PackagesTestCase):
    """A private package, and a customer who may have some of its versions."""

    names = ("okvpn/cron-bundle",)

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        group = cls.installation.group("old", "okvpn/cron-bundle:<2.0")
        cls.installation.user("customer", TOKEN + "8", groups=(group,))
        time.sleep(0.8)

    def test_one(self) -> None:
        """By provider hashes."""
        self.story(ONE)

    def test_two_two(self) -> None:
        """The long-term support of Composer 2."""
        self.story(TWO_TWO)

    def test_two_eight(self) -> None:
        """Of Debian 13."""
        self.story(TWO_EIGHT)

    def test_newest(self) -> None:
        """Of the Debian to come."""
        self.story(NEWEST)

    def story(self, generation: Generation) -> None:
        """Update, and install from the lock with nothing in the cache; a stranger is refused."""
        path, host = program(generation), self.server.url.removeprefix("http://")
        for user, number, expected in (("user2", "3", "2.0.0"), ("customer", "8", "1.1.0"), ("user2", "9", None)):
            composer = Composer(self.folder / f"{generation.release}-{user}{number}", path)
            composer.require(self.server.url, {"okvpn/cron-bundle": "*"})
            auth = {"http-basic": {host: {"username": user, "password": TOKEN + number}}}
            (composer.home / "auth.json").write_text(json.dumps(auth))
            run = composer.run("update", "--prefer-dist")
            self.assertEqual(expected is not None, run.status == 0, run.output + self.server.log[-2000:])
            if expected is None:
                self.assertRegex(run.output, "401|credentials|required authentication")
                continue
            (package,) = composer.lock()["packages"]
            self.assertEqual((expected, "zip"), (package["version"], package["dist"]["type"]))
            composer.forget(lock=False)
            run = composer.run("install", "--prefer-dist")
            self.assertEqual(0, run.status, run.output)
            code = composer.project / "vendor/okvpn/cron-bundle/src/code.php"
            self.assertEqual(f"<?php // {expected}\n", code.read_text())
