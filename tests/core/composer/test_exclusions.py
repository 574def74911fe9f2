"""What an archive leaves out."""

import random

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.exclusions import Exclusions
from tests.support.php import Refused, ask_composer

PATHS = (
    "composer.json", "tests/A.php", "src/tests/B.php", "docs/x/a.md", "src/docs/x/b.md", ".github/ci.yml", ".gitattributes", "a.dist", ".b.dist", "xdocs/x/c.md",
    "tests", "src/A.php", "testsuite/x",
)  # fmt: skip



class ExclusionTests(SynchronousTestCase):
    """What an archive leaves out."""

    def left_out(self, rules: list[str]) -> list[str]:
        """Return the paths that are excluded."""
        return [path for path in PATHS if Exclusions.of(rules).exclude(path)]

    def test_archive_exclude(self) -> None:
        """Composer's reading of gitignore rules."""
        for rules, out in (
            (["/tests"], ["tests/A.php", "tests"]), (["tests"], ["tests/A.php", "src/tests/B.php", "tests"]), (["tests/"], ["tests/A.php", "src/tests/B.php", "tests"]),
            (["docs/x"], ["docs/x/a.md", "src/docs/x/b.md", "xdocs/x/c.md"]), (["*.dist"], ["a.dist"]), (["/.*"], [".github/ci.yml", ".gitattributes", ".b.dist"]),
            (["tests", "!/src/tests"], ["tests/A.php", "tests"]), (["!tests"], []), (["{a", "[", ""], []),
        ):  # fmt: skip
            self.assertEqual(out, self.left_out(rules), rules)

    def test_nothing(self) -> None:
        """What is no pattern is nothing."""
        self.assertFalse(Exclusions.of([1, None, "", "  ", "# no", "{", "/"]))

    def test_as_composer(self) -> None:
        """Random rules exclude what Composer excludes."""
        chance = random.Random(20261124)
        pieces = ("!", "/", "/", "*", "?", "tests", "docs", "x", "src", ".", "a", "{a,docs}", ".md", "/**", "**/")
        rules = [["".join(chance.choices(pieces, k=chance.randint(1, 4))) for _ in range(chance.randint(1, 3))] for _ in range(1500)]
        for rule, theirs in zip(rules, ask_composer([("excluded", rule, PATHS) for rule in rules]), strict=True):
            self.assertFalse(isinstance(theirs, Refused))
            self.assertEqual(theirs, self.left_out(rule), rule)
