"""
Secrets at rest: text that is sealed before it goes into a column.

Theory: `pk1.<key id>.<base64url of nonce and ciphertext>`, AES-256-GCM. Its key comes from APP_SECRET by HKDF-SHA256,
and so does the key id, which says by which of several secrets a text was sealed: after a change of APP_SECRET the
former one stays readable as a previous secret until all is sealed anew. The *context* (table, column and row) is
associated data: a sealed text that is copied to another row does not open there.

What the reference system encrypted opens too (AES-256-CBC, with or without HMAC-SHA512), and so does clear text, which
the reference kept in old rows: only what was sealed by us is proof against change. Source: contract 03 section 13.
"""

import binascii
import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hmac import compare_digest, digest
from typing import Final

from attrs import define, field
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from packeton.errors import Unsealable

__all__ = ["Sealer", "context_of"]

MARK: Final = "pk1."
NONCE_BYTES: Final = 12
ID_DIGITS: Final = 8
MAC_BYTES: Final = 64
IV_BYTES: Final = 16
MAX_HEAD_BYTES: Final = 200
"""Of the JSON line before the reference's ciphertext."""
LOST: Final = "a stored secret cannot be opened: APP_SECRET is another one than it was sealed with"


def context_of(table: str, column: str, row: object) -> str:
    """Return the context of a column's value: it opens only in the row it was sealed for."""
    return f"{table}/{column}/{row}"


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"packeton " + purpose).derive(secret)


@define
class _Key:
    """What follows from one APP_SECRET."""

    secret: bytes = field(repr=False)
    name: str = field(init=False)
    cipher: AESGCM = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.name = _derived(self.secret, b"key id", ID_DIGITS // 2).hex()
        self.cipher = AESGCM(_derived(self.secret, b"sealing", 32))


class Sealer:
    """
    Seals with the first secret, opens with any.

    Args:
        secrets: APP_SECRET, then former ones; at least one, none empty.
        random_bytes: Returns that many bytes nobody can guess.
    """

    def __init__(self, secrets: Sequence[str], random_bytes: Callable[[int], bytes]) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a sealer needs a secret")
        self._keys = [_Key(secret.encode()) for secret in secrets]
        self._random_bytes = random_bytes

    def __repr__(self) -> str:
        return f"<Sealer {' '.join(key.name for key in self._keys)}>"

    @property
    def key_id(self) -> str:
        """Name the key that seals."""
        return self._keys[0].name

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """Return key material for another purpose (keyed hashes, signatures), which tells nothing of the secret."""
        return _derived(self._keys[0].secret, b"derived " + purpose.encode(), length)

    def seal(self, text: str, context: str) -> str:
        """Seal *text* for the place *context*."""
        nonce = self._random_bytes(NONCE_BYTES)
        sealed = self._keys[0].cipher.encrypt(nonce, text.encode(), context.encode())
        return f"{MARK}{self.key_id}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, text: str, context: str) -> str:
        """
        Return what was sealed for *context*, or what the reference encrypted, or clear text as it is.

        Raises:
            Unsealable: no secret fits, or somebody changed the text, or it was sealed for another place.
        """
        if text.startswith(MARK):
            return self._open(text, context)
        body = _decoded(text)
        if body is None:
            return text
        inner = _inner(body)
        if inner is not None:
            return self._open_authenticated(body, inner)
        return text if _split(body) is None else self._open_plain(body)

    def is_current(self, text: str) -> bool:
        """Say if *text* is sealed by the first secret: anything else wants to be sealed anew."""
        return text.startswith(f"{MARK}{self.key_id}.")

    def _open(self, text: str, context: str) -> str:
        name, _, encoded = text[len(MARK) :].partition(".")
        try:
            body = urlsafe_b64decode(encoded)
        except (ValueError, binascii.Error) as error:
            raise Unsealable("a stored secret is damaged") from error
        for key in self._keys:
            if key.name == name:
                try:
                    return key.cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], context.encode()).decode()
                except (InvalidTag, ValueError) as error:
                    raise Unsealable("a stored secret is damaged, or stands in another place") from error
        raise Unsealable(LOST)

    def _open_authenticated(self, body: bytes, inner: bytes) -> str:
        """Open the reference's form with an HMAC in front, which tells which secret is the right one."""
        for key in self._keys:
            if compare_digest(digest(key.secret, body[MAC_BYTES:], "sha512"), body[:MAC_BYTES]):
                opened = _decrypted(key.secret, inner)
                if opened is not None:
                    return opened
        raise Unsealable(LOST)

    def _open_plain(self, body: bytes) -> str:
        """Open the reference's form without a check sum: the wrong secret gives bad padding, or no text."""
        for key in self._keys:
            opened = _decrypted(key.secret, body)
            if opened is not None:
                return opened
        raise Unsealable(LOST)


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def _inner(body: bytes) -> bytes | None:
    """Return what the reference's HMAC protects, decoded; None for another form."""
    try:
        inner = _decoded(body[MAC_BYTES:].decode("ascii"))
    except UnicodeDecodeError:
        return None
    return inner if inner is not None and _split(inner) is not None else None


def _split(body: bytes) -> tuple[bytes, bytes] | None:
    """Return initialisation vector and ciphertext of the reference's form; None for another form."""
    head, line_end, rest = body.partition(b"\n")
    if not line_end or len(head) > MAX_HEAD_BYTES or not head.startswith(b"{"):
        return None
    try:
        facts = json.loads(head)
    except ValueError:
        return None
    if not isinstance(facts, dict) or str(facts.get("algo")).lower() != "aes-256-cbc":
        return None
    return (rest[:IV_BYTES], rest[IV_BYTES:]) if facts.get("ivLength") == IV_BYTES else None


def _decrypted(secret: bytes, body: bytes) -> str | None:
    parts = _split(body)
    if parts is None or len(parts[0]) != IV_BYTES:
        return None
    decryptor = Cipher(algorithms.AES256(secret[:32].ljust(32, b"\0")), modes.CBC(parts[0])).decryptor()
    unpadder = PKCS7(128).unpadder()
    try:
        padded = decryptor.update(parts[1]) + decryptor.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError:
        return None
