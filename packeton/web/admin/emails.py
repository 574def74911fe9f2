"""What an e-mail address may look like in a form."""

import re
from typing import Final

__all__ = ["is_email"]

EMAIL: Final = re.compile(r"[^@\s\x00-\x1f<>\"(),:;\\]{1,64}@[^@\s\x00-\x1f<>\"(),:;\\]{1,120}")


def is_email(text: str) -> bool:
    """Say if *text* can be an address; whether mail arrives there only a mail can tell."""
    return EMAIL.fullmatch(text) is not None
