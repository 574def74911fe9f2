"""Who calls: records of accounts, what recognises callers, and the Gate."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import define
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.sessions import SessionRecords
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tokens import TokenRecords
from packeton.adapters.database.users import UserRecords
from packeton.adapters.secrets import InstallationKeys
from packeton.assembly.store import Store
from packeton.background.periodic import PeriodicService
from packeton.config.settings import Secret, Settings
from packeton.core.access.accounts import AclLine, Group
from packeton.core.access.jwt import JsonWebTokens
from packeton.core.access.passwords import Passwords
from packeton.core.access.patterns import parse_line
from packeton.errors import ConfigurationInvalid, Invalid, PacketonError
from packeton.features.access.audiences import Groups, Subrepositories
from packeton.features.access.authentication import Attempt, Authentication
from packeton.features.access.guesses import Guesses
from packeton.features.access.issuing import TokenIssuing
from packeton.features.access.people import People
from packeton.features.access.subrepos import SubrepoDirectory
from packeton.features.access.tokens import TokenAuthenticator
from packeton.features.access.usage import TokenUsage
from packeton.features.access.web_tokens import JwtAuthenticator
from packeton.interfaces.accounts import IUserProvider
from packeton.interfaces.authentication import IAuthenticator
from packeton.interfaces.clocks import Now, now_of
from packeton.interfaces.throttles import IThrottle
from packeton.web.access import Audience, Gate, NoSessions, Sessions
from packeton.web.addresses import Addresses

__all__ = ["Accounts", "access_work", "gate_of", "make_first_admin", "open_accounts", "web_tokens_of"]

log = Logger()


@define(kw_only=True)
class Accounts:
    """Everything about users, on the database of a store."""

    reactor: Any
    now: Now
    revisions: Revisions
    users: UserRecords
    groups: GroupRecords
    tokens: TokenRecords
    subrepos: SubrepoRecords
    keys: InstallationKeys
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
    previous = [secret.reveal() for secret in settings.app_secret_previous]
    keys = InstallationKeys(given, settings.data / "secret", lambda: secrets.token_urlsafe(48), previous)
    issuing = TokenIssuing(tokens, keys, now, secrets.randbelow)
    passwords = Passwords()
    packages = PackageRecords(database)

    async def is_package(name: str) -> bool:
        return await packages.find(name) is not None

    return Accounts(
        reactor=store.reactor,
        now=now,
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
        people=People(users, subrepos, issuing, passwords, store.in_thread, now, SessionRecords(database)),
        audiences=Groups(groups, is_package, settings.mirrors.keys()),
        repositories=Subrepositories(subrepos, is_package),
    )


def gate_of(
    accounts: Accounts,
    store: Store,
    addresses: Addresses,
    *,
    throttle: IThrottle,
    users: IUserProvider | None = None,
    sessions: Sessions | None = None,
    observe: Callable[[Attempt], None] | None = None,
) -> Gate:
    """
    Return the Gate.

    Args:
        throttle: Slows down who guesses at tokens.
        users: Where users of tokens come from, if not only from our own.
        observe: Is told of every verification of credentials.

    Raises:
        ConfigurationInvalid: a key for web tokens cannot be used.
    """
    settings, now = store.settings, now_of(store.reactor)
    known = users or accounts.users
    keys = accounts.keys
    authenticators: list[IAuthenticator] = [TokenAuthenticator(accounts.tokens, known, keys, now, keys.former)]
    web_tokens = web_tokens_of(settings, known, now)
    if web_tokens is not None:
        authenticators.append(web_tokens)
    authentication = Authentication(
        authenticators,
        accounts.revisions,
        accounts.usage,
        now,
        observe or _write_down,
        Guesses(throttle),
    )
    return Gate(
        authentication=authentication,
        subrepos=accounts.directory,
        addresses=addresses,
        audience=_audience(settings),
        query_tokens=settings.security.query_tokens,
        sessions=sessions or NoSessions(),
    )


def web_tokens_of(settings: Settings, users: IUserProvider, now: Now) -> JwtAuthenticator | None:
    """Return what makes and checks web tokens; None without a key. Raises ConfigurationInvalid."""
    chosen = settings.jwt_authentication
    if chosen.private_key is None and chosen.public_key is None:
        return None
    try:
        tokens = JsonWebTokens.with_keys(
            chosen.algo,
            _key_text(chosen.private_key),
            _key_text(chosen.public_key),
            passphrase=None if chosen.passphrase is None else chosen.passphrase.reveal(),
            key_id=chosen.key_id,
        )
    except Invalid as error:
        raise ConfigurationInvalid(f"packeton.jwt_authentication: {error}") from error
    except OSError as error:
        raise ConfigurationInvalid(f"packeton.jwt_authentication: {error.filename}: {error.strerror}") from error
    return JwtAuthenticator(tokens, users, now, chosen.lifetime)


def _key_text(given: Secret | None) -> str | None:
    """Return a key; a text that cannot be the key itself is the name of its file."""
    if given is None:
        return None
    text = given.reveal()
    return text if "\n" in text or "=" in text else Path(text).read_text()


def access_work(accounts: Accounts, store: Store) -> MultiService:
    """Return what is done again and again: noticing other processes' changes, writing down what tokens did."""
    services = MultiService()
    for name, every, work in (
        ("changes of access", timedelta(milliseconds=500), accounts.revisions.refresh),
        ("use of tokens", timedelta(seconds=30), accounts.usage.flush),
    ):
        PeriodicService(name, store.reactor, every, work).setServiceParent(services)
    _Usage(accounts.usage).setServiceParent(services)
    return services


async def make_first_admin(accounts: Accounts, settings: Settings) -> None:
    """Make the administrator that the settings name, unless it is there; what cannot be made is logged."""
    chosen = settings.first_admin
    if chosen.username is None or chosen.password is None:
        return
    try:
        made = await accounts.people.first(chosen.username, chosen.password.reveal(), chosen.email)
    except PacketonError as error:
        log.error("packeton.first_admin: the administrator cannot be made: {why}", why=str(error))
        return
    if made is not None:
        log.info("Administrator {name} made, as packeton.first_admin says", name=made.name)


class _Usage(Service):
    """Writes down what is left when everything stops."""

    def __init__(self, usage: TokenUsage) -> None:
        self._usage = usage

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        try:
            await self._usage.flush()
        except PacketonError as error:
            log.warn("What tokens did last is not written down: {why}", why=str(error))


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
