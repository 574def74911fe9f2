"""What an unsafe request may have changed. Source: RFC 9111 section 4.4."""

from urllib.parse import SplitResult, urljoin, urlsplit

from packeton.core.caching.fields import Fields, values_of

__all__ = ["SAFE", "changed_targets", "invalidates"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Source: RFC 9110 section 9.2.1. A method that nobody knows is taken for unsafe."""
DEFAULT_PORTS = {"http": 80, "https": 443}
NAMING = ("location", "content-location")


def invalidates(method: str, status: int) -> bool:
    """Say if what is stored must be forgotten: the method is unsafe, and the answer is no error."""
    return method not in SAFE and 200 <= status < 400


def changed_targets(base: str, target: str, response: Fields) -> frozenset[str]:
    """
    Return the targets to forget: *target*, and those of this origin that Location and Content-Location name.

    Args:
        base: The origin's URL, without a slash at the end; targets are relative to it.
        response: The answer to the unsafe request. A URL of another origin, outside *base* or unreadable counts for
            nothing: one origin must not empty another one's cache.
    """
    named = (_target_of(base, target, value) for name in NAMING for value in values_of(response, name))
    return frozenset({target, *(found for found in named if found is not None)})


def _target_of(base: str, target: str, reference: str) -> str | None:
    try:
        here, there = urlsplit(base), urlsplit(urljoin(base + target, reference.strip()))
        same = _origin(here) == _origin(there)
    except ValueError:
        return None
    path = there.path.removeprefix(here.path)
    if not same or not there.path.startswith(here.path) or (not path.startswith(("/", "?")) and path):
        return None
    return path + (f"?{there.query}" if there.query else "")


def _origin(url: SplitResult) -> tuple[str, str, int | None]:
    return url.scheme, (url.hostname or ""), url.port or DEFAULT_PORTS.get(url.scheme)
