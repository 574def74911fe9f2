"""Addresses of many repositories at once."""

from unittest import TestCase

from packeton.core.composer.imports import Clone, addresses_in, matcher, preferred
from packeton.errors import Invalid


class AddressTests(TestCase):
    """ssh and https forms."""

    def test_forms(self) -> None:
        """Each form from each other one; what has no other form stays."""
        for url, ssh, http in (
            ("https://github.com/acme/a", "git@github.com:acme/a.git", "https://github.com/acme/a"),
            ("https://gitlab.example.com/group/sub/a.git", "git@gitlab.example.com:group/sub/a.git", "https://gitlab.example.com/group/sub/a.git"),
            ("git@bitbucket.org:acme/a.git", "git@bitbucket.org:acme/a.git", "https://bitbucket.org/acme/a.git"),
            ("ssh://git@git.example.com:7999/p/a.git", "ssh://git@git.example.com:7999/p/a.git", "https://git.example.com/p/a.git"),
            ("https://git.example.com:8443/p/a", "ssh://git@git.example.com:8443/p/a.git", "https://git.example.com:8443/p/a"),
            ("git://git.example.com/a", "git://git.example.com/a", "git://git.example.com/a"),
        ):  # fmt: skip
            with self.subTest(url):
                self.assertEqual((url, ssh, http), (preferred(url, Clone.DEFAULT), preferred(url, Clone.SSH), preferred(url, Clone.HTTP)))

    def test_refused(self) -> None:
        """Nothing local, no logins; secrets are not repeated."""
        for url in ("/srv/git/a", "file:///srv/git/a", "https://u:geheim@example.com/a/b", "--upload-pack=x", "", "c:\\x"):
            for clone in Clone:
                with self.subTest(url), self.assertRaises(Invalid) as caught:
                    preferred(url, clone)
                self.assertNotIn("geheim", str(caught.exception))
                self.assertEqual("srv" in url, "a local path is not imported" in str(caught.exception))

    def test_lists(self) -> None:
        """One a line, each once."""
        self.assertEqual(["a", "b"], addresses_in("a\r\n\n# no\n  b \na\n"))
        with self.assertRaises(Invalid):
            addresses_in("x" * (4 << 20) + "x")

    def test_globs(self) -> None:
        """One a line; without any everything fits."""
        self.assertTrue(matcher(" \n")("acme/a"))
        fits = matcher("acme/*\nother/b")
        self.assertEqual([True, True, False, False], [fits(name) for name in ("Acme/a", "other/b", "other/c", "x/acme/a")])
