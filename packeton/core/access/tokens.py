"""
API tokens, personal access tokens and tokens of hooks: made, recognised, digested.

A secret of ours is a prefix, 32 random characters and 6 of a checksum, as GitHub's: a secret scanner finds a leaked
one, and tells it from other text without asking us. `pk_api_…` belongs to a name, `pat_…` is a personal access token,
`whk_…` is for the hooks of a forge. Only a keyed digest is kept. Secrets that came from elsewhere (20 characters, or
`pat_` and 64, `whk_` and 40 hexadecimal ones, as the reference makes them) are good too.
"""

import hmac
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final
from zlib import crc32

from packeton.core.access.accounts import TokenKind
from packeton.errors import Invalid

__all__ = [
    "API_PREFIX",
    "HOOK_PREFIX",
    "JWT_PREFIX",
    "MAX_SECRET",
    "PERSONAL_PREFIX",
    "SecretKind",
    "accepted_secret",
    "has_checksum",
    "mint",
    "recognise",
    "shown",
    "token_digest",
]

API_PREFIX: Final = "pk_api_"
PERSONAL_PREFIX: Final = "pat_"
JWT_PREFIX: Final = "pk_jwt_"
HOOK_PREFIX: Final = "whk_"
PREFIXES: Final = {TokenKind.API: API_PREFIX, TokenKind.PERSONAL: PERSONAL_PREFIX, TokenKind.HOOK: HOOK_PREFIX}
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_CHARACTERS: Final = 32
CHECKSUM_CHARACTERS: Final = 6
OURS: Final = re.compile(r"(?:pk_api_|pat_|whk_)([0-9A-Za-z]{32})([0-9A-Za-z]{6})")
MAX_SECRET: Final = 4096
"""Characters; a longer secret is refused unlooked at. JSON web tokens with RSA signatures are the longest."""
MAX_CHOSEN: Final = 255
MIN_API: Final = 7
MIN_PERSONAL: Final = 32

Random = Callable[[int], int]
"""Returns a whole number below its argument, unpredictably."""


class SecretKind(StrEnum):
    """What a secret looks like, and so which check it goes to."""

    PERSONAL = "personal"
    JWT = "jwt"
    HOOK = "hook"
    API = "api"


def mint(kind: TokenKind, random: Random) -> str:
    """Return a new secret: 190 random bits."""
    body = "".join(ALPHABET[random(62)] for _ in range(RANDOM_CHARACTERS))
    return PREFIXES[kind] + body + _checksum(body)


def has_checksum(secret: str) -> bool:
    """Say if *secret* has the form of ours and its checksum is right."""
    match = OURS.fullmatch(secret)
    return match is not None and _checksum(match[1]) == match[2]


def accepted_secret(kind: TokenKind, secret: str) -> str:
    """
    Return a secret that was made elsewhere as we keep it.

    Raises:
        Invalid: it is too short or too long, has characters that credentials cannot hold, or looks like another kind.
    """
    if kind is not TokenKind.API and not secret.startswith(PREFIXES[kind]):
        secret = PREFIXES[kind] + secret
    shortest = MIN_API if kind is TokenKind.API else MIN_PERSONAL
    if not shortest <= len(secret) <= MAX_CHOSEN:
        raise Invalid(f"a token of this kind has {shortest} to {MAX_CHOSEN} characters")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise Invalid("a token has only printable ASCII characters and no space")
    if recognise(None, secret) != SecretKind(kind.value):
        raise Invalid("this token has the prefix of another kind")
    return secret


def recognise(username: str | None, secret: str) -> SecretKind:
    """Say to which check a secret goes: personal, JWT, hook, and else API token. Source: the reference."""
    if secret.startswith(PERSONAL_PREFIX) and len(secret) >= MIN_PERSONAL:
        return SecretKind.PERSONAL
    if secret.startswith(JWT_PREFIX) and len(secret) > 32:
        return SecretKind.JWT
    if secret.startswith(HOOK_PREFIX) and username in {None, "token"}:
        return SecretKind.HOOK
    return SecretKind.API


def token_digest(key: bytes, secret: str) -> bytes:
    """Return what is kept of a secret. A slow hash would add nothing: nobody guesses 190 bits."""
    return hmac.digest(key, secret.encode("utf-8", "surrogatepass"), "sha256")


def shown(secret: str) -> str:
    """Return the part of a secret that lists may show: its prefix and two characters, or two of a short one."""
    for prefix in (*PREFIXES.values(), JWT_PREFIX):
        if secret.startswith(prefix):
            return secret[: len(prefix) + 2]
    return secret[:2]


def _checksum(body: str) -> str:
    number, characters = crc32(body.encode()), ""
    for _ in range(CHECKSUM_CHARACTERS):
        number, rest = divmod(number, 62)
        characters = ALPHABET[rest] + characters
    return characters
