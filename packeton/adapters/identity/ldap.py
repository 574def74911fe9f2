"""
LDAP: who somebody is by search, and whether the password is right by bind. One connection a question.

Names go into filters and DNs with every character escaped that could mean something. A directory that fails is left
alone for a moment, so that logins do not queue up behind its timeout.
Source: RFC 4511, RFC 4513 section 5.1.2 (a bind without a password succeeds: never done), RFC 4514, RFC 4515.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from attrs import define, field, frozen
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.config.settings import LdapProviderSettings
from packeton.core.access.accounts import Account
from packeton.core.caching.backoff import Attempts
from packeton.errors import ConfigurationInvalid
from packeton.interfaces.clocks import now_of
from packeton.interfaces.identity import DirectoryFailed, IDirectory

__all__ = ["LdapDirectory", "TrustedNames", "escaped"]

log = Logger()

T = TypeVar("T")

PORTS = {"ldap": 389, "ldaps": 636}
MAX_NAME = 191
MAX_PASSWORD = 4096


class TrustedNames(Protocol):
    """Makes verified TLS connections to named hosts."""

    def options_for(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return what makes them."""


@frozen
class _Entry:
    dn: str
    name: str


def escaped(text: str) -> str:
    """Return *text* so that in a filter or a DN it means nothing but itself: all but letters and digits as `\\xx`."""
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "".join(f"\\{byte:02x}" for byte in letter.encode())
        for letter in text
    )


@implementer(IDirectory)
@define
class LdapDirectory:
    """One provider of the settings."""

    name: str
    _settings: LdapProviderSettings
    _reactor: Any
    _trust: TrustedNames
    _random: Callable[[], float]
    _attempts: Attempts = field(factory=lambda: Attempts(longest=timedelta(seconds=30)), init=False)

    def __attrs_post_init__(self) -> None:
        """Raises ConfigurationInvalid for a filter that cannot be read."""
        from ldaptor.ldapfilter import InvalidLDAPFilter, parseFilter  # beside what installs the reactor

        try:
            parseFilter(self._filter("x"))
        except InvalidLDAPFilter as error:
            raise ConfigurationInvalid(f"packeton.ldap.providers.{self.name}.filter: is no LDAP filter") from error

    async def find(self, name: str) -> Account | None:
        """Search for the user."""
        if not _is_name(name):
            return None

        async def work(client: Any) -> _Entry | None:
            await self._bind_to_search(client)
            return await self._search(client, name)

        entry = await self._asked(work)
        return None if entry is None else Account(name=entry.name, roles=frozenset(self._settings.default_roles))

    async def verify(self, account: Account, password: str) -> bool:
        """Bind as the user."""
        if not password or "\0" in password or len(password) > MAX_PASSWORD or not _is_name(account.name):
            return False

        async def work(client: Any) -> bool:
            if self._settings.login_dn is not None:
                dn = self._settings.login_dn.replace("{username}", escaped(account.name))
                return await _binds(client, dn, password)
            await self._bind_to_search(client)
            entry = await self._search(client, account.name)
            # somebody whom the filter leaves out is tried all the same: it takes as long, and the answer stays no
            dn = f"{self._settings.uid_key}={escaped(account.name)},{self._settings.base_dn}"
            bound = await _binds(client, dn if entry is None else entry.dn, password)
            return bound and entry is not None

        return await self._asked(work)

    async def _asked(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Connect, do *work*, hang up; all of it within the time given."""
        now = now_of(self._reactor)
        if not self._attempts.begin(self.name, now()):
            raise DirectoryFailed(f"LDAP {self.name}: left alone for a moment, since it failed")
        seconds = self._settings.timeout.total_seconds()
        try:
            result = await Deferred.fromCoroutine(self._connected(work)).addTimeout(seconds, self._reactor)
        except Exception as error:
            self._attempts.failed(self.name, now(), self._random())
            raise DirectoryFailed(f"LDAP {self.name}: {_told(error)}") from error
        self._attempts.succeeded(self.name)
        return result

    async def _connected(self, work: Callable[[Any], Awaitable[T]]) -> T:
        client = await self._connect()
        try:
            return await work(client)
        except Exception as error:
            raise client.reason or error from error
        finally:
            client.transport.abortConnection()
            await client.closed

    async def _connect(self) -> Any:
        parts = urlsplit(self._settings.server)
        host = (parts.hostname or "").strip("[]")
        encrypted = parts.scheme == "ldaps"
        seconds = self._settings.timeout.total_seconds()
        endpoint: Any = HostnameEndpoint(self._reactor, host.encode(), parts.port or PORTS[parts.scheme], seconds)
        if encrypted:
            endpoint = wrapClientTLS(self._trust.options_for(host), endpoint)
        client = await connectProtocol(endpoint, _client())
        if self._settings.start_tls and not encrypted:
            try:
                await client.startTLS(self._trust.options_for(host))
            except BaseException:
                client.transport.abortConnection()
                await client.closed
                raise
        return client

    async def _bind_to_search(self, client: Any) -> None:
        password = self._settings.search_password
        if self._settings.search_dn is not None and password is not None:
            await client.bind(self._settings.search_dn, password.reveal())

    def _filter(self, name: str) -> str:
        return self._settings.filter.replace("{uid_key}", self._settings.uid_key).replace("{username}", escaped(name))

    async def _search(self, client: Any, name: str) -> _Entry | None:
        from ldaptor.protocols.ldap.ldapsyntax import LDAPEntry  # it installs the reactor

        key = self._settings.uid_key
        found = await LDAPEntry(client, self._settings.base_dn).search(
            filterText=self._filter(name), attributes=[key], sizeLimit=2, sizeLimitIsNonFatal=True
        )
        if len(found) > 1:
            log.warn("LDAP {directory}: several entries match {name}: none is taken", directory=self.name, name=name)
        if len(found) != 1:
            return None
        spelled = [value for value in found[0].get(key, ()) if _text(value).lower() == name.lower()]
        return _Entry(found[0].dn.getText(), _text(spelled[0]) if spelled else name)


def _client() -> Any:
    """Return a client that says when it is closed, and why."""
    from ldaptor.protocols.ldap.ldapclient import LDAPClient  # it installs the reactor

    class Client(LDAPClient):  # type: ignore[misc]  # ldaptor has no types
        reason: BaseException | None = None

        def __init__(self) -> None:
            super().__init__()
            self.closed: Deferred[None] = Deferred()

        def connectionLost(self, reason: Failure) -> None:
            if isinstance(reason.value, SSL.Error | VerificationError):
                self.reason = reason.value
            super().connectionLost(reason)
            self.closed.callback(None)

    return Client()


async def _binds(client: Any, dn: str, password: str) -> bool:
    from ldaptor.protocols.ldap import ldaperrors  # beside what installs the reactor

    try:
        await client.bind(dn, password)
    except (
        ldaperrors.LDAPInvalidCredentials,
        ldaperrors.LDAPInvalidDNSyntax,
        ldaperrors.LDAPNoSuchObject,
        ldaperrors.LDAPUnwillingToPerform,
        ldaperrors.LDAPInappropriateAuthentication,
        ldaperrors.LDAPConstraintViolation,
    ):
        return False
    return True


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _told(error: BaseException) -> str:
    """Return what happened, in words without names or passwords."""
    for kind, text in (
        (TimedOut, "no answer in time"),
        (CancelledError, "no answer in time"),
        (VerificationError, "the TLS certificate is for another name"),
        (SSL.Error, "the TLS certificate is not trusted, or TLS failed"),
        (DNSLookupError, "the host name is not known"),
        (ConnectError, "no connection"),
        (ConnectionClosed, "the connection broke"),
    ):
        if isinstance(error, kind):
            return text
    return type(error).__name__
