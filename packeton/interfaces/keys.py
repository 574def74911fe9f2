"""The port to keys that follow from the installation's secret."""

from collections.abc import Callable

__all__ = ["Keys"]

Keys = Callable[[str], bytes]
"""Returns the 32 bytes for one purpose, always the same ones. Raises StorageFailed when the secret cannot be read."""
