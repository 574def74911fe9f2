"""SMTP: one connection a mail, encrypted wherever the server can, and never longer than a minute."""

import re
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from io import BytesIO
from typing import Any, Protocol

from attrs import define, field
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.mail.smtp import (
    AUTHDeclinedError,
    AUTHRequiredError,
    ESMTPSender,
    ESMTPSenderFactory,
    SMTPClientError,
    SMTPDeliveryError,
    SMTPTimeoutError,
    TLSRequiredError,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.config.mail import MailServer
from packeton.interfaces.clocks import now_of
from packeton.interfaces.mail import IMailer, Mail, MailFailed

__all__ = ["NoMailer", "SmtpMailer", "TrustedNames"]

MAX_AT_ONCE = 4
MAX_WAITING = 100
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^\s@<>,;:\"\\]{1,253}")
"""ASCII before the at sign, as servers without SMTPUTF8 need it."""


class TrustedNames(Protocol):
    """Makes verified TLS connections to named hosts."""

    def options_for(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return what makes them."""


@implementer(IMailer)
class NoMailer:
    """No server is configured."""

    enabled = False

    async def send(self, mail: Mail) -> None:  # noqa: ARG002  # the port's signature
        """Fail."""
        raise MailFailed("no mail server is configured (MAILER_DSN)")


class _Sender(ESMTPSender):
    """Tells its factory about a lost connection, which only `connectTCP` would."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # Twisted's default is a class value
        super().connectionLost(reason)
        self.factory.clientConnectionLost(None, self._failureReason or reason)
        self.factory.closed.callback(None)


class _SenderFactory(ESMTPSenderFactory):
    protocol = _Sender
    noisy = False
    closed: "Deferred[None]"


@implementer(IMailer)
@define
class SmtpMailer:
    """Sends by one SMTP server; at most four mails at once, a hundred waiting."""

    _server: MailServer
    _sender: Address
    _reactor: Any
    _trust: TrustedNames
    timeout: timedelta = timedelta(seconds=20)
    """How long the server may be silent; a whole mail has three times that."""
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(MAX_AT_ONCE), init=False)
    enabled = True

    async def send(self, mail: Mail) -> None:
        """See IMailer."""
        if len(self._slots.waiting) >= MAX_WAITING:
            raise MailFailed("too many mails are waiting for the server")
        await self._slots.acquire()
        try:
            content = self._message(mail)
            await self._deliver(mail.to, content)
        except (SMTPClientError, CancelledError, TimedOut, OSError, SSL.Error, ConnectError, ValueError) as error:
            raise MailFailed(f"{self._server.host}:{self._server.port}: {_told(error)}") from error
        finally:
            self._slots.release()

    def _message(self, mail: Mail) -> bytes:
        """Return the mail as it goes over the wire. Raises ValueError for what cannot be a head field or an address."""
        message = EmailMessage()
        message["From"] = self._sender
        if not ADDRESS.fullmatch(mail.to):
            raise ValueError("this is no address that a mail can be sent to")
        user, _, domain = mail.to.rpartition("@")
        message["To"] = Address(username=user, domain=domain.encode("idna").decode())
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(now_of(self._reactor)())
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message.as_bytes()

    async def _deliver(self, to: str, content: bytes) -> None:
        server, seconds = self._server, self.timeout.total_seconds()
        user, _, domain = to.rpartition("@")
        sent: Deferred[Any] = Deferred()
        context: Any = self._options() if server.starttls or server.implicit_tls else None
        factory = _SenderFactory(
            (server.user or "").encode(),
            (server.password.reveal() if server.password is not None else "").encode(),
            self._sender.addr_spec,
            [f"{user}@{domain.encode('idna').decode()}"],
            BytesIO(content),
            sent,
            retries=0,
            timeout=seconds,
            contextFactory=context,
            heloFallback=True,
            requireAuthentication=server.user is not None,
            requireTransportSecurity=server.require_tls,
        )
        factory.domain = server.local_domain.encode()
        factory.closed = Deferred()
        endpoint: Any = HostnameEndpoint(self._reactor, server.host.encode(), server.port, seconds)
        if server.implicit_tls and context is not None:
            endpoint = wrapClientTLS(context, endpoint)
        protocol = await endpoint.connect(factory)
        sent.addTimeout(3 * seconds, self._reactor)
        try:
            await sent
        except (CancelledError, TimedOut):
            factory.sendFinished = True
            protocol.transport.abortConnection()
            raise
        finally:
            await self._close(factory.closed, protocol)

    async def _close(self, closed: "Deferred[None]", protocol: Any) -> None:
        """Wait until the connection is gone; a server that does not answer QUIT is hung up on."""
        late = self._reactor.callLater(5, protocol.transport.abortConnection)
        await closed
        if late.active():
            late.cancel()

    def _options(self) -> Any:
        if self._server.verify_peer:
            return self._trust.options_for(self._server.host)
        return CertificateOptions(verify=False)


def _told(error: BaseException) -> str:
    """Return what happened; what a server says is cut, and never has our password in it."""
    reason = error.__cause__ or error
    if isinstance(reason, VerificationError):
        return "the TLS certificate is for another name"
    if isinstance(reason, SSL.Error):
        return "the TLS certificate is not trusted, or TLS failed"
    for kind, text in (
        (TLSRequiredError, "the server offers no encryption, and nothing is sent without it (require_tls, auto_tls)"),
        (AUTHRequiredError, "the server offers no login that we can do"),
        (AUTHDeclinedError, "the server refused user or password"),
        (DNSLookupError, "the host name is not known"),
        (ConnectError, "no connection"),
        (CancelledError, "not done in time"),
        (SMTPTimeoutError, "not done in time"),
        (TimedOut, "not done in time"),
    ):
        if isinstance(reason, kind):
            return text
    if isinstance(reason, SMTPDeliveryError):
        addresses: Any = reason.addresses
        said = next((answer for _, code, answer in addresses or () if code >= 400), reason.resp)
        return f"the server refused the mail: {_line(said)}"
    if isinstance(reason, SMTPClientError):
        return f"the server refused: {_line(reason.resp)}"
    return str(reason)[:200] if isinstance(reason, ValueError) else f"the connection broke ({type(reason).__name__})"


def _line(said: Any) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]
