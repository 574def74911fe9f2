"""Globs, held against Symfony's."""

import random
import time

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.globs import compiled, glob_pattern
from packeton.errors import Invalid
from tests.support.php import Refused, ask_composer

CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "src/*/composer.json": (("src/a/composer.json",), ("src/a/b/composer.json", "src/.a/composer.json", "xsrc/a/composer.json", "src/a/composer.jsonx")),
    "src/{Bundle,Component}/*/composer.json": (("src/Bundle/a/composer.json", "src/Component/b/composer.json"), ("src/Bridge/a/composer.json",)),
    "src/**/composer.json": (("src/composer.json", "src/a/composer.json", "src/a/b/composer.json"), ("src/.a/composer.json", "src/a/.b/composer.json")),
    "a/**": (("a/b", "a/b/c", "a/"), ("a/.b", "b/c")),
    "?a[bc]\\*": (("xab*", "xac*"), ("xad*", ".ab*", "xabx")),
    "*": (("a", "a.b"), (".a", "a/b", "")),
    ".*": ((".a", "."), ("a",)),
    "*.json": (("a.json",), (".json", ".a.json")),
    "{,a}*b": (("b", "ab", "axb"), (".b", "a.c")),
    "*{Bundle,Component}": (("Bundle", "aBundle"), (".Bundle",)),
}  # fmt: skip
BROKEN = ("{a", "[a", "a[", "{a,{b}", "a}b{", "{{{{{{a}}}}}}", "a" * 2000)
PIECES = ("*", "?", "{a,b}", "{,a}", "{a*,.b}", "a", "b", ".", "/", "/**/", "[ab]", "\\*", "a*", "*b", "/*/", "{a/b,b}", "{*,b}")


class GlobTests(SynchronousTestCase):
    """glob_pattern()."""

    def test_cases(self) -> None:
        """What each matches and does not."""
        for glob, (good, bad) in CASES.items():
            pattern = compiled(glob_pattern(glob))
            self.assertEqual((good, ()), (tuple(filter(pattern.fullmatch, good)), tuple(filter(pattern.fullmatch, bad))), glob)

    def test_broken(self) -> None:
        """What is open is refused."""
        for glob in BROKEN:
            with self.assertRaises(Invalid, msg=glob):
                glob_pattern(glob)

    def test_hostile(self) -> None:
        """The largest globs are refused or run at once, counted in this thread's own time."""
        for piece in ("*", "*?", "*a", "*/", "?*/", "{,a}", "{*,a}/", "/**", "{a,{b,*}}", "[a]*", "*.", "{*/,}"):
            began = time.thread_time()
            try:
                compiled(glob_pattern((piece * 1000)[: 1000 // len(piece) * len(piece)])).fullmatch("a" * 4000)
            except Invalid:
                continue
            finally:
                self.assertLess(time.thread_time() - began, 4, piece)

    def test_as_symfony(self) -> None:
        """Random globs match the random paths that Symfony's pattern matches."""
        chance = random.Random(20261124)
        globs = ["".join(chance.choices(PIECES, k=chance.randint(1, 5))) for _ in range(1500)]
        paths = ["".join(chance.choices("ab./*", k=chance.randint(1, 7))) for _ in range(120)]
        paths = [path for path in paths if "//" not in path]
        for glob, theirs in zip(globs, ask_composer([("glob", glob, paths) for glob in globs]), strict=True):
            if isinstance(theirs, Refused):
                continue
            pattern = compiled(glob_pattern(glob))
            self.assertEqual(theirs, [path for path in paths if pattern.fullmatch(path)], glob)
