"""Which addresses of repositories may be used, and what they say."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.addresses import VcsAddress, is_below, parse_address
from packeton.errors import Invalid

LOCAL = ("/srv/git", "/home/git/")


class AddressTests(SynchronousTestCase):
    """Tables, and what must never come out."""

    def test_good(self) -> None:
        """What users write."""
        for text, expected in {
            "https://github.com/acme/lib.git": ("https", "github.com", None, "", "/acme/lib.git"),
            " http://git.acme.example:8080/a%20b ": ("http", "git.acme.example", 8080, "", "/a b"),
            "ssh://git@acme.example:2222/x/y.git": ("ssh", "acme.example", 2222, "git", "/x/y.git"),
            "git@github.com:acme/lib.git": ("ssh", "github.com", None, "git", "acme/lib.git"),
            "acme.example:~bob/lib": ("ssh", "acme.example", None, "", "~bob/lib"),
            "git://acme.example/lib": ("git", "acme.example", None, "", "/lib"),
            "svn+ssh://bob@acme.example/repo": ("svn+ssh", "acme.example", None, "bob", "/repo"),
            "svn://acme.example": ("svn", "acme.example", None, "", ""),
            "https://[2001:db8::1]/lib.git": ("https", "2001:db8::1", None, "", "/lib.git"),
            "HTTPS://Acme.example/Lib": ("https", "acme.example", None, "", "/Lib"),
        }.items():
            found = parse_address(text)
            self.assertEqual(expected, (found.scheme, found.host, found.port, found.user, found.path), text)

    def test_refused(self) -> None:
        """Options, helpers, logins, other schemes, odd characters: each with a reason, none with its secret."""
        for text, reason in {
            "": "missing",
            "ssh://git@acme.example/a%20b": "path",
            "-oProxyCommand=x:y": "dash",
            "--upload-pack=x": "dash",
            "ext::sh -c x": "spaces",
            "ext::sh": "remote helper",
            "fd::17": "remote helper",
            "https://bob:s3cret@acme.example/x": "credentials",
            "https://s3cret@acme.example/x": "credentials",
            "ssh://bob:s3cret@acme.example/x": "credentials",
            "ssh://-oProxyCommand=x/y": "host",
            "ssh://git@-oProxyCommand/y": "host",
            "-x@acme.example:y": "dash",
            "git@-host:y": "host",
            "git@host:-y": "path",
            "ssh://host/-y": "path",
            "https://acme.example/x?token=s3cret": "query",
            "ftp://acme.example/x": "ftp",
            "javascript://acme.example/x": "javascript",
            "https://acme.example:99999/x": "port",
            "https:///x": "host",
            "ssh://host": "no repository",
            "file:///etc": "local_paths",
            "/etc/passwd": "local_paths",
            "/srv/git/../../etc": "local_paths",
            "file:///srv/git/%2e%2e/%2e%2e/etc": "local_paths",
            "/srv/gitolite": "local_paths",
            "file://host/srv/git/x": "three slashes",
            "./x": "needs an address",
            "../x": "needs an address",
            "x": "needs an address",
            "https://acme.example/a\nb": "control",
            "https://acme.example/a%0ab": "path",
            "a\\b:c": "backslash",
            "x" * 3000: "long",
        }.items():
            with self.assertRaises(Invalid) as raised:
                parse_address(text, LOCAL)
            self.assertIn(reason, str(raised.exception), text)
            self.assertNotIn("s3cret", str(raised.exception))

    def test_local(self) -> None:
        """Below an allowed directory, however it is written."""
        for text in ("/srv/git/x.git", "file:///srv/git/x.git", "file://localhost/srv/git/a/../x.git", "//srv/git/x.git"):
            self.assertEqual(("file", "/srv/git/x.git"), (parse_address(text, LOCAL).scheme, parse_address(text, LOCAL).path))
        self.assertTrue(is_below("/home/git", LOCAL))
        self.assertFalse(is_below("/home/gitx", LOCAL))
        self.assertFalse(is_below("/", LOCAL))

    def test_keys(self) -> None:
        """One repository, one key, as far as that is sure."""
        same = {parse_address(text).key for text in ("https://Acme.example/x/", "https://acme.example/x")}
        self.assertEqual(1, len(same))
        other = {parse_address(text).key for text in ("git@acme.example:x", "ssh://git@acme.example/x", "ssh://bob@acme.example/x")}
        self.assertEqual(3, len(other))

    @given(st.text(alphabet=st.sampled_from(list("-:/@.%[]~ax0\\ \n?#+")), max_size=30) | st.text(max_size=30))
    def test_never_an_option(self, text: str) -> None:
        """Whatever is let through, no part of it begins with a dash, and nothing local is let through."""
        for candidate in (text, f"ssh://{text}", f"git@{text}", f"https://{text}", f"file://{text}"):
            try:
                found = parse_address(candidate)
            except Invalid:
                continue
            self.assertIsInstance(found, VcsAddress)
            self.assertFalse([part for part in (found.url, found.host, found.user, found.path.lstrip("/")) if part.startswith("-")])
            self.assertNotEqual("file", found.scheme)
            self.assertTrue(found.host.isascii())
