"""
Was this hook sent by somebody who knows our secret?

GitHub signs with `X-Hub-Signature-256` (old ones with SHA-1 in `X-Hub-Signature`), Bitbucket with SHA-256 in
`X-Hub-Signature`, Gitea and Forgejo in their own headers without a prefix, and GitLab sends the secret itself.
Source: the webhook documentation of each.
"""

import hmac
from collections.abc import Iterator, Mapping
from hashlib import sha1, sha256
from typing import Final

__all__ = ["verified"]

BARE_HEADERS: Final = ("x-gitea-signature", "x-forgejo-signature", "x-gogs-signature")
PREFIXED_HEADERS: Final = ("x-hub-signature-256", "x-hub-signature")
TOKEN_HEADER: Final = "x-gitlab-token"  # noqa: S105 - the name of a header
HASHES: Final = {"sha256": sha256, "sha1": sha1}


def verified(headers: Mapping[str, str], body: bytes, secret: str) -> bool | None:
    """
    Say if every signature in *headers* is the one of *body*; None where there is no signature at all.

    Args:
        headers: By name, in any case.
        secret: Not empty: with an empty one anything that is signed is refused.
    """
    held = {name.lower(): value for name, value in headers.items()}
    answers = list(_answers(held, body, secret.encode()))
    if not answers:
        return None
    return bool(secret) and all(answers)


def _answers(headers: Mapping[str, str], body: bytes, secret: bytes) -> Iterator[bool]:
    for name in PREFIXED_HEADERS:
        if name in headers:
            if name == "x-hub-signature" and "x-hub-signature-256" in headers:
                continue  # GitHub sends the weak one for old receivers
            algorithm, _, given = headers[name].partition("=")
            yield algorithm in HASHES and _signs(given, body, secret, algorithm)
    for name in BARE_HEADERS:
        if name in headers:
            yield _signs(headers[name], body, secret, "sha256")
    if TOKEN_HEADER in headers:
        yield hmac.compare_digest(headers[TOKEN_HEADER].encode(errors="replace"), secret)


def _signs(given: str, body: bytes, secret: bytes, algorithm: str) -> bool:
    expected = hmac.new(secret, body, HASHES[algorithm]).hexdigest()
    return hmac.compare_digest(given.strip().lower().encode(errors="replace"), expected.encode())
