"""Lists of proxies and hosts in one text, as the reference's variables hold them."""

import re
from typing import Any, Final

__all__ = ["parts", "proxies"]

COMMA: Final = re.compile(r",(?![^{]*\})")
"""Not the comma of `{1,3}`. Source: Symfony's FrameworkBundle, on TRUSTED_HOSTS."""
PRIVATE: Final = (
    "127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "169.254.0.0/16", "::1/128", "fc00::/7",
    "fe80::/10",
)  # fmt: skip
WORDS: Final = {"private_ranges": PRIVATE, "PRIVATE_SUBNETS": PRIVATE, "REMOTE_ADDR": ("0.0.0.0/0", "::/0")}
"""Source: Symfony's HttpFoundation, Request::setTrustedProxies and IpUtils."""


def parts(text: str) -> list[str]:
    """Return what stands between commas."""
    return [part.strip() for part in COMMA.split(text) if part.strip()]


def proxies(value: Any) -> Any:
    """Return a text, or a list, of addresses and ranges as a list, with ranges in place of Symfony's words for them."""
    listed = parts(value) if isinstance(value, str) else value
    if not isinstance(listed, list):
        return listed
    return [one for part in listed for one in (WORDS.get(part, (part,)) if isinstance(part, str) else (part,))]
