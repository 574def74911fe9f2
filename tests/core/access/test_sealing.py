"""Secrets at rest: ours, and what the reference encrypted."""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from unittest import TestCase, skipUnless

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from packeton.core.access.sealing import Sealer, context_of
from packeton.errors import Unsealable

SECRET = "8a6f1f3c5f0c4c1c9d1be7c65b44b9d1"
PLACE = context_of("credentials", "ssh_key", 7)
PHP = """
$secret = $argv[1]; $text = $argv[2];
$iv = random_bytes(16);
$head = json_encode(['ivLength' => 16, 'algo' => 'aes-256-cbc']);
$plain = base64_encode($head . "\\n" . $iv . openssl_encrypt($text, 'aes-256-cbc', $secret, OPENSSL_RAW_DATA, $iv));
echo $plain, "\\n", base64_encode(hash_hmac('sha512', $plain, $secret, true) . $plain);
"""


def reference(text: str, secret: str = SECRET) -> str:
    """Encrypt as contract 03 section 13 says, by no code of ours."""
    iv = bytes(range(16))
    pad = 16 - len(text.encode()) % 16
    key = secret.encode()[:32] + bytes(max(0, 32 - len(secret.encode())))
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(text.encode() + bytes([pad]) * pad) + encryptor.finalize()
    return b64encode(json.dumps({"ivLength": 16, "algo": "aes-256-cbc"}).encode() + b"\n" + iv + ciphertext).decode()


class SealingTests(TestCase):
    """What a Sealer promises."""

    def setUp(self) -> None:
        self.sealer = Sealer([SECRET], os.urandom)

    @settings(max_examples=50, deadline=None)
    @given(st.text(), st.text())
    def test_round_trip(self, text: str, place: str) -> None:
        """Any text comes back in its place, and never stands in what is stored."""
        sealer = Sealer([SECRET], os.urandom)
        sealed = sealer.seal(text, place)
        self.assertEqual(text, sealer.open(sealed, place))
        self.assertTrue(sealer.is_current(sealed))
        self.assertNotEqual(sealed, sealer.seal(text, place))

    def test_other_place(self) -> None:
        """A sealed text that is copied elsewhere, or changed anywhere, does not open."""
        sealed = self.sealer.seal("hidden", PLACE)
        self.assertNotIn("hidden", sealed)
        self.assertRaises(Unsealable, self.sealer.open, sealed, context_of("credentials", "ssh_key", 8))
        for at in (5, 14, 20, 40):
            other = "A" if sealed[at] != "A" else "B"
            changed = sealed[:at] + other + sealed[at + 1 :]
            self.assertRaises(Unsealable, self.sealer.open, changed, PLACE)
        self.assertRaises(Unsealable, self.sealer.open, sealed[:20], PLACE)
        self.assertRaises(Unsealable, self.sealer.open, "pk1.", PLACE)

    def test_rotation(self) -> None:
        """A former secret opens and is not current; without it the text is lost, and the error names no secret."""
        sealed = self.sealer.seal("hidden", PLACE)
        rotated = Sealer(["tellnobody", SECRET], os.urandom)
        self.assertEqual("hidden", rotated.open(sealed, PLACE))
        self.assertFalse(rotated.is_current(sealed))
        with self.assertRaises(Unsealable) as caught:
            Sealer(["tellnobody"], os.urandom).open(sealed, PLACE)
        self.assertNotIn("tellnobody", str(caught.exception))
        self.assertNotIn(SECRET, repr(rotated))
        self.assertRaises(ValueError, Sealer, [], os.urandom)
        self.assertRaises(ValueError, Sealer, [""], os.urandom)

    def test_derived(self) -> None:
        """Keys for other purposes differ by purpose and secret, and stay."""
        self.assertEqual(self.sealer.derive("tokens"), Sealer([SECRET, "x"], os.urandom).derive("tokens"))
        self.assertNotEqual(self.sealer.derive("tokens"), self.sealer.derive("sessions"))
        self.assertNotEqual(self.sealer.derive("tokens"), Sealer(["x"], os.urandom).derive("tokens"))

    def test_clear_text(self) -> None:
        """What is in no sealed form is returned as it is."""
        for text in ("", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", '{"http-basic":{}}', "aGVsbG8=", "pk2.x", "{}\n"):
            self.assertEqual(text, self.sealer.open(text, PLACE))
            self.assertFalse(self.sealer.is_current(text))

    def test_reference(self) -> None:
        """AES-256-CBC of the reference opens by the right secret, short and long ones, and by no other."""
        for secret in (SECRET, "short", "a" * 50):
            for text in ("", "key\n" * 500, "exactly sixteen.", "ÄÖ€"):
                self.assertEqual(text, Sealer(["other", secret], os.urandom).open(reference(text, secret), PLACE))
        self.assertRaises(Unsealable, Sealer(["other"], os.urandom).open, reference("key\n" * 50), PLACE)
        self.assertRaises(Unsealable, self.sealer.open, reference("text")[:60], PLACE)

    @skipUnless(shutil.which("php"), "php is not installed")
    def test_php(self) -> None:
        """What PHP encrypts opens: with the HMAC around it only as long as nobody changed it."""
        text = '{"http-basic":{"example.com":{"username":"u","password":"p"}}}'
        done = subprocess.run(["php", "-r", PHP, "--", SECRET, text], capture_output=True, text=True, timeout=30, check=True)
        plain, authenticated = done.stdout.split()
        self.assertEqual(text, self.sealer.open(plain, PLACE))
        self.assertEqual(text, self.sealer.open(authenticated, PLACE))
        self.assertRaises(Unsealable, Sealer(["other"], os.urandom).open, authenticated, PLACE)
        swapped = ("B" if authenticated[3] == "A" else "A")
        self.assertRaises(Unsealable, self.sealer.open, authenticated[:3] + swapped + authenticated[4:], PLACE)
