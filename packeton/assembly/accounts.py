"""Who calls: records of accounts, what recognises callers, and the Gate."""

import secrets
from collections.abc import Callable
from datetime import timedelta

from attrs import define
from twisted.application.service import MultiService
from twisted.logger import Logger

from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tokens import TokenRecords
from packeton.adapters.database.users import UserRecords
from packeton.adapters.secrets import InstallationKeys
from packeton.assembly.store import Store
from packeton.background.periodic import PeriodicService
from packeton.config.settings import Settings
from packeton.core.access.accounts import AclLine, Group
from packeton.core.access.patterns import parse_line
from packeton.features.access.authentication import Attempt, Authentication
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


def open_accounts(store: Store) -> Accounts:
    """Put them together; nothing is read yet."""
    database, settings = store.database, store.settings
    revisions = Revisions(database)
    tokens, subrepos = TokenRecords(database, revisions), SubrepoRecords(database, revisions)
    given = None if settings.app_secret is None else settings.app_secret.reveal()
    return Accounts(
        revisions=revisions,
        users=UserRecords(database, revisions),
        groups=GroupRecords(database, revisions),
        tokens=tokens,
        subrepos=subrepos,
        keys=InstallationKeys(given, settings.data / "secret", lambda: secrets.token_urlsafe(48)),
        usage=TokenUsage(tokens, now_of(store.reactor)),
        directory=SubrepoDirectory(subrepos, revisions),
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
