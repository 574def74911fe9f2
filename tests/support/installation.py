"""The database of a server that may be running, for tests that set the stage from outside."""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve

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
        self._mark: int | None = None
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
        return self.update_all([package], **payload)[0]

    def update_all(self, packages: Iterable[Package], **payload: Any) -> list[Job]:
        """Have the server read packages, and return their jobs when all are over."""
        orders = [JobOrder(type="package:updates", payload={"id": one.id, **payload}, package=one.name) for one in packages]
        jobs = [self.do(self.jobs.put(order, datetime.now(UTC))) for order in orders]
        return [self._over(job) for job in jobs]

    def _over(self, job: Job) -> Job:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            found = self.do(self.jobs.find(job.id))
            assert found is not None
            if found.status.is_over:
                return found
            time.sleep(0.05)
        raise AssertionError("the job did not end")

    def noticed(self, is_there: Callable[[str], bool]) -> None:
        """
        Return once a server has noticed all that was stored here until now.

        It looks at the revisions of everything at once, so a mark that is made last is seen last.

        Args:
            is_there: Says if the server answers under the slug of a sub-repository.
        """
        slug = f"mark-{secrets.token_hex(4)}"
        held = self.do(self.subrepos.get(self._mark)) if self._mark else None
        if held is None:
            self._mark = self.subrepo(slug)
        else:
            self.do(self.subrepos.replace(held, evolve(held, slug=slug)))
        deadline = time.monotonic() + 60
        while not is_there(slug):
            assert time.monotonic() < deadline, "the server notices nothing"
            time.sleep(0.05)
