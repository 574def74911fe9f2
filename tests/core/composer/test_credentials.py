"""Which credential goes to which host."""

from base64 import b64encode
from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from packeton.core.composer.credentials import Credentials, origin_of, without_userinfo
from packeton.errors import Invalid

UP = "https://up.example/repo"


def basic(pair: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", "Basic " + b64encode(pair.encode()).decode()),)


def auth(**methods: Any) -> Credentials:
    return Credentials.gather(
        url=UP, composer_auth={name.replace("_", "-"): value for name, value in methods.items()}
    )


class UrlTests(TestCase):
    """Origins, and URLs without user and password."""

    def test_origin(self) -> None:
        """Host and written port, without the scheme's own one, in lower case."""
        for url, origin in (
            ("https://Up.Example/x", "up.example"), ("https://up.example:443/", "up.example"),
            ("http://up.example:443/", "up.example:443"), ("http://u:p@up.example:81/", "up.example:81"),
            ("https://[::1]:8443/x", "[::1]:8443"), ("https://[::1]/x", "[::1]"),
        ):  # fmt: skip
            self.assertEqual(origin, origin_of(url), url)

    def test_without_userinfo(self) -> None:
        """Only user and password go, also with an at sign in them."""
        self.assertEqual("https://h:1/p?q=a@b#f", without_userinfo("https://u:p@w@h:1/p?q=a@b#f"))
        self.assertEqual("http://h/?", without_userinfo("http://h/?"))
        self.assertEqual("u://h/u@h", without_userinfo("u://u@h/u@h"))
        self.assertNotIn("secret", without_userinfo("http://u:sec\nret@h/").replace("\n", ""))


class CredentialsTests(TestCase):
    """Source: Composer's BaseIO::loadConfiguration and AuthHelper::addAuthenticationHeader."""

    def test_methods(self) -> None:
        """Each kind of credential becomes what Composer sends."""
        token = (("Authorization", "Bearer t"),)
        for credentials, host, fields in (
            (auth(http_basic={"a.example": {"username": "u", "password": "p:w"}}), "a.example", basic("u:p:w")),
            (auth(bearer={"a.example": "t"}), "a.example", token),
            (auth(github_oauth={"github.com": "t"}), "api.github.com", (("Authorization", "token t"),)),
            (auth(github_oauth={"github.com": "t"}), "github.com", ()),
            (auth(github_oauth={"github.com": "t"}), "codeload.github.com", ()),
            (auth(github_oauth={"ghe.example": "t"}), "ghe.example", basic("t:x-oauth-basic")),
            (auth(gitlab_oauth={"gitlab.com": "t"}), "gitlab.com", token),
            (auth(gitlab_oauth={"gitlab.com": {"token": "t"}}), "gitlab.com", token),
            (auth(gitlab_token={"gitlab.com": "t"}), "gitlab.com", (("PRIVATE-TOKEN", "t"),)),
            (auth(gitlab_token={"gitlab.com": {"username": "u", "token": "t"}}), "gitlab.com", basic("u:t")),
            (auth(bitbucket_oauth={"bitbucket.org": {"consumer-key": "k", "consumer-secret": "s"}}), "api.bitbucket.org",
             basic("k:s")),
            (auth(bitbucket_oauth={"bitbucket.org": {"consumer-key": "k", "consumer-secret": "s", "access-token": "t",
                                                     "access-token-expiration": 1}}), "bitbucket.org", basic("k:s")),
            (auth(bitbucket_oauth={"bitbucket.org": {"access-token": "t"}}), "bitbucket.org", token),
            (auth(custom_headers={"a.example": ["API-TOKEN: t", "X-Id:7"]}), "a.example",
             (("API-TOKEN", "t"), ("X-Id", "7"))),
            (auth(gitlab_domains=["gitlab.com"], bearer={"a.example": "t"}), "a.example", token),
        ):  # fmt: skip
            self.assertEqual(fields, credentials.fields_for(f"https://{host}/x"), host)

    def test_custom_headers_beside_another(self) -> None:
        """Custom headers come with the credential of the same host, not instead of it."""
        credentials = auth(bearer={"a.example": "t"}, custom_headers={"a.example": ["X-Id: 7"]})
        self.assertEqual({"Authorization": "Bearer t", "X-Id": "7"}, dict(credentials.fields_for("https://a.example")))

    def test_own_origin(self) -> None:
        """`http_basic` goes before the URL's user, that before auth.json; all to the upstream's own origin only."""
        stored = {"http-basic": {"up.example": {"username": "a", "password": "a"}}}
        url = "https://b%40:b%2F@up.example/repo"
        self.assertEqual(basic("a:a"), Credentials.gather(url=UP, composer_auth=stored).fields_for(UP))
        self.assertEqual(basic("b@:b/"), Credentials.gather(url=url, composer_auth=stored).fields_for(UP))
        credentials = Credentials.gather(url=url, composer_auth=stored, http_basic=("c", "c"))
        self.assertEqual(basic("c:c"), credentials.fields_for("https://up.example/dist.zip"))
        for other in ("https://up.example:8443/", "https://example/", "https://up.example.evil.example/", "https://x[/"):
            self.assertEqual((), credentials.fields_for(other), other)

    def test_never_in_the_clear(self) -> None:
        """What an https upstream is given never goes over http; an http upstream gets its own there."""
        self.assertEqual((), Credentials.gather(url="https://u:p@up.example").fields_for("http://up.example/"))
        plain = Credentials.gather(url="http://u:p@up.example")
        self.assertEqual(basic("u:p"), plain.fields_for("http://up.example/"))
        self.assertEqual(basic("u:p"), plain.fields_for("https://up.example/"))

    def test_refused(self) -> None:
        """What auth.json cannot hold is refused by its key; the value is not told."""
        for value, where in (
            ({"http-basic": {"a.example": {"username": "tellnobody"}}}, "http-basic.a.example"),
            ({"http-basic": {"a.example": "tellnobody"}}, "http-basic.a.example"),
            ({"http-basic": {"a.example": {"username": "tellnobody", "password": None}}}, "http-basic.a.example"),
            ({"bearer": {"a.example": {"tellnobody": 1}}}, "bearer.a.example"),
            ({"bearer": {"a.example": "tellnobody\r\nX: y"}}, "bearer.a.example"),
            ({"github-oauth": {"github.com": "tellnobody\n"}}, "github-oauth.github.com"),
            ({"gitlab-token": {"gitlab.com": {"token": "tellnobody"}}}, "gitlab-token.gitlab.com"),
            ({"bitbucket-oauth": {"bitbucket.org": "tellnobody"}}, "bitbucket-oauth.bitbucket.org"),
            ({"custom-headers": {"a.example": "tellnobody: 1"}}, "custom-headers.a.example"),
            ({"custom-headers": {"a.example": [": tellnobody"]}}, "custom-headers.a.example"),
            ({"custom-headers": {"a.example": ["X Y: tellnobody"]}}, "custom-headers.a.example"),
            ({"bearer": ["tellnobody"]}, "bearer"),
            ({"bearrer": {"a.example": "tellnobody"}}, "bearrer"),
        ):  # fmt: skip
            with self.assertRaises(Invalid) as caught:
                Credentials.gather(url=UP, composer_auth=value)
            self.assertTrue(str(caught.exception).startswith(where + ":"), str(caught.exception))
            self.assertNotIn("tellnobody", str(caught.exception))

    def test_silent(self) -> None:
        """Neither repr nor the realm's name tells a secret; equal credentials have equal realms."""
        credentials, again = auth(bearer={"a.example": "tellnobody"}), auth(bearer={"a.example": "tellnobody"})
        self.assertNotIn("tellnobody", repr(credentials))
        realm = credentials.realm_of("https://a.example/")
        self.assertEqual(realm, again.realm_of("https://a.example/x"))
        self.assertNotEqual(realm, auth(bearer={"a.example": "other"}).realm_of("https://a.example/"))
        self.assertNotIn("tellnobody", realm)
        self.assertEqual("", credentials.realm_of("https://b.example/"))

    @given(st.dictionaries(st.sampled_from(["http-basic", "bearer", "gitlab-token", "custom-headers", "github-oauth"]),
                           st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.text(max_size=5),
                                           lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))))  # fmt: skip
    def test_any_json(self, value: dict[str, Any]) -> None:
        """Whatever stands in auth.json is taken or refused, nothing else, and what is taken can be sent."""
        try:
            credentials = Credentials.gather(url=UP, composer_auth=value)
        except Invalid:
            return
        for host in [host for hosts in value.values() for host in hosts]:
            for name, text in credentials.fields_for(f"https://{host}/"):
                self.assertTrue(name.isascii())
                self.assertNotRegex(text, r"[\r\n\0]")
