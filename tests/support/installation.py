"""The database of a server that may be running, for tests that set the stage from outside."""

import asyncio
import secrets
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from packeton.adapters.database.connection import Database, sqlite_engine
from packeton.adapters.database.engines import engine_of
from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tokens import TokenRecords
from packeton.adapters.database.users import UserRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.adapters.secrets import InstallationKeys
from packeton.config.databases import database_address
from packeton.core.access.accounts import Group, Subrepo, Token, TokenKind, User
from packeton.core.access.patterns import parse_line
from packeton.core.access.tokens import token_digest
from packeton.interfaces.packages import Package
from packeton.interfaces.queues import Job, JobOrder
from tests.support.scripted import immediately

__all__ = ["SECRET", "Installation"]

SECRET = "a secret of tests, and of nothing else"
T = TypeVar("T")


class Installation:
    """Records on the database of a data directory, used one call at a time beside the server."""

    def __init__(self, data: Path, url: str | None = None) -> None:
        self._engine = sqlite_engine(data / "packeton.db") if url is None else engine_of(database_address(url), connections=1)
        database = Database(self._engine, immediately)
        self.revisions = Revisions(database)
        self.users, self.groups = UserRecords(database, self.revisions), GroupRecords(database, self.revisions)
        self.tokens, self.subrepos = TokenRecords(database, self.revisions), SubrepoRecords(database, self.revisions)
        self.packages, self.versions = PackageRecords(database), VersionRecords(database)
        self.jobs = JobRecords(database, lambda: secrets.token_hex(20))
        self._keys = InstallationKeys(SECRET, data / "unused", lambda: "")

    def close(self) -> None:
        self._engine.dispose()

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what *coroutine* returns; nothing in it waits."""
        return asyncio.run(coroutine)

    def user(self, name: str, token: str, *roles: str, groups: tuple[int, ...] = (), subrepos: tuple[int, ...] = (0,)) -> int:
        """Make a user with an API token; return its id."""
        now = datetime.now(UTC)
        email = f"{name}@example.com"
        user = self.do(self.users.create(User(id=0, name=name, email=email, roles=frozenset(roles), groups=groups, subrepos=subrepos, created_at=now)))
        made = Token(id=0, kind=TokenKind.API, name="api", shown=token[:4], owner=user.id, created_at=now)
        self.do(self.tokens.create(made, token_digest(self._keys("tokens"), token)))
        return user.id

    def group(self, name: str, *lines: str) -> int:
        """Make a group of `package[:constraint]` lines; return its id."""
        return self.do(self.groups.create(Group(id=0, name=name, lines=tuple(map(parse_line, lines))))).id

    def subrepo(self, slug: str, *packages: str, public: bool = False) -> int:
        """Make a sub-repository; return its id."""
        return self.do(self.subrepos.create(Subrepo(id=0, name=slug, slug=slug, packages=frozenset(packages), public=public))).id

    def package(self, name: str, url: str | None = None, **fields: Any) -> Package:
        """Store a package."""
        now = datetime.now(UTC).replace(microsecond=0)
        dates = {"created_at": now, "stable_modified_at": now, "dev_modified_at": now}
        made = self.do(self.packages.create(Package(name=name, url=url, **{**dates, **fields})))
        self.do(self.revisions.bump("packages"))
        return made

    def update(self, package: Package, **payload: Any) -> Job:
        """Have the server read a package, and return the job when it is over."""
        import time

        order = JobOrder(type="package:updates", payload={"id": package.id, **payload}, package=package.name)
        job = self.do(self.jobs.put(order, datetime.now(UTC)))
        end = datetime.now(UTC) + timedelta(seconds=90)
        while datetime.now(UTC) < end:
            found = self.do(self.jobs.find(job.id))
            assert found is not None
            if found.status.is_over:
                return found
            time.sleep(0.1)
        raise AssertionError("the job did not end")
