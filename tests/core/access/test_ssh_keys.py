"""Private ssh keys as people paste them."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import TestCase, skipUnless

from packeton.core.access.ssh_keys import read_ssh_key
from packeton.errors import Invalid


@skipUnless(shutil.which("ssh-keygen"), "ssh-keygen is not installed")
class SshKeyTests(TestCase):
    """Held against ssh-keygen."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def make(self, *options: str, passphrase: str = "") -> str:
        path = self.folder / "-".join(("key", *options, passphrase)).replace("/", "")
        subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", str(path), *options], check=True, timeout=30)
        return path.read_text()

    def print_of(self, text: str, form: str) -> str:
        path = self.folder / "shown"
        path.write_text(text)
        path.chmod(0o600)
        done = subprocess.run(["ssh-keygen", "-l", "-E", form, "-f", str(path)], check=True, timeout=30, capture_output=True, text=True)
        return done.stdout.split()[1]

    def test_kinds(self) -> None:
        """Every form with any line ends; ssh reads what is kept, and shows the same fingerprints."""
        for options in (("-t", "ed25519"), ("-t", "rsa", "-b", "2048", "-m", "PEM"), ("-t", "ecdsa", "-m", "PEM"), ("-t", "rsa", "-b", "2048", "-m", "PKCS8"), ("-t", "ecdsa")):
            with self.subTest(options):
                text = self.make(*options)
                for given in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r"), f"\n  {text.strip()}  "):
                    key = read_ssh_key(given)
                    self.assertEqual(text, key.text)
                    expected = self.print_of(key.text, "sha256")
                    if "-m" in options:
                        expected += " " + self.print_of(key.text, "md5")
                    self.assertEqual(expected, key.fingerprint)
                    self.assertNotIn(text.splitlines()[1], repr(key))

    def test_ed25519_as_pkcs8(self) -> None:
        """ssh does not read it in that form: it is kept in its own."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        key = read_ssh_key(text)
        self.assertEqual(self.print_of(key.text, "sha256"), key.fingerprint.split()[0])

    def test_refused(self) -> None:
        """With advice."""
        locked = [self.make("-t", "ed25519", passphrase="geheim"), self.make("-t", "rsa", "-b", "2048", "-m", "PEM", passphrase="geheim"), self.make("-t", "rsa", "-b", "2048", "-m", "PKCS8", passphrase="geheim")]
        for text in locked:
            with self.assertRaisesRegex(Invalid, "passphrase.*ssh-keygen -p"):
                read_ssh_key(text)
        good = self.make("-t", "ed25519")
        public = (self.folder / "key--t-ed25519-").with_suffix(".pub").read_text()
        for text, message in (("ssh-ed25519 AAAA x", "public"), (public, "public"), ("", "no private key"), ("geheim", "no private key"), (good[:150] + "\n-----END OPENSSH PRIVATE KEY-----", "damaged"),
                              ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "damaged"), ("PuTTY-User-Key-File-3: x", "PuTTY"), ("x" * 40_000, "too long"), (good.replace("b", "ä"), "damaged")):  # fmt: skip
            with self.subTest(message), self.assertRaisesRegex(Invalid, message):
                read_ssh_key(text)
