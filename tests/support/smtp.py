"""A real SMTP server, another implementation than the one we send with, in a thread."""

import ssl
import warnings
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.support.server import free_port

__all__ = ["SmtpServer"]


class SmtpServer:
    """Keeps what it is sent in `mails`; *refuse* is the answer to each recipient instead."""

    def __init__(
        self,
        certificate: tuple[Path, Path] | None = None,
        *,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        refuse: str | None = None,
    ) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.encrypted: list[bool] = []
        self._refuse = refuse
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate[1], certificate[0])
        options: dict[str, Any] = {"ssl_context": context} if implicit else {"tls_context": context}
        if login is not None:
            options |= {"auth_required": True, "auth_require_tls": context is not None and not implicit}
            options["authenticator"] = lambda server, session, envelope, mechanism, data: AuthResult(
                success=(data.login.decode(), data.password.decode()) == login, handled=False
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of logins without TLS, which is what some tests want
            self._controller = Controller(self, hostname="127.0.0.1", port=free_port(), **options)
            self._controller.start()
        self.port = self._controller.port

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self._refuse is not None:
            return self._refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.encrypted.append(session.ssl is not None)
        self.mails.append((list(envelope.rcpt_tos), message))
        return "250 OK"

    def stop(self) -> None:
        self._controller.stop()
