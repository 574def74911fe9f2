"""The order of the test files, for runs that share them between processes; and an environment that is the tests' own."""

import os
from pathlib import Path

import pytest

LONGEST_FIRST = ("scenarios", "conformance", "web", "cli", "adapters")
"""Folders whose tests start servers and programs: begun last, one of their files would have all but one process wait."""

OURS = ("ADMIN_", "APP_", "COMPOSER_AUTH", "DATABASE_URL", "MAILER_", "PACKAGIST_", "PUBLIC_ACCESS", "REDIS_URL", "TRUSTED_")
"""Settings of the program: those of whoever runs the tests are not for the servers that the tests start."""

for _name in [name for name in os.environ if name.startswith(OURS)]:
    del os.environ[_name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them first. A file stays together, and in its order."""
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0] if item.path.is_relative_to(root) else ""
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)
