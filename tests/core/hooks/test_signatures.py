"""Signatures of hooks."""

import hmac
from hashlib import sha1, sha256

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.hooks.signatures import verified

BODY, SECRET = b'{"a": 1}', "It's a Secret"
GOOD = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()
GOOD_SHA1 = hmac.new(SECRET.encode(), BODY, sha1).hexdigest()


class SignatureTests(SynchronousTestCase):
    """verified()."""

    def test_documented_example(self) -> None:
        """The values of GitHub's documentation."""
        headers = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
        self.assertIs(True, verified(headers, b"Hello, World!", "It's a Secret to Everybody"))

    def test_good(self) -> None:
        """Each forge's header."""
        for name, value in (
            ("X-Hub-Signature-256", f"sha256={GOOD}"), ("X-Hub-Signature", f"sha1={GOOD_SHA1}"), ("x-hub-signature", f"sha256={GOOD}"),
            ("X-Gitea-Signature", GOOD), ("X-Forgejo-Signature", GOOD.upper()), ("X-Gogs-Signature", GOOD), ("X-Gitlab-Token", SECRET),
        ):  # fmt: skip
            self.assertIs(True, verified({name: value}, BODY, SECRET), name)

    def test_bad(self) -> None:
        """Wrong ones, half ones, unknown kinds, and one wrong among good ones."""
        for headers in (
            {"X-Hub-Signature-256": f"sha256={GOOD[:-1]}0" if GOOD[-1] != "0" else f"sha256={GOOD[:-1]}1"}, {"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": GOOD},
            {"X-Hub-Signature-256": f"md5={GOOD}"}, {"X-Hub-Signature": f"sha1={GOOD}"}, {"X-Gitea-Signature": f"sha256={GOOD}"}, {"X-Gitlab-Token": "é"},
            {"X-Gitlab-Token": ""}, {"X-Gitea-Signature": GOOD, "X-Gitlab-Token": "no"}, {"X-Hub-Signature-256": "sha256=0", "X-Hub-Signature": f"sha1={GOOD_SHA1}"},
        ):  # fmt: skip
            self.assertIs(False, verified(headers, BODY, SECRET), headers)

    def test_none(self) -> None:
        """Without a signature there is nothing to say; with an empty secret nothing is good."""
        self.assertIsNone(verified({"X-GitHub-Event": "push"}, BODY, SECRET))
        empty = hmac.new(b"", BODY, sha256).hexdigest()
        self.assertIs(False, verified({"X-Gitea-Signature": empty}, BODY, ""))
        self.assertIs(False, verified({"X-Gitlab-Token": ""}, BODY, ""))

    @given(st.binary(max_size=64), st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()), st.binary(min_size=1, max_size=4))
    def test_any_change(self, body: bytes, secret: str, more: bytes) -> None:
        """Another body is another signature."""
        headers = {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, sha256).hexdigest()}"}
        self.assertIs(True, verified(headers, body, secret))
        self.assertIs(False, verified(headers, body + more, secret))
