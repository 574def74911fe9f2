"""JSON web tokens; one made by PHP's libsodium, as the reference does."""

import base64
import json
from unittest import TestCase

from packeton.core.access.jwt import JsonWebTokens, make_keys
from packeton.errors import BadCredentials, Invalid
from tests.support.access import day

PRIVATE = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2uDIKUZd9jDjKikknxnDfWCHkSXYZReFenvsmoVCdIw6g=="
PUBLIC = "gyClGXfYw4yopJJ8Zw31gh5El2GUXhXp77JqFQnSMOo="
FROM_PHP = (
    "pk_jwt_eyJhbGciOiJFZERTQSJ9.WyJhbm5hIixbIlJPTEVfTUFJTlRBSU5FUiIsIlJPTEVfVVNFUiJdLFtdXQ."
    "egcLWGSCD053L4nE8q3gTGwQ3fx8YiYe_acrkHOsqBbok8sYIR7fGEhInU2MqoSjKWNaWvDbyF2C04dwtS7uDw"
)


def signed(tokens: JsonWebTokens, payload: object) -> str:
    """Return a token with any payload."""
    from jwt import PyJWS

    return "pk_jwt_" + PyJWS().encode(json.dumps(payload).encode(), tokens._private, tokens._algorithm)


class JwtTests(TestCase):
    """Made and read."""

    def test_reference(self) -> None:
        """A token of the reference is read with its keys, the public one alone too."""
        for private, public in ((PRIVATE, PUBLIC), (None, PUBLIC), (PRIVATE, None)):
            claims = JsonWebTokens.with_keys(None, private, public).read(FROM_PHP)
            self.assertEqual(("anna", {"ROLE_MAINTAINER"}, None), (claims.name, claims.roles, claims.expires_at))

    def test_algorithms(self) -> None:
        """Every algorithm signs and reads; the deterministic ones alike each time; another's token is refused."""
        for algorithm in ("EdDSA", "RS256", "RS512", "ES256", "ES384", "HS256"):
            with self.subTest(algorithm):
                keys = None if algorithm == "HS256" else make_keys(algorithm)
                private, public = ("s" * 40, None) if keys is None else (keys.private, keys.public)
                tokens = JsonWebTokens.with_keys(algorithm, private, public, key_id="k1")
                made = tokens.make("änna", ["ROLE_ADMIN"], day(2027))
                claims = tokens.read(made)
                self.assertEqual(("änna", {"ROLE_ADMIN"}, day(2027)), (claims.name, claims.roles, claims.expires_at))
                head = json.loads(base64.urlsafe_b64decode(made.removeprefix("pk_jwt_").split(".")[0] + "=="))
                self.assertEqual((algorithm, "k1"), (head["alg"], head["kid"]))
                if algorithm in {"EdDSA", "RS256", "HS256"}:
                    self.assertEqual(made, tokens.make("änna", ["ROLE_ADMIN"], day(2027)))
                with self.assertRaises(BadCredentials):
                    tokens.read(FROM_PHP)

    def test_forged(self) -> None:
        """No signature, another one, `none`, HMAC with the public key, odd payloads."""
        tokens = JsonWebTokens.with_keys(None, PRIVATE, PUBLIC)
        head, payload, signature = FROM_PHP.removeprefix("pk_jwt_").split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        hmac = JsonWebTokens.with_keys("HS256", PUBLIC, None).make("anna", [])
        forged = [f"{head}.{payload}.", f"{head}.{payload}", f"{none}.{payload}.", f"{head}.{payload[:-4]}AAAA.{signature}", "", ".", "..", "ü.x.y", hmac]
        odd = [None, [], {}, ["anna"], ["anna", [], {}, 1], [1, [], {}], ["anna", "ROLE_ADMIN", {}], ["anna", [1], {}], ["anna", [], {"exp": "x"}], ["anna", [], {"exp": True}], ["anna", [], {"exp": -1}]]
        for token in [*forged, *(signed(tokens, payload) for payload in odd)]:
            with self.subTest(token), self.assertRaises(BadCredentials):
                tokens.read(token)

    def test_bad_keys(self) -> None:
        """Each key that cannot be used is refused when it is read."""
        rsa, curve = make_keys("RS256"), make_keys("ES256")
        for algorithm, private, public in (
            ("EdDSA", None, None), ("none", PRIVATE, None), ("EdDSA", "AAAA", None), ("EdDSA", "not base64", None), ("EdDSA", rsa.private, None),
            ("RS256", curve.private, None), ("ES384", curve.private, None), ("ES256", PRIVATE, None), ("RS256", rsa.private, curve.public),
            ("HS256", "short", None), ("RS256", "-----BEGIN x", None), ("RS256", rsa.private, make_keys("RS256").public),
        ):  # fmt: skip
            with self.subTest(algorithm=algorithm, private=private), self.assertRaises(Invalid) as caught:
                JsonWebTokens.with_keys(algorithm, private, public)
            self.assertNotIn("AAAA", str(caught.exception))
        with self.assertRaises(Invalid):
            JsonWebTokens.with_keys(None, None, PUBLIC).make("anna", [])
        with self.assertRaises(Invalid):
            make_keys("HS256")

    def test_passphrase(self) -> None:
        """An encrypted private key needs its passphrase."""
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(make_keys("ES256").private.encode(), None)
        form = serialization.PrivateFormat.PKCS8
        sealed = key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"geheim")).decode()
        tokens = JsonWebTokens.with_keys("ES256", sealed, None, passphrase="geheim")
        self.assertEqual("anna", tokens.read(tokens.make("anna", [])).name)
        for wrong in (None, "falsch"):
            with self.assertRaises(Invalid):
                JsonWebTokens.with_keys("ES256", sealed, None, passphrase=wrong)
