"""`options` of a mirror."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.credentials import Credentials
from packeton.core.composer.options import HttpOptions
from packeton.errors import Invalid


class HttpOptionsTests(SynchronousTestCase):
    """What is read, and what is refused by name."""

    def test_forms(self) -> None:
        """Composer's list of lines, PHP's one text, and maps of names."""
        table: list[tuple[object, tuple[tuple[str, str], ...]]] = [
            ({"header": ["X-Token: a b", "Y: 2"]}, (("X-Token", "a b"), ("Y", "2"))),
            ({"header": "X-Token: 1\r\nY: 2\r\n"}, (("X-Token", "1"), ("Y", "2"))),
            ({"headers": {"X-Token": "1", "Y": ["2", "3"]}}, (("X-Token", "1"), ("Y", "2"), ("Y", "3"))),
            ({"headers": ["X: 1"], "header": ["Y: 2"]}, (("Y", "2"), ("X", "1"))),
            ({}, ()),
            (None, ()),
        ]
        for http, expected in table:
            self.assertEqual(expected, HttpOptions.read({"http": http}).headers, http)

    def test_numbers(self) -> None:
        """Seconds, whole or not; a proxy as PHP writes it."""
        options = HttpOptions.read({"http": {"timeout": 2.5, "max_duration": 60, "proxy": "tcp://p.example:3128"}})
        self.assertEqual((timedelta(seconds=2.5), timedelta(minutes=1)), (options.timeout, options.max_duration))
        self.assertEqual("http://p.example:3128", options.proxy)
        self.assertEqual("", HttpOptions.read({"http": {"proxy": ""}}).proxy)

    def test_refused(self) -> None:
        """The option is named, its value is not."""
        for options, name in (
            ({"ssl": {"verify_peer": False}}, "ssl"),
            ({"http": 3}, "http"),
            ({"http": {"method": "tellnobody"}}, "http.method"),
            ({"http": {"header": ["tellnobody"]}}, "http.header"),
            ({"http": {"header": ["X: tellnobody\r\nHost: x"]}}, "http.header"),
            ({"http": {"header": ["X: tellnobody\nY: 1"]}}, "http.header"),
            ({"http": {"headers": {"Host": "tellnobody"}}}, "http.headers"),
            ({"http": {"proxy": "socks5://tellnobody"}}, "http.proxy"),
            ({"http": {"proxy": 1}}, "http.proxy"),
            ({"http": {"timeout": "tellnobody"}}, "http.timeout"),
            ({"http": {"timeout": 0}}, "http.timeout"),
            ({"http": {"timeout": True}}, "http.timeout"),
        ):
            with self.assertRaises(Invalid) as caught:
                HttpOptions.read(options)
            self.assertTrue(str(caught.exception).startswith(f"{name}:"), caught.exception)
            self.assertNotIn("tellnobody", str(caught.exception))

    def test_to_their_own_host_only(self) -> None:
        """Fields go to the upstream's origin; a credential of the same name comes first."""
        headers = (("X-Token", "t"), ("Authorization", "Mine"))
        credentials = Credentials.gather(url="https://up.example/repo", headers=headers)
        self.assertEqual(headers, credentials.fields_for("https://up.example/p2/a/b.json"))
        self.assertEqual((), credentials.fields_for("https://cdn.example/p2/a/b.json"))
        self.assertEqual((), credentials.fields_for("http://up.example/p2/a/b.json"))
        both = Credentials.gather(url="https://up.example", http_basic=("u", "p"), headers=headers)
        self.assertEqual(["Authorization", "X-Token"], [name for name, _ in both.fields_for("https://up.example/")])
        self.assertNotIn("Mine", repr(both.fields_for("https://up.example/")))
