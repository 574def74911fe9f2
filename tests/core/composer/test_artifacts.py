"""Archives: the manifest in them."""

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.artifacts import manifest_path
from packeton.errors import Invalid

FOUND = {
    ("composer.json", "a/composer.json", "b/x"): "composer.json",
    ("acme-a-1/", "acme-a-1/composer.json", "acme-a-1/src/x"): "acme-a-1/composer.json",
    ("acme-a-1/composer.json", "acme-a-1/src/composer.json"): "acme-a-1/composer.json",
    ("./composer.json", "./src/x"): "./composer.json",
    ("./", "./a/composer.json"): "./a/composer.json",
    ("a/composer.json", "__MACOSX/", "__MACOSX/a/._composer.json"): "a/composer.json",
}
NOT_FOUND = {
    (): "No composer.json found", ("a/", "b/", "a/composer.json"): "Top level paths found were: a/,b/", ("README", "a/composer.json"): "README,a/",
    ("a/b/composer.json",): "No composer.json found", ("composer.jsonx",): "No composer.json found", ("README",): "No composer.json found",
}  # fmt: skip


class ManifestPathTests(SynchronousTestCase):
    """manifest_path()."""

    def test_found(self) -> None:
        """In the root, or in the only directory."""
        for paths, path in FOUND.items():
            self.assertEqual(path, manifest_path(paths))

    def test_not_found(self) -> None:
        """Composer's messages."""
        for paths, words in NOT_FOUND.items():
            with self.assertRaises(Invalid) as caught:
                manifest_path(paths)
            self.assertIn(words, str(caught.exception))
