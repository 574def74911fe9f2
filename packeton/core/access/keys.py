"""Keys for one purpose each, out of the one secret of an installation."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["derived_key"]


def derived_key(secret: bytes, purpose: str) -> bytes:
    """Return 32 bytes that follow only from *secret*, and tell nothing of it or of other keys. RFC 5869."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"packeton {purpose}".encode()).derive(secret)
