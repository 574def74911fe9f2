"""Who calls: records of accounts, what recognises callers, and the Gate."""

import secrets
from collections.abc import Callable
from datetime import timedelta

from attrs import define
from twisted.application.service import MultiService
from twisted.logger import Logger

from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tokens import TokenRecords
from packeton.adapters.database.users import UserRecords
from packeton.adapters.secrets import InstallationKeys
from packeton.assembly.store import Store
from packeton.background.periodic import PeriodicService
from packeton.config.settings import Settings
from packeton.core.access.accounts import AclLine, Group
from packeton.core.access.passwords import Passwords
from packeton.core.access.patterns import parse_line
from packeton.features.access.audiences import Groups, Subrepositories
from packeton.features.access.authentication import Attempt, Authentication
from packeton.features.access.issuing import TokenIssuing
from packeton.features.access.people import People
from packeton.features.access.subrepos import SubrepoDirectory
from packeton.features.access.tokens import TokenAuthenticator
from packeton.features.access.usage import TokenUsage
from packeton.interfaces.clocks import now_of
from packeton.interfaces.keys import Keys
from packeton.web.access import Audience, Gate, NoSessions, Sessions
from packeton.web.addresses import Addresses

__all__ = ["Accounts", "access_work", "gate_of", "open_accounts"]

log = Logger()


@define(kw_only=True)
class Accounts:
    """Everything about users, on the database of a store."""

    revisions: Revisions
    users: UserRecords
    groups: GroupRecords
    tokens: TokenRecords
    subrepos: SubrepoRecords
    keys: Keys
    usage: TokenUsage
    directory: SubrepoDirectory
    passwords: Passwords
    issuing: TokenIssuing
    people: People
    audiences: Groups
    repositories: Subrepositories


def open_accounts(store: Store) -> Accounts:
    """Put them together; nothing is read yet."""
    database, settings, now = store.database, store.settings, now_of(store.reactor)
    revisions = Revisions(database)
    users, groups = UserRecords(database, revisions), GroupRecords(database, revisions)
    tokens, subrepos = TokenRecords(database, revisions), SubrepoRecords(database, revisions)
    given = None if settings.app_secret is None else settings.app_secret.reveal()
    keys = InstallationKeys(given, settings.data / "secret", lambda: secrets.token_urlsafe(48))
    issuing = TokenIssuing(tokens, keys, now, secrets.randbelow)
    passwords = Passwords()
    packages = PackageRecords(database)

    async def is_package(name: str) -> bool:
        return await packages.find(name) is not None

    return Accounts(
        revisions=revisions,
        users=users,
        groups=groups,
        tokens=tokens,
        subrepos=subrepos,
        keys=keys,
        usage=TokenUsage(tokens, now),
        directory=SubrepoDirectory(subrepos, revisions),
        passwords=passwords,
        issuing=issuing,
        people=People(users, subrepos, issuing, passwords, store.in_thread, now),
        audiences=Groups(groups, is_package, settings.mirrors.keys()),
        repositories=Subrepositories(subrepos, is_package),
    )


def gate_of(
    accounts: Accounts,
    store: Store,
    addresses: Addresses,
    *,
    sessions: Sessions | None = None,
    observe: Callable[[Attempt], None] | None = None,
) -> Gate:
    """Return the Gate; *observe* is told of every verification of credentials."""
    settings, now = store.settings, now_of(store.reactor)
    authentication = Authentication(
        [TokenAuthenticator(accounts.tokens, accounts.users, accounts.keys, now)],
        accounts.revisions,
        accounts.usage,
        now,
        observe or _write_down,
    )
    return Gate(
        authentication=authentication,
        subrepos=accounts.directory,
        addresses=addresses,
        audience=_audience(settings),
        query_tokens=settings.security.query_tokens,
        sessions=sessions or NoSessions(),
    )


def access_work(accounts: Accounts, store: Store) -> MultiService:
    """Return what is done again and again: noticing other processes' changes, writing down what tokens did."""
    services = MultiService()
    for name, every, work in (
        ("changes of access", timedelta(milliseconds=500), accounts.revisions.refresh),
        ("use of tokens", timedelta(seconds=30), accounts.usage.flush),
    ):
        PeriodicService(name, store.reactor, every, work).setServiceParent(services)
    return services


def _audience(settings: Settings) -> Audience:
    lines: list[AclLine] = [parse_line(text) for text in settings.anonymous_packages]
    readers = Group(id=0, name="anonymous", lines=tuple(lines))
    return Audience(
        metadata=settings.anonymous_access,
        dists=settings.anonymous_archive_access,
        grants=tuple(readers.grants()),
    )


def _write_down(attempt: Attempt) -> None:
    if attempt.problem is not None:
        log.info(
            "Refused credentials {shown}*** from {address}: {why}",  # a name may be a secret in the wrong field
            shown=attempt.shown,
            address=attempt.address,
            why=attempt.problem,
        )
