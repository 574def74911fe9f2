"""Form tokens."""

from unittest import TestCase

from packeton.core.access.csrf import form_token, is_form_token


class FormTokenTests(TestCase):
    """Bound to the session."""

    def test_bound(self) -> None:
        """A token is good for the session it was made for, and for no other."""
        token = form_token("a" * 43)
        self.assertTrue(is_form_token("a" * 43, token))
        self.assertFalse(is_form_token("b" * 43, token))
        self.assertNotIn("a" * 43, token)

    def test_wrong(self) -> None:
        """Nothing, something else, and a token without a session are refused."""
        for session, token in (
            ("a" * 43, None), ("a" * 43, ""), ("a" * 43, "x"), ("a" * 43, "\ud800"), (None, form_token("")),
            ("", form_token("")), ("short", form_token("short")), ("a" * 43, form_token("a" * 43)[:-1]),
        ):  # fmt: skip
            self.assertFalse(is_form_token(session, token), (session, token))
