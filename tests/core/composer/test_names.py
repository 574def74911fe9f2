"""Package names."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.names import PackageName
from packeton.errors import NotFound


class PackageNameTests(SynchronousTestCase):
    """What is a name and what is not."""

    def test_names(self) -> None:
        """Names that upstreams really use."""
        for text in ("psr/log", "a/b", "wpackagist-plugin/a.b_c", "npm-asset/angular--core", "0x/1"):
            self.assertEqual(text, str(PackageName.parse(text)))

    def test_not_names(self) -> None:
        """Paths, upper case, suffixes, other numbers of parts, and overlong parts."""
        for text in (
            "", "/", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/../b", "A/b", "a/B", "a/b~dev", "a/b c", "a/%2e",
            "a\\b/c", "a/b\n", "a/b\0", "x" * 200 + "/b", "a/" + "x" * 101, ".a/b", "a/.b", "é/b",
        ):  # fmt: skip
            with self.assertRaises(NotFound, msg=text):
                PackageName.parse(text)

    @given(st.text(max_size=40))
    def test_never_a_path(self, text: str) -> None:
        """Whatever is accepted is two plain segments."""
        try:
            name = PackageName.parse(text)
        except NotFound:
            return
        self.assertEqual(text, f"{name.vendor}/{name.name}")
        self.assertNotIn("..", text)
        self.assertTrue(text.isascii())
