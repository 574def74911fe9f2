"""composer.lock and pasted texts."""

import json
from pathlib import Path
from unittest import SkipTest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.lockfiles import LockedPackage, LockedPlace, locked_packages, names_in
from packeton.errors import Invalid

LOCKS = Path(__file__).parents[4] / "shared" / "upstream" / "locks"
TEXTS: dict[str, tuple[list[str], list[str]]] = {
    '{"require": {"php": ">=8", "Acme/A": "^1"}, "require-dev": {"a/b": "1.2.3"}}': (["acme/a", "a/b"], []),
    '{"packages": [{"name": "a/b", "version": "1", "require": {"x/y": "1"}}], "packages-dev": [{"name": "c/d"}]}': (["a/b", "c/d"], []),
    '"require": {\n "a/b": "^1",\n "ext-x": "*",\n "c/d" : "*"\n': (["a/b", "c/d"], []),
    '"a/b", "c/d",\n"e/f"': (["a/b", "c/d", "e/f"], []),
    '{"name": "a/b", "version": "1.0.0", "require": {"x/y": "1"}}, {"name": "c/d",': (["a/b", "c/d"], []),
    "monolog/monolog 2.9.1 Sends your logs to x/y\npsr/log      3.0.0  Common\n\n": (["monolog/monolog", "psr/log"], []),
    "\x1b[32ma/b\x1b[39m 2.9.1 Of a terminal\n\x1b[1;32mc/d\x1b[0m 3.0.0\n": (["a/b", "c/d"], []),
    "\ufeffa/b c/d": (["a/b", "c/d"], []),
    "a/b, c/d e/f\nA/B; nonsense ../x": (["a/b", "c/d", "e/f"], ["nonsense", "../x"]),
    "": ([], []), "[1]": ([], ["[1]"]), "{}": ([], []),
}  # fmt: skip


class NamesTests(SynchronousTestCase):
    """names_in()."""

    def test_texts(self) -> None:
        """All that people paste."""
        for text, expected in TEXTS.items():
            self.assertEqual(expected, names_in(text), text)

    def test_overlong(self) -> None:
        """There is an end."""
        with self.assertRaises(Invalid):
            names_in("a" * 5_000_000)

    @given(st.text(alphabet='ab/:,{}[]" \n.1', max_size=60))
    def test_any_text(self, text: str) -> None:
        """Names that are found are names."""
        valid, _ = names_in(text)
        self.assertTrue(all(name.count("/") == 1 for name in valid))


class LockTests(SynchronousTestCase):
    """locked_packages()."""

    def test_packages(self) -> None:
        """All that is needed of each."""
        place = {"type": "zip", "url": "https://a.example/x.zip", "reference": "r", "shasum": "AB"}
        lock = {"packages": [{"name": "A/b", "version": "v1", "dist": place, "notification-url": "https://n"}], "packages-dev": [{"name": "c/d", "version": "dev-x", "source": {"type": "git", "url": "u"}}]}
        first = LockedPackage(
            name="a/b", version="v1", dist=LockedPlace(type="zip", url="https://a.example/x.zip", reference="r", shasum="ab"), source=None,
            notification_url="https://n", is_dev=False,
        )  # fmt: skip
        second = LockedPackage(name="c/d", version="dev-x", dist=None, source=LockedPlace(type="git", url="u", reference=""), notification_url="", is_dev=True)
        self.assertEqual([first, second], locked_packages(json.dumps(lock).encode()))

    def test_broken(self) -> None:
        """What is no lock."""
        for content, words in (
            (b"", "valid JSON"), (b"[]", "no list of packages"), (b'{"packages": {}}', "no list"), (b'{"packages": [1]}', "without name"),
            (b'{"packages": [{"name": "a/b"}]}', "without name or version"), (b'{"packages": [], "packages-dev": 1}', "for development"), (b" " * (17 << 20), "larger"),
        ):  # fmt: skip
            with self.assertRaises(Invalid) as caught:
                locked_packages(content)
            self.assertIn(words, str(caught.exception))

    def test_real_locks(self) -> None:
        """What Composer wrote."""
        if not LOCKS.is_dir():
            raise SkipTest("the recorded locks are not here")
        for path in LOCKS.glob("*/composer.lock"):
            packages = locked_packages(path.read_bytes())
            self.assertTrue(packages, path)
            self.assertTrue(all(package.dist and package.dist.reference for package in packages))
            self.assertEqual(({package.name for package in packages}, set()), tuple(map(set, names_in(path.read_text()))))
