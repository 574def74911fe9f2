"""Tokens: their form, their checksum, and what goes to which check."""

import random
from unittest import TestCase

from packeton.core.access.accounts import TokenKind
from packeton.core.access.tokens import SecretKind, accepted_secret, has_checksum, mint, recognise, shown, token_digest
from packeton.errors import Invalid


class TokenTests(TestCase):
    """Minted and recognised."""

    def test_form(self) -> None:
        """Prefix, 32 characters, checksum; one wrong character is noticed without a look-up."""
        for kind, prefix in ((TokenKind.API, "pk_api_"), (TokenKind.PERSONAL, "pat_")):
            source = random.Random(1)
            secrets = [mint(kind, source.randrange) for _ in range(200)]
            self.assertEqual(200, len(set(secrets)))
            for secret in secrets:
                self.assertRegex(secret, rf"^{prefix}[0-9A-Za-z]{{38}}$")
                self.assertTrue(has_checksum(secret))
                place = len(prefix) + source.randrange(38)
                other = "x" if secret[place] != "x" else "y"
                self.assertFalse(has_checksum(secret[:place] + other + secret[place + 1 :]))
                self.assertEqual(prefix + secret[len(prefix) :][:2], shown(secret))
        self.assertEqual("pk_api_00000000000000000000000000000000" + "2wjyrI", mint(TokenKind.API, lambda n: 0))
        self.assertFalse(has_checksum("pat_" + "0123456789abcdef" * 4))

    def test_kinds(self) -> None:
        """The order and the lengths of the reference."""
        for (name, secret), expected in {
            ("u", "pat_" + "x" * 28): SecretKind.PERSONAL,
            ("u", "pat_" + "x" * 27): SecretKind.API,
            ("u", "pk_jwt_" + "x" * 26): SecretKind.JWT,
            ("u", "pk_jwt_short"): SecretKind.API,
            ("token", "whk_x"): SecretKind.HOOK,
            ("u", "whk_x"): SecretKind.API,
            ("token", "abcdefghij0123456789"): SecretKind.API,
        }.items():
            self.assertEqual(expected, recognise(name, secret))

    def test_accepted(self) -> None:
        """Tokens from elsewhere, and those that would be taken for another kind or could not be sent."""
        self.assertEqual("abcdefghij0123456789", accepted_secret(TokenKind.API, "abcdefghij0123456789"))
        self.assertEqual("pat_" + "a" * 64, accepted_secret(TokenKind.PERSONAL, "a" * 64))
        self.assertEqual("pat_" + "a" * 64, accepted_secret(TokenKind.PERSONAL, "pat_" + "a" * 64))
        for kind, secret in (
            (TokenKind.API, "short"), (TokenKind.API, "pat_" + "a" * 64), (TokenKind.API, "whk_abcdefgh"), (TokenKind.API, "with space"),
            (TokenKind.API, "umläut-umläut"), (TokenKind.API, "x" * 256), (TokenKind.PERSONAL, "a" * 20), (TokenKind.API, "new\nline-x"),
        ):  # fmt: skip
            with self.subTest(secret), self.assertRaises(Invalid):
                accepted_secret(kind, secret)

    def test_digest(self) -> None:
        """It depends on the key, and takes any text."""
        self.assertNotEqual(token_digest(b"1", "x"), token_digest(b"2", "x"))
        self.assertEqual(32, len(token_digest(b"1", "\ud800ü")))
