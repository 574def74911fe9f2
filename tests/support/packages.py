"""Packages and versions for tests, and records in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.interfaces.packages import Package, RefOutcome, VersionDraft
from packeton.interfaces.revisions import IRevisions
from tests.support.scripted import immediately

__all__ = ["NEW_YEAR", "MemoryPackages", "MemoryRevisions", "draft", "outcome", "package"]

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryPackages:
    """Records on a database in memory."""

    def __init__(self) -> None:
        self.engine: Engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

        @event.listens_for(self.engine, "connect")
        def configure(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA foreign_keys=ON")

        self.database = Database(self.engine, immediately)
        self.packages = PackageRecords(self.database)
        self.versions = VersionRecords(self.database)

    def close(self) -> None:
        self.engine.dispose()


def package(name: str = "acme/a", **fields: Any) -> Package:
    """Return a package of New Year."""
    dates = {"created_at": NEW_YEAR, "stable_modified_at": NEW_YEAR, "dev_modified_at": NEW_YEAR}
    return Package(name=name, **{**dates, **fields})


def draft(package_id: int, version: str, normalized: str, reference: str, **fields: Any) -> VersionDraft:
    """Return a version of *reference*, released at New Year plus a day for each digit."""
    is_dev = normalized.startswith("dev-") or normalized.endswith("-dev")
    document = {
        "name": fields.pop("name", "acme/a"),
        "version": version,
        "version_normalized": normalized,
        "source": {"type": "git", "url": "https://git.example.com/a.git", "reference": reference},
        **fields.pop("document", {}),
    }
    values: dict[str, Any] = {
        "package_id": package_id,
        "version": version,
        "normalized": normalized,
        "is_dev": is_dev,
        "reference": reference,
        "dist_reference": reference,
        "released_at": NEW_YEAR + timedelta(days=sum(character.isdigit() for character in version)),
        "document": orjson.dumps(document),
    }
    return VersionDraft(**{**values, **fields})


def outcome(ref: str, commit: str, *versions: VersionDraft, **fields: Any) -> RefOutcome:
    """Return what was found at a ref."""
    return RefOutcome(ref=ref, commit=commit, versions=versions, **fields)


@implementer(IRevisions)
class MemoryRevisions:
    """Numbers of one process."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def current(self, subject: str) -> int:
        return self.numbers.get(str(subject), 0)

    async def bump(self, subject: str) -> int:
        self.numbers[str(subject)] = self.current(subject) + 1
        return self.current(subject)

    async def refresh(self) -> None:
        pass
