"""Options of the reference system that are known here and do not work yet: refused, never ignored."""

from typing import Any, Final

__all__ = ["ACCEPTED", "UNBUILT"]

UNBUILT: Final[dict[str, tuple[Any, ...]]] = {
    # path ("*" is any name) → the values that ask for nothing
    "packeton.github_no_api": (None, True),
    "packeton.rss_max_items": (None, 30, 40),
    "packeton.integrations": (None, {}, []),
}
ACCEPTED: Final = frozenset(
    {"packeton.mirrors.*.without_path_prefix", "packeton.mirrors.*.chain_providers"}
)
"""Accepted and unused, as in the reference."""
