"""Keys of cache entries; nothing a client sends makes one too long or unreadable."""

from hashlib import sha256

__all__ = ["proxy_key"]

MAX_KEY = 400


def proxy_key(name: str, target: str) -> str:
    """
    Return the primary key of a target (path and query, as they came) behind the proxy *name*.

    A target that is long, or odd, or holds the "#" that marks a digest, becomes a digest: no two targets meet.
    """
    key = f"proxy/{name}{target}"
    if len(key) <= MAX_KEY and key.isascii() and key.isprintable() and "#" not in target:
        return key
    return f"proxy/{name}/#{sha256(target.encode()).hexdigest()}"
