"""Texts of strangers, before they are stored or shown."""

import re

__all__ = ["legible"]

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def legible(text: str) -> str:
    """
    Return *text* without terminal sequences, control characters (but for tab and line feed) and lone surrogates.

    PostgreSQL stores no NUL, and no database half a surrogate pair.
    """
    return CONTROLS.sub("", text)
