"""
The second factor: time-based one-time passwords, and recovery codes for when the phone is lost.

Source: RFC 6238 (SHA-1, 6 digits, 30 seconds, as every authenticator app has it), RFC 4226 section 5.3.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

__all__ = ["code_at", "new_recovery_codes", "new_secret", "provisioning_uri", "recovery_digest", "verify"]

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
"""80 bits: too many to guess, also for who holds the digests."""

RandomBytes = Callable[[int], bytes]


def new_secret(random: RandomBytes) -> str:
    """Return a new secret, in base32 as apps take it."""
    return base64.b32encode(random(SECRET_BYTES)).decode()


def code_at(secret: str, counter: int, *, digits: int = DIGITS) -> str:
    """Return the code of one 30-second step. Source: RFC 4226 section 5.3."""
    mac = hmac.digest(base64.b32decode(secret), counter.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def verify(secret: str, code: str, now: datetime, *, last_counter: int | None, skew: int = 1) -> int | None:
    """
    Return the step that *code* belongs to, to be kept as `last_counter`; None when it is wrong or was used already.

    Args:
        last_counter: The newest step that a code was accepted for; that step and older ones are not accepted again.
        skew: How many steps a clock may be off. Source: RFC 6238 section 5.2.
    """
    typed = re.sub(r"[\s-]", "", code)
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", typed):
        return None
    current = int(now.timestamp()) // STEP_SECONDS
    found = None
    for counter in range(max(current - skew, 0), current + skew + 1):
        if hmac.compare_digest(code_at(secret, counter), typed) and (last_counter is None or counter > last_counter):
            found = counter
    return found


def provisioning_uri(secret: str, *, account: str, issuer: str) -> str:
    """Return the `otpauth:` address that an app reads from the QR code."""
    label = quote(f"{issuer}:{account}", safe="")
    query = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"


def new_recovery_codes(random: RandomBytes) -> tuple[str, ...]:
    """Return codes that work once each; they are shown once, and only `recovery_digest` of them is kept."""
    codes = (base64.b32encode(random(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    return tuple("-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes)


def recovery_digest(code: str) -> str:
    """Return what is kept of a recovery code; spaces, hyphens and case do not matter."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode("utf-8", "surrogatepass")).hexdigest()
