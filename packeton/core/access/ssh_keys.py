"""Private ssh keys as people paste them: which can be used, and their fingerprints."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import md5, sha256
from typing import Final

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from packeton.errors import Invalid

__all__ = ["SshKey", "read_ssh_key"]

Key = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
MAX_CHARACTERS: Final = 32 << 10
MIN_RSA_BITS: Final = 1024
"""What OpenSSH takes. Source: ssh_config(5), RequiredRSASize."""
OPENSSH: Final = "-----BEGIN OPENSSH PRIVATE KEY-----"
LOCKED: Final = (
    "the key is protected by a passphrase, which nobody could type here: take it off a copy of the key with "
    "`ssh-keygen -p`, or better make a key of its own for this purpose"
)


@frozen(kw_only=True)
class SshKey:
    """A private key that ssh can use without asking anybody."""

    text: str = field(repr=False)
    """With plain line ends, and one at the end."""
    fingerprint: str
    """`SHA256:…`, for PEM with ` MD5:…` behind it, which is what the reference shows."""


def read_ssh_key(text: str) -> SshKey:
    """
    Read a private key: RSA or EC as PEM, RSA, EC or ed25519 in OpenSSH's own form.

    Raises:
        Invalid: It is none, is public, wants a passphrase, or is of a kind that ssh servers do not take.
    """
    if len(text) > MAX_CHARACTERS:
        raise Invalid("is too long for an ssh key")
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")]
    clean = "\n".join(lines) + "\n"
    if lines[0].startswith(("ssh-", "ecdsa-", "sk-", "---- BEGIN SSH2", "-----BEGIN PUBLIC")):
        raise Invalid("this is the public key; the private one is needed, which begins with -----BEGIN")
    if lines[0].startswith("PuTTY-User-Key-File"):
        raise Invalid("this is a key of PuTTY; export it as an OpenSSH key")
    if "PRIVATE KEY-----" not in lines[0]:
        raise Invalid("is no private key: it must begin with -----BEGIN … PRIVATE KEY-----")
    if "ENCRYPTED" in "".join(lines[:2]):
        raise Invalid(LOCKED)
    key = _loaded(clean)
    if isinstance(key, RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise Invalid(f"an RSA key of {key.key_size} bits is too short; ssh takes {MIN_RSA_BITS} and more")
    if isinstance(key, Ed25519PrivateKey) and lines[0] != OPENSSH:  # which ssh does not read as PKCS 8
        clean = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return SshKey(text=clean, fingerprint=_fingerprint(key, with_md5=lines[0] != OPENSSH))


def _loaded(clean: str) -> Key:
    load = load_ssh_private_key if clean.startswith(OPENSSH) else load_pem_private_key
    try:
        key = load(clean.encode(), None)
    except TypeError as error:  # cryptography's way to say that it wants a password
        raise Invalid(LOCKED) from error
    except (ValueError, NotBase64, UnicodeEncodeError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower():
            raise Invalid(LOCKED) from error
        raise Invalid("the private key is damaged, or of a kind that is not known") from None
    if not isinstance(key, Key):
        raise Invalid("must be an RSA, EC or ed25519 key")
    return key


def _fingerprint(key: Key, *, with_md5: bool) -> str:
    try:
        line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid("ssh does not know the curve of this key") from error
    blob = b64decode(line.split()[1])
    fingerprint = "SHA256:" + b64encode(sha256(blob).digest()).decode().rstrip("=")
    if with_md5:
        fingerprint += " MD5:" + md5(blob, usedforsecurity=False).digest().hex(":")
    return fingerprint
