"""Accounts in memory, put together as the assembly does it."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from attrs import evolve
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.components import Componentized
from twisted.web.test.requesthelper import DummyRequest

from packeton.adapters.database.connection import Database
from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tokens import TokenRecords
from packeton.adapters.database.users import UserRecords
from packeton.core.access.accounts import AclLine, Group, Subrepo, Token, TokenKind, User
from packeton.core.access.keys import derived_key
from packeton.core.access.tokens import shown, token_digest
from packeton.features.access.authentication import Attempt, Authentication
from packeton.features.access.subrepos import SubrepoDirectory
from packeton.features.access.tokens import TokenAuthenticator
from packeton.features.access.usage import TokenUsage
from packeton.interfaces.clocks import now_of
from packeton.web.access import Audience, Gate, ISlug, Slug
from packeton.web.addresses import Addresses, IMountPoint, MountPoint
from tests.support.scripted import immediately

__all__ = ["MemoryAccess", "basic", "day", "make_request", "user_named"]

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def day(year: int, month: int = 1, number: int = 1) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


def basic(name: str, secret: str) -> dict[str, str]:
    """Return the header fields of HTTP Basic authentication."""
    return {"Authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode()}


def user_named(name: str, **fields: Any) -> User:
    return User(**{"id": 0, "name": name, "email": f"{name}@example.com", "created_at": NEW_YEAR, **fields})


class _Request(DummyRequest, Componentized):  # type: ignore[misc]
    """A request that has components, as the real one."""

    def __init__(self, postpath: list[bytes]) -> None:
        Componentized.__init__(self)
        DummyRequest.__init__(self, postpath)


def make_request(path: str = "/", headers: dict[str, str] | None = None, *, method: str = "GET", slug: str | None = None) -> Any:
    """Return a request as it reaches a route."""
    request = _Request([part.encode() for part in path.partition("?")[0].strip("/").split("/")])
    request.uri, request.method = path.encode(), method.encode()
    request.requestHeaders.setRawHeaders(b"host", [b"repo.example.com"])
    for name, value in (headers or {}).items():
        request.requestHeaders.addRawHeader(name.encode(), value.encode())
    request.client = IPv4Address("TCP", "192.0.2.1", 1234)
    request.getClientAddress = lambda: request.client
    request.setComponent(IMountPoint, MountPoint(""))
    if slug is not None:
        request.setComponent(ISlug, Slug(slug))
    return request


class MemoryAccess:
    """Records on SQLite in memory, authentication with API tokens and personal ones, and a Gate."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(NEW_YEAR.timestamp())
        self.now = now_of(self.clock)
        self.engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        self.queries = 0
        self.database = Database(self.engine, self._counted)
        self.revisions = Revisions(self.database)
        self.users = UserRecords(self.database, self.revisions)
        self.groups = GroupRecords(self.database, self.revisions)
        self.tokens = TokenRecords(self.database, self.revisions)
        self.subrepos = SubrepoRecords(self.database, self.revisions)
        self.attempts: list[Attempt] = []
        self.usage = TokenUsage(self.tokens, self.now)
        self.authentication = Authentication(
            [TokenAuthenticator(self.tokens, self.users, self.key, self.now)],
            self.revisions, self.usage, self.now, self.attempts.append,
        )  # fmt: skip
        self.gate = Gate(
            authentication=self.authentication,
            subrepos=SubrepoDirectory(self.subrepos, self.revisions),
            addresses=Addresses(public_url=None, trusted_proxies=(), trusted_hosts=()),
            audience=Audience(),
        )

    def _counted(self, work: Any, /, *args: object) -> Any:
        self.queries += 1
        return immediately(work, *args)

    def key(self, purpose: str) -> bytes:
        return derived_key(b"secret", purpose)

    def close(self) -> None:
        self.engine.dispose()

    def done(self, coroutine: Any) -> Any:
        """Run a coroutine that waits for nothing; raise what it raises."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        assert results, "it waits"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def add_user(self, name: str, **fields: Any) -> User:
        user: User = self.done(self.users.create(user_named(name, **fields)))
        return user

    def add_group(self, name: str, *lines: AclLine, **fields: Any) -> Group:
        group: Group = self.done(self.groups.create(Group(id=0, name=name, lines=lines, **fields)))
        return group

    def add_token(self, user: User | None, secret: str, kind: TokenKind = TokenKind.API, **fields: Any) -> Token:
        values = {"id": 0, "kind": kind, "name": "t", "shown": shown(secret), "created_at": self.now(), "owner": None if user is None else user.id}
        token = Token(**{**values, **fields})
        made: Token = self.done(self.tokens.create(token, token_digest(self.key("tokens"), secret)))
        return made

    def add_subrepo(self, slug: str, *packages: str, **fields: Any) -> Subrepo:
        subrepo = Subrepo(id=0, name=slug.title(), slug=slug, packages=frozenset(packages), **fields)
        made: Subrepo = self.done(self.subrepos.create(subrepo))
        return made

    def change(self, user: User, **changes: Any) -> User:
        changed: User = self.done(self.users.change(user.id, changes))
        return changed

    def gate_with(self, **changes: Any) -> Gate:
        return evolve(self.gate, **changes)
