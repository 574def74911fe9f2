"""
Passwords: argon2id for new ones, and what the reference left: bcrypt, and a salted SHA-512 from before.

Everything here takes its time on purpose: call it off the reactor thread.
Source: RFC 9106 section 4 (the second recommended option, with less memory); Symfony's MessageDigestPasswordHasher.
"""

import hmac
import re
from base64 import b64encode
from hashlib import sha256, sha512
from typing import Final

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import frozen

from packeton.errors import Invalid

__all__ = ["MAX_PASSWORD", "MIN_PASSWORD", "Passwords", "check_password"]

MIN_PASSWORD: Final = 6
MAX_PASSWORD: Final = 4096
BCRYPT: Final = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")
BCRYPT_BYTES: Final = 72
LEGACY: Final = re.compile(r"[0-9a-fA-F]{128}")


def check_password(password: str) -> None:
    """Raises Invalid, which says why, for a password that may not be chosen."""
    if len(password) < MIN_PASSWORD:
        raise Invalid(f"a password has at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise Invalid(f"a password has at most {MAX_PASSWORD} characters")


@frozen
class Passwords:
    """Makes and checks hashes; the defaults take some 30 ms and 19 MiB."""

    time_cost: int = 2
    memory_kib: int = 19 * 1024
    parallelism: int = 1

    def hash(self, password: str) -> str:
        """Return a new hash. Raises Invalid for a password that may not be chosen. Blocking."""
        check_password(password)
        return self.rehash(password)

    def rehash(self, password: str) -> str:
        """Return a new hash of a password that is in use, even if it could not be chosen today. Blocking."""
        return self._hasher.hash(_bytes(password))

    def verify(self, stored: str | None, password: str, salt: str | None = None) -> bool:
        """
        Say if *password* is the one of the hash. Blocking.

        Without a hash the answer is no, and takes as long: callers pass None for users that do not exist.
        """
        if len(password) > MAX_PASSWORD:
            return False
        if stored is None:
            self._verify_argon2(self._dummy, password)
            return False
        if stored.startswith("$argon2"):
            return self._verify_argon2(stored, password)
        if BCRYPT.fullmatch(stored):
            return _verify_bcrypt(stored, password)
        if LEGACY.fullmatch(stored):
            return _verify_legacy(stored, password, salt)
        return False

    def needs_rehash(self, stored: str) -> bool:
        """Say if the hash should be made anew, now that the password is at hand."""
        try:
            return not stored.startswith("$argon2") or self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    @property
    def _hasher(self) -> PasswordHasher:
        return PasswordHasher(
            time_cost=self.time_cost, memory_cost=self.memory_kib, parallelism=self.parallelism
        )

    @property
    def _dummy(self) -> str:
        """A hash with our own costs that no password is known for."""
        return (
            f"$argon2id$v=19$m={self.memory_kib},t={self.time_cost},p={self.parallelism}"
            "$cGFja2V0b25wYWNrZXRvbg$Yh4mMoDyJzE4tFqrfeyJVJ0GBE8D+dMRBi9jGAMLEWk"
        )

    def _verify_argon2(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _verify_bcrypt(stored: str, password: str) -> bool:
    """Source: Symfony's NativePasswordHasher, which hashes what bcrypt would cut off."""
    given = _bytes(password)
    if len(given) > BCRYPT_BYTES or b"\0" in given:
        given = b64encode(sha512(given).digest())
    try:
        return bcrypt.checkpw(given[:BCRYPT_BYTES], stored.encode())
    except ValueError:  # costs that there are none of
        return False


def _verify_legacy(stored: str, password: str, salt: str | None) -> bool:
    merged = f"{password}{{{salt}}}" if salt else password
    digest = sha512(_bytes(merged)).hexdigest()
    return hmac.compare_digest(sha256(digest.encode()).digest(), sha256(stored.lower().encode()).digest())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
