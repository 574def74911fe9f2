"""
JSON web tokens as the reference makes them: `pk_jwt_` and a JWS of `[username, roles, extra]`.

A token names its user's roles, so that a change of them ends it; nothing about it is kept. EdDSA and HMAC always give
the same token for the same user. With a lifetime `extra` holds `exp`, in Unix seconds.
Source: contract 03 section 4; RFC 7515, RFC 8037.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt import PyJWS
from jwt.exceptions import InvalidKeyError, PyJWTError

from packeton.core.access.tokens import JWT_PREFIX
from packeton.errors import BadCredentials, Invalid

__all__ = ["ALGORITHMS", "Claims", "JsonWebTokens", "KeyPair", "make_keys"]

ALGORITHMS: Final = ("EdDSA", "RS256", "RS384", "RS512", "ES256", "ES384", "HS256", "HS384", "HS512")
CURVES: Final = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}
RSA_BITS: Final = 3072
MIN_SHARED_BYTES: Final = 32
SEED_BYTES: Final = 32
IMPLIED: Final = "ROLE_USER"
"""The role that the reference adds to everybody's."""


@frozen(kw_only=True)
class Claims:
    """What a good token says."""

    name: str
    roles: frozenset[str]
    """Without the one that everybody has."""
    expires_at: datetime | None = None


@frozen(kw_only=True)
class KeyPair:
    """Two keys as text: PEM, or base64 of libsodium's bytes for EdDSA; of a shared secret both are the same."""

    private: str = field(repr=False)
    public: str


@frozen
class JsonWebTokens:
    """Signs and checks tokens; without a private key it only checks."""

    _algorithm: str
    _private: Any = field(repr=False)
    _public: Any = field(repr=False)
    _key_id: str | None = None

    @classmethod
    def with_keys(
        cls,
        algorithm: str | None,
        private: str | None,
        public: str | None,
        *,
        passphrase: str | None = None,
        key_id: str | None = None,
    ) -> "JsonWebTokens":
        """
        Read keys: PEM, for EdDSA also base64 of libsodium's, for HMAC the secret itself.

        Raises:
            Invalid: a key cannot be read, or is not one for *algorithm*.
        """
        algorithm = algorithm or "EdDSA"
        if algorithm not in ALGORITHMS:
            raise Invalid(f"{algorithm[:20]!r} is no algorithm: {', '.join(ALGORITHMS)}")
        if private is None and public is None:
            raise Invalid("a key is missing")
        try:
            if algorithm.startswith("HS"):
                shared = _shared(private or public or "")
                return cls(algorithm, shared, shared, key_id)
            secret = None if private is None else _private_key(algorithm, private, passphrase)
            known = secret.public_key() if public is None and secret is not None else _public_key(public or "")
            read = cls(algorithm, secret, known, key_id)
            _check_fit(algorithm, known)
            if secret is not None:  # also that both belong together
                read.read(read.make("check", ()))
        except (ValueError, TypeError, UnsupportedAlgorithm, InvalidKeyError, PyJWTError, BadCredentials) as error:
            raise Invalid(f"the keys cannot be used for {algorithm}") from error
        return read

    def make(self, name: str, roles: Iterable[str], expires_at: datetime | None = None) -> str:
        """Return a user's token. Raises Invalid without a private key."""
        if self._private is None:
            raise Invalid("there is no private key to sign with")
        extra = {} if expires_at is None else {"exp": int(expires_at.timestamp())}
        payload = json.dumps([name, sorted({*roles, IMPLIED}), extra], separators=(",", ":"), ensure_ascii=False)
        headers = None if self._key_id is None else {"kid": self._key_id}
        return JWT_PREFIX + PyJWS().encode(payload.encode(), self._private, self._algorithm, headers)

    def read(self, token: str) -> Claims:
        """Return what a token with a good signature says. Raises BadCredentials; its end is the caller's to check."""
        try:
            payload = PyJWS().decode(token.removeprefix(JWT_PREFIX), self._public, [self._algorithm])
            name, roles, extra = json.loads(payload)
        except (PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise BadCredentials("the web token is malformed, or its signature is wrong") from error
        if not isinstance(name, str) or not isinstance(roles, list) or not all(isinstance(one, str) for one in roles):
            raise BadCredentials("the web token does not name a user and roles")
        ends = extra.get("exp") if isinstance(extra, dict) else None
        if ends is not None and (isinstance(ends, bool) or not isinstance(ends, int) or not 0 <= ends < 2**40):
            raise BadCredentials("the web token has an odd end", name=name)
        moment = None if ends is None else datetime.fromtimestamp(ends, UTC)
        return Claims(name=name, roles=frozenset(roles) - {IMPLIED}, expires_at=moment)


def make_keys(algorithm: str | None) -> KeyPair:
    """Return new keys for *algorithm*. Raises Invalid when there is no such one."""
    algorithm = algorithm or "EdDSA"
    if algorithm == "EdDSA":
        key = Ed25519PrivateKey.generate()
        known = key.public_key().public_bytes_raw()
        return KeyPair(private=_base64(key.private_bytes_raw() + known), public=_base64(known))
    if algorithm.startswith("RS") and algorithm in ALGORITHMS:
        return _pem(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))
    if algorithm in CURVES:
        return _pem(ec.generate_private_key(CURVES[algorithm]()))
    raise Invalid(f"{algorithm[:20]!r} is no algorithm with two keys: {', '.join(ALGORITHMS[:6])}")


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> KeyPair:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyPair(private=private.decode(), public=public.decode())


def _private_key(algorithm: str, text: str, passphrase: str | None) -> Any:
    if "-----" not in text and algorithm == "EdDSA":
        return Ed25519PrivateKey.from_private_bytes(_unbase64(text)[:SEED_BYTES])
    return serialization.load_pem_private_key(text.encode(), None if passphrase is None else passphrase.encode())


def _public_key(text: str) -> Any:
    if "-----" not in text:
        return Ed25519PublicKey.from_public_bytes(_unbase64(text))
    return serialization.load_pem_public_key(text.encode())


def _check_fit(algorithm: str, key: Any) -> None:
    wanted = {"E": Ed25519PublicKey, "R": rsa.RSAPublicKey}.get(algorithm[0]) if algorithm not in CURVES else None
    if algorithm in CURVES:
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES[algorithm]):
            raise TypeError("another kind of key")
    elif wanted is None or not isinstance(key, wanted):
        raise TypeError("another kind of key")


def _shared(text: str) -> bytes:
    secret = text.strip().encode()
    if len(secret) < MIN_SHARED_BYTES:
        raise ValueError("too short")
    return secret


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
