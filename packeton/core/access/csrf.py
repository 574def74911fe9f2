"""
Form tokens: a POST is taken only with a token that another site cannot know.

The token is an HMAC keyed with the value of the session's cookie, which is 256 random bits and new at each login; so
it ends with the session, and needs no place to be kept.
"""

import base64
import hmac

__all__ = ["form_token", "is_form_token"]

MIN_SESSION_CHARACTERS = 32


def form_token(session: str) -> str:
    """Return the token of the forms of one session, by the value of its cookie."""
    mac = hmac.digest(session.encode("utf-8", "surrogatepass"), b"packeton form", "sha256")
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def is_form_token(session: str | None, token: str | None) -> bool:
    """Say if *token* came from a form of this session; never without a session."""
    if session is None or token is None or len(session) < MIN_SESSION_CHARACTERS:
        return False
    return hmac.compare_digest(form_token(session).encode(), token.encode("utf-8", "surrogatepass"))
