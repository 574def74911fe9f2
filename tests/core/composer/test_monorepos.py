"""Mono-repositories."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.monorepos import find_directories, tags_that_changed
from packeton.errors import Invalid

PATHS = (
    "composer.json", "README.md", "src/Bundle/A/composer.json", "src/Bundle/A/src/composer.json", "src/Component/B/composer.json", "src/Component/B/x.php",
    "src/Bridge/C/composer.json", "src/Component/.hidden/composer.json", "src/Component/D/Tests/composer.json", "packages/e/composer.json", "packages/e/composer.jsonx",
)  # fmt: skip


class DirectoryTests(SynchronousTestCase):
    """find_directories()."""

    def test_globs(self) -> None:
        """Directories whose composer.json a glob matches, sorted, each once."""
        self.assertEqual(["src/Bundle/A", "src/Component/B"], find_directories(PATHS, ["src/{Component,Bundle}/*/composer.json"]))
        self.assertEqual(["packages/e", "src/Bundle/A"], find_directories(PATHS, ["packages/*/composer.json", "./src/Bundle/A/composer.json", "/packages/e/*"]))
        self.assertEqual(
            ["packages/e", "src/Bridge/C", "src/Bundle/A", "src/Bundle/A/src", "src/Component/B", "src/Component/D/Tests"],
            find_directories(PATHS, ["*/**/composer.json"]),
        )
        self.assertEqual([], find_directories(PATHS, ["*", "composer.json", ""]))
        self.assertEqual([], find_directories(PATHS, []))

    def test_excluded(self) -> None:
        """Directories, their composer.json, and globs of both."""
        for excluded in ("src/Bundle/A", "src/Bundle/A/composer.json", "/src/Bundle/A/", "src/Bundle/*", "*/Bundle/*/composer.json"):
            self.assertEqual(["src/Component/B"], find_directories(PATHS, ["src/{Component,Bundle}/*/composer.json"], [excluded]), excluded)

    def test_refused(self) -> None:
        """Broken globs, and too many."""
        for globs in (["{a"], ["a/composer.json"] * 201):
            with self.assertRaises(Invalid):
                find_directories(PATHS, globs)


class TagTests(SynchronousTestCase):
    """tags_that_changed()."""

    def test_patch_releases(self) -> None:
        """Of a line of patch releases only those that changed the directory are kept, whatever the order."""
        tags = [
            ("v1.0.2", "a"), ("v1.0.0", "a"), ("v1.0.1", "a"), ("v1.0.3", "b"), ("v1.0.4", "a"), ("v1.1.0", "a"), ("v1.1.1", "a"),
            ("v1.1.0-beta1", "a"), ("v1.1.0-beta2", "a"), ("v1.1.0-RC1", "a"), ("v2.0.0", None), ("nightly", "z"),
        ]  # fmt: skip
        self.assertEqual(["v1.0.0", "v1.0.3", "v1.0.4", "v1.1.0", "v1.1.0-beta1", "v1.1.0-RC1"], tags_that_changed(tags))

    @given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from(["a", "b"])), max_size=20, unique_by=lambda one: one[:2]))
    def test_neighbours_differ(self, versions: list[tuple[int, int, str]]) -> None:
        """The first of each line is kept, and no kept one equals the kept one before it."""
        trees = {f"1.{minor}.{patch}": tree for minor, patch, tree in versions}
        kept = tags_that_changed(list(trees.items()))
        for minor in (0, 1):
            line = sorted((tag for tag in trees if tag.startswith(f"1.{minor}.")), key=lambda tag: int(tag.split(".")[2]))
            of_line = [tag for tag in line if tag in kept]
            self.assertEqual(line[:1], of_line[:1])
            self.assertTrue(all(trees[left] != trees[right] for left, right in itertools.pairwise(of_line)))
