"""The port to keys that follow from the installation's secret."""

from collections.abc import Callable, Sequence

__all__ = ["FormerKeys", "Keys", "no_former"]

Keys = Callable[[str], bytes]
"""Returns the 32 bytes for one purpose, always the same ones. Raises StorageFailed when the secret cannot be read."""

FormerKeys = Callable[[str], Sequence[bytes]]
"""Returns what `Keys` returned for one purpose while the installation had other secrets, the latest first."""


def no_former(_purpose: str) -> Sequence[bytes]:
    """Return that there never was another secret."""
    return ()
