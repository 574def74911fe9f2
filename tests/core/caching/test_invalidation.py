"""What an unsafe request forgets. Source: RFC 9111 section 4.4."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.invalidation import changed_targets, invalidates

BASE = "http://origin.example/base"


class InvalidationTests(SynchronousTestCase):
    """Methods, and where Location points."""

    def test_methods(self) -> None:
        """Unsafe methods, and those that nobody knows, unless the answer is an error."""
        for expected, method, status in (
            (True, "POST", 200), (True, "DELETE", 204), (True, "PUT", 302), (True, "M-SEARCH", 200), (True, "get", 200),
            (False, "POST", 404), (False, "POST", 500), (False, "GET", 200), (False, "OPTIONS", 200),
        ):  # fmt: skip
            self.assertEqual(expected, invalidates(method, status), (method, status))

    def test_locations(self) -> None:
        """Only URLs of this origin below its base count, however they are written."""
        for location, named in (
            ("/base/y?q=1", "/y?q=1"), ("y", "/a/y"), ("../z", "/z"), ("http://ORIGIN.example:80/base/y", "/y"),
            ("http://origin.example/base", ""), ("?q", "/a/x?q"), ("/base/y#part", "/y"),
            ("http://other.example/base/y", None), ("https://origin.example/base/y", None), ("//other.example/y", None),
            ("http://origin.example:81/base/y", None), ("/basement/y", None), ("/y", None), ("http://[", None),
            ("http://origin.example:port/base/y", None),
        ):  # fmt: skip
            found = changed_targets(BASE, "/a/x", [("Location", location)])
            self.assertEqual({"/a/x"} | ({named} if named is not None else set()), found, location)

    def test_both_fields(self) -> None:
        """Location and Content-Location, on all their lines."""
        fields = [("location", "/base/1"), ("Content-Location", "/base/2"), ("Location", "/base/3"), ("Link", "/base/4")]
        self.assertEqual({"/x", "/1", "/2", "/3"}, changed_targets(BASE, "/x", fields))

    @given(st.text(max_size=40), st.text(max_size=20))
    def test_never_breaks(self, location: str, target: str) -> None:
        """Whatever an origin sends, the target itself is among them."""
        self.assertIn(target, changed_targets(BASE, target, [("Location", location)]))
