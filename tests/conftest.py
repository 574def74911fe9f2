"""The order of the test files, for runs that share them between processes."""

from pathlib import Path

import pytest

LONGEST_FIRST = ("scenarios", "conformance", "web", "cli", "adapters")
"""Folders whose tests start servers and programs: begun last, one of their files would have all but one process wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them first. A file stays together, and in its order."""
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0] if item.path.is_relative_to(root) else ""
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)
