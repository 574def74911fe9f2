"""Signing in, the pages of one's account, and the audit trail."""

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import define
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from packeton.adapters.database.audit import AuditRecords
from packeton.adapters.database.sessions import SessionRecords
from packeton.adapters.identity.ldap import LdapDirectory
from packeton.adapters.mail import NoMailer, SmtpMailer
from packeton.adapters.threads import Threads
from packeton.adapters.upstream.connecting import Trust
from packeton.assembly.accounts import Accounts, make_first_admin, web_tokens_of
from packeton.assembly.jobs import Work
from packeton.assembly.store import Store
from packeton.background.periodic import PeriodicService
from packeton.config.mail import mail_sender, mail_server
from packeton.config.settings import Settings
from packeton.core.access.attempts import LoginThrottle
from packeton.core.access.audit import AuditEvent, Source
from packeton.errors import ConfigurationInvalid
from packeton.features.access.audit import AuditTrail
from packeton.features.access.authentication import Attempt
from packeton.features.access.chain import UserChain
from packeton.features.access.factors import SecondFactors
from packeton.features.access.first_admin import FirstAdmin
from packeton.features.access.issuing import TokenIssuing
from packeton.features.access.recovery import PasswordRecovery, reset_limits
from packeton.features.access.sessions import Sessions, SessionTimes
from packeton.features.access.signing_in import SigningIn
from packeton.interfaces.clocks import now_of
from packeton.interfaces.mail import IMailer
from packeton.web.addresses import Addresses
from packeton.web.admin.apidoc import ApiDocRoutes
from packeton.web.admin.landing import LandingRoutes
from packeton.web.admin.login import LoginRoutes
from packeton.web.admin.passwords import PasswordRoutes
from packeton.web.admin.profile import ProfileRoutes
from packeton.web.admin.rendering import Pages
from packeton.web.admin.setup import SetupRoutes
from packeton.web.admin.tokens import TokenRoutes
from packeton.web.admin.trails import TrailRoutes
from packeton.web.cors import Cors
from packeton.web.protection import MAX_PAGE_BYTES, Protection
from packeton.web.root import Routes
from packeton.web.sessions import CookieSessions

__all__ = [
    "SignIn",
    "cookie_sessions",
    "cors_of",
    "directories_of",
    "open_mailer",
    "open_sign_in",
    "page_routes",
    "protection_of",
    "sign_in_work",
]

HASHING_THREADS = 2

log = Logger()


@define(kw_only=True)
class SignIn:
    """Everything about signing in, on the accounts of a store."""

    accounts: Accounts
    chain: UserChain
    sessions: Sessions
    factors: SecondFactors
    signing_in: SigningIn
    recovery: PasswordRecovery
    audit: AuditRecords
    trail: AuditTrail
    issuing: TokenIssuing
    first_admin: FirstAdmin

    def observe(self, attempt: Attempt) -> None:
        """Note a verification of credentials in the trail."""
        self.trail.note(
            AuditEvent(
                user_id=attempt.user_id,
                name=attempt.name,
                source=Source.API_TOKEN,
                success=attempt.problem is None,
                at=attempt.at,
                address=attempt.address,
                agent=attempt.agent,
                token=f"{attempt.shown}***",
                error=attempt.problem,
                claimed=attempt.problem is not None and attempt.user_id is None,
            )
        )


class _Beginning(Service):
    """Makes the administrator of the settings, or offers to make the first one."""

    def __init__(self, first_admin: FirstAdmin, accounts: Accounts, settings: Settings) -> None:
        self._first_admin = first_admin
        self._accounts = accounts
        self._settings = settings

    def startService(self) -> None:
        super().startService()
        begun = Deferred.fromCoroutine(self._begin())
        begun.addErrback(lambda failure: log.failure("The start went wrong", failure))

    async def _begin(self) -> None:
        await make_first_admin(self._accounts, self._settings)
        await self._first_admin.offer()


class _Trail(Service):
    """Writes down what is left of the trail, and waits for mails, when everything stops."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        await self._sign_in.recovery.idle()
        await self._sign_in.trail.flush()


def directories_of(settings: Settings, reactor: Any) -> list[LdapDirectory]:
    """Return the directories of the settings. Raises ConfigurationInvalid."""
    random = secrets.SystemRandom().random
    return [
        LdapDirectory(name, provider, reactor, Trust(provider.ca_file or settings.upstream.ca_file), random)
        for name, provider in settings.ldap.providers.items()
    ]


def open_sign_in(settings: Settings, store: Store, accounts: Accounts, work: Work) -> SignIn:
    """Put it together; nothing is read yet."""
    now, clock = now_of(store.reactor), store.reactor
    threads = Threads(clock, "passwords", HASHING_THREADS)
    threads.setServiceParent(store.threads)
    directories = directories_of(settings, store.reactor)
    chain = UserChain(accounts.users, directories, settings.ldap.first)
    times = SessionTimes(idle=settings.sessions.idle, longest=settings.sessions.longest)
    sessions = Sessions(
        records=SessionRecords(store.database),
        users=accounts.users,
        elsewhere=directories,
        now=now,
        random=lambda: secrets.token_urlsafe(32),
        times=times,
    )
    factors = SecondFactors(accounts.users, sessions, accounts.keys.sealer, now, secrets.token_bytes)
    audit = AuditRecords(store.database)
    trail = AuditTrail(audit)

    async def wait(time: timedelta) -> None:
        await deferLater(clock, time.total_seconds())

    signing_in = SigningIn(
        users=accounts.users,
        chain=chain,
        sessions=sessions,
        factors=factors,
        audit=trail,
        passwords=accounts.passwords,
        hash_in_thread=threads,
        throttle=work.throttle("login", LoginThrottle()),
        now=now,
        wait=wait,
    )
    recovery = PasswordRecovery(
        users=accounts.users,
        sessions=sessions,
        signing_in=signing_in,
        mailer=open_mailer(settings, store),
        now=now,
        random_hex=lambda: secrets.token_hex(20),
        throttle=work.throttle("reset", reset_limits()),
    )
    return SignIn(
        accounts=accounts,
        chain=chain,
        sessions=sessions,
        factors=factors,
        signing_in=signing_in,
        recovery=recovery,
        audit=audit,
        trail=trail,
        issuing=accounts.issuing,
        first_admin=FirstAdmin(accounts.users, accounts.people, lambda: secrets.token_urlsafe(24), _address(settings)),
    )


def page_routes(
    sign_in: SignIn, pages: Pages, landing: LandingRoutes, settings: Settings, store: Store
) -> Sequence[Routes]:
    """Return the pages."""
    accounts, now = sign_in.accounts, now_of(store.reactor)
    known = settings.public_url is not None or bool(settings.trusted_hosts)
    return [
        LoginRoutes(pages, sign_in.signing_in, sign_in.sessions, sign_in.recovery.enabled and known),
        PasswordRoutes(pages, sign_in.signing_in, sign_in.sessions, accounts.users, sign_in.recovery, known),
        ProfileRoutes(
            pages=pages,
            signing_in=sign_in.signing_in,
            sessions=sign_in.sessions,
            factors=sign_in.factors,
            issuing=sign_in.issuing,
            tokens=accounts.tokens,
            audit=sign_in.audit,
            trail=sign_in.trail,
            landing=landing,
            web_tokens=web_tokens_of(settings, sign_in.chain, now),
        ),
        TokenRoutes(pages, sign_in.issuing, accounts.tokens, now),
        SetupRoutes(pages, sign_in.first_admin),
        ApiDocRoutes(pages),
        TrailRoutes(pages, accounts.users, sign_in.audit, sign_in.trail),
        landing,
    ]


def sign_in_work(sign_in: SignIn, store: Store, *, serves: bool) -> MultiService:
    """Return what is done again and again, and at the start of a process that *serves* pages."""
    services = MultiService()
    for name, every, work in (
        ("the audit trail", timedelta(seconds=5), sign_in.trail.flush),
        ("ends of sessions", timedelta(minutes=30), sign_in.sessions.expire),
    ):
        PeriodicService(name, store.reactor, every, work).setServiceParent(services)
    _Trail(sign_in).setServiceParent(services)
    if serves:
        _Beginning(sign_in.first_admin, sign_in.accounts, store.settings).setServiceParent(services)
    return services


def cookie_sessions(sign_in: SignIn, addresses: Addresses) -> CookieSessions:
    """Return what recognises cookies, for the Gate and the pages."""
    return CookieSessions(sign_in.sessions, sign_in.signing_in, addresses)


def protection_of(settings: Settings, addresses: Addresses) -> Protection:
    """Return what hides pages. Raises ConfigurationInvalid: the custom page cannot be read."""
    page = settings.web_protection.custom_page
    content = None
    if page is not None:
        content = page.encode() if "<" in page else _page(Path(page))
    return Protection(settings=settings.web_protection, addresses=addresses, page=content)


def cors_of(settings: Settings) -> Cors:
    """Return which origins may call us."""
    return Cors(None if settings.cors_allow_origin is None else re.compile(settings.cors_allow_origin))


def _page(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PAGE_BYTES)
    except OSError as error:
        raise ConfigurationInvalid(f"packeton.web_protection.custom_page: {path}: {error.strerror}") from error


def _address(settings: Settings) -> str:
    """Return our address as far as the settings tell it."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    port = re.match(r"tcp:(?:port=)?([0-9]+)", settings.listen[0])
    return f"http://127.0.0.1:{port[1]}" if port else ""


def open_mailer(settings: Settings, store: Store) -> IMailer:
    """Return what sends mails, as far as a server is configured."""
    server = None if settings.mail.dsn is None else mail_server(settings.mail.dsn.reveal())
    if server is None:
        return NoMailer()
    return SmtpMailer(server, mail_sender(settings.mail.sender), store.reactor, Trust(settings.upstream.ca_file))
