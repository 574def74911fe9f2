"""URLs as they are asked for, followed and shown."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from packeton.adapters.upstream.targets import followed, host_of, plain, sendable
from packeton.errors import UpstreamFailed, UpstreamRefused


class TargetTests(TestCase):
    """Tables."""

    def test_sendable(self) -> None:
        """Untouched, but for fragment, userinfo and what may not stand in a URL."""
        for url, sent in (
            ("https://h/a%2fb//c/?x=%7e&y=a+b&&", "https://h/a%2fb//c/?x=%7e&y=a+b&&"), ("http://h/?", "http://h/?"),
            ("https://u:p@h:8/x#f", "https://h:8/x"), ("https://h/a b|c", "https://h/a%20b%7Cc"), ("http://[::1]:8/", "http://[::1]:8/"),
        ):  # fmt: skip
            self.assertEqual(sent, sendable(url))

    def test_not_sendable(self) -> None:
        """Other schemes, no host, no port that can be, brackets without an address."""
        for url in ("file:///etc/passwd", "//h/x", "/x", "", "http://", "http://h:0/", "http://h:99999/", "http://h:x/", "http://[::1/"):
            with self.assertRaises(UpstreamRefused, msg=url):
                sendable(url)

    def test_followed(self) -> None:
        """Relative and absolute; other alphabets and spaces quoted; an upstream's user and password dropped."""
        for location, url in (
            ("b", "https://h/x/b"), ("/b?c", "https://h/b?c"), ("//o/b", "https://o/b"), ("http://o", "http://o"),
            ("../../..", "https://h/"), ("http://u:p@o/b", "http://o/b"), (" /b ", "https://h/b"), ("#f", "https://h/x/a?q"),
            ("/ü b".encode().decode("latin-1"), "https://h/%C3%BC%20b"), ("?r", "https://h/x/a?r"),
        ):  # fmt: skip
            self.assertEqual(url, followed("https://h/x/a?q", location))

    def test_not_followed(self) -> None:
        """Nothing that could be asked for."""
        for location in ("file:///etc/passwd", "javascript:x", "http://", "http://[", "gopher://h/", "http://h:x/"):
            with self.assertRaises(UpstreamFailed, msg=location):
                followed("https://h/", location)

    def test_plain(self) -> None:
        """No user, password, query or control character is shown; what cannot be read is not shown at all."""
        self.assertEqual("https://h:8/x", plain("https://u:tellnobody@h:8/x?tellnobody#tellnobody"))
        self.assertEqual("an address that cannot be read", plain("http://u:tellnobody@[h/"))
        self.assertEqual("http://h/a?b", plain("http://h/a\x1bb"))
        self.assertEqual(("-", "-", "h"), (host_of("http://["), host_of("x"), host_of("http://u@H/")))

    @given(st.text(st.characters(max_codepoint=255)))
    def test_any_location(self, location: str) -> None:
        """Any field value leads to an http(s) URL of plain ASCII, or is refused."""
        try:
            url = followed("https://h/x?y", location)
        except UpstreamFailed:
            return
        self.assertRegex(url, r"^https?://[\x21-\x7e]+$")
        self.assertEqual(url, sendable(url))
