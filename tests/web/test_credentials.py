"""Where credentials stand, and what is not taken for some."""

from unittest import TestCase

from packeton.errors import BadCredentials, Unauthenticated
from packeton.interfaces.authentication import Credentials
from packeton.web.credentials import read_credentials
from tests.support.access import basic, make_request

LONG = "x" * 33


def read(path: str = "/", *, query_tokens: bool = True, **headers: str) -> Credentials | None:
    return read_credentials(make_request(path, headers), query_tokens=query_tokens)


class ReadTests(TestCase):
    """Good ones."""

    def test_places(self) -> None:
        """Basic, Bearer, and the three forms in the address; the header comes first."""
        for expected, credentials in {
            ("u", "s:t"): read(**basic("u", "s:t")),
            ("ü", "ß"): read(**basic("ü", "ß")),
            (None, "pat_1"): read(Authorization="Bearer pat_1"),
            ("u", "s"): read("/p2/a/b.json?username=u&apiToken=s"),
            ("v", "s"): read("/x?token=v:s&since=1"),
            ("token", LONG): read(f"/x?token={LONG}"),
            ("w", "s"): read("/x?token=v:s", **basic("w", "s")),
            ("a b", "c d"): read("/x?token=a+b:c%20d"),
        }.items():
            assert credentials is not None
            self.assertEqual(expected, (credentials.username, credentials.secret))
            self.assertNotIn("secret=", repr(credentials))

    def test_none(self) -> None:
        """Nothing that looks like some."""
        for path in ("/", "/x?page=1", "/x?username=u", "/x?mytoken=u", "/x?apiToken=u"):
            self.assertIsNone(read(path), path)

    def test_malformed(self) -> None:
        """Malformed, doubled and over-long ones are bad, not absent."""
        for header in ("Basic", "Basic !!!", "Basic eA==", "Digest x", "Bearer", "", "Basic Og==", "Basic dTo=", "Basic dTphCg=="):
            with self.subTest(header), self.assertRaises(BadCredentials):
                read(Authorization=header)
        for path in (
            "/x?token=a:b&token=a:b", "/x?username=u&apiToken=s&apiToken=t", "/x?token=short", "/x?token=a:b:c",
            "/x?token=%ff:%fe", "/x?token=", "/x?token=u:" + "x" * 5000, "/x?token=u:%0Ax", "/x?" + "a&" * 150 + "token=u:s",
        ):  # fmt: skip
            with self.subTest(path[:40]), self.assertRaises(BadCredentials):
                read(path)
        request = make_request("/", basic("u", "s"))
        request.requestHeaders.addRawHeader(b"authorization", b"Bearer x")
        with self.assertRaises(BadCredentials):
            read_credentials(request, query_tokens=True)
        with self.assertRaises(BadCredentials):
            read(**basic("u", "x" * 9000))

    def test_switched_off(self) -> None:
        """In the address they may be forbidden; in the header they stay good."""
        with self.assertRaisesRegex(Unauthenticated, "address"):
            read("/x?token=v:s", query_tokens=False)
        self.assertIsNotNone(read("/x", query_tokens=False, **basic("u", "s")))
