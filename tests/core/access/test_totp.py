"""One-time passwords."""

import base64
from datetime import UTC, datetime, timedelta
from unittest import TestCase
from urllib.parse import parse_qs, urlsplit

from packeton.core.access import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class TotpTests(TestCase):
    """RFC 6238."""

    def test_vectors(self) -> None:
        """The values of RFC 6238 appendix B for SHA-1, and of RFC 4226 appendix D."""
        for seconds, code in (
            (59, "94287082"),
            (1111111109, "07081804"),
            (1111111111, "14050471"),
            (1234567890, "89005924"),
            (2000000000, "69279037"),
            (20000000000, "65353130"),
        ):
            self.assertEqual(code, totp.code_at(SECRET, seconds // 30, digits=8))
            self.assertEqual(seconds // 30, totp.verify(SECRET, code[2:], at(seconds), last_counter=None))
        for counter, code in enumerate(("755224", "287082", "359152", "969429", "338314")):
            self.assertEqual(code, totp.code_at(SECRET, counter))

    def test_skew(self) -> None:
        """A clock may be one step off either way, and not two."""
        now = at(1_700_000_000)
        for steps, good in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
            code = totp.code_at(SECRET, 1_700_000_000 // 30 + steps)
            found = totp.verify(SECRET, code, now, last_counter=None)
            self.assertEqual(1_700_000_000 // 30 + steps if good else None, found)

    def test_used_once(self) -> None:
        """A code that was accepted is not accepted again, nor an older one."""
        now = at(1_700_000_000)
        counter = totp.verify(SECRET, totp.code_at(SECRET, 1_700_000_000 // 30), now, last_counter=None)
        self.assertIsNone(totp.verify(SECRET, totp.code_at(SECRET, counter), now, last_counter=counter))
        self.assertIsNone(totp.verify(SECRET, totp.code_at(SECRET, counter - 1), now, last_counter=counter))
        later = now + timedelta(seconds=30)
        self.assertEqual(
            counter + 1, totp.verify(SECRET, totp.code_at(SECRET, counter + 1), later, last_counter=counter)
        )

    def test_typed(self) -> None:
        """Spaces and hyphens do not matter; what is no code never counts."""
        code = totp.code_at(SECRET, 1)
        self.assertEqual(1, totp.verify(SECRET, f" {code[:3]} {code[3:]} ", at(59), last_counter=None))
        arabic = "".join(chr(0x660 + int(digit)) for digit in code)
        for wrong in ("", "abcdef", code[:5], code + "0", arabic, "-1", "\ud800" * 6, "9" * 10_000):
            self.assertIsNone(totp.verify(SECRET, wrong, at(59), last_counter=None), repr(wrong[:9]))

    def test_address(self) -> None:
        """The app's address names account and issuer, whatever they hold."""
        secret = totp.new_secret(lambda count: b"s" * count)
        uri = urlsplit(totp.provisioning_uri(secret, account="ann/ö@x", issuer="My & Packeton"))
        self.assertEqual(("otpauth", "totp"), (uri.scheme, uri.netloc))
        self.assertEqual("/My%20%26%20Packeton%3Aann%2F%C3%B6%40x", uri.path)
        self.assertEqual([secret], parse_qs(uri.query)["secret"])
        self.assertEqual(["My & Packeton"], parse_qs(uri.query)["issuer"])

    def test_recovery(self) -> None:
        """Recovery codes differ, are easy to type, and are recognised however they are typed."""
        numbers = iter(range(255))
        codes = totp.new_recovery_codes(lambda count: bytes([next(numbers)]) * count)
        self.assertEqual(10, len(set(codes)))
        for code in codes:
            self.assertRegex(code, r"^[a-z2-7]{4}(-[a-z2-7]{4}){3}$")
            typed = f" {code.replace('-', ' ').upper()} "
            self.assertEqual(totp.recovery_digest(code), totp.recovery_digest(typed))
        self.assertNotIn(codes[0], totp.recovery_digest(codes[0]))
