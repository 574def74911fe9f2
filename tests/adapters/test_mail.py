"""Mails, through a real server."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from packeton.adapters.mail import NoMailer, SmtpMailer
from packeton.adapters.upstream.connecting import Trust
from packeton.config.mail import mail_sender, mail_server
from packeton.interfaces.mail import IMailer, Mail, MailFailed
from tests.support.certificates import make_certificate, pem_of
from tests.support.server import free_port
from tests.support.smtp import SmtpServer

MAIL = Mail(to="ann@example.com", subject="Grüße", text="Hello\n.\nÄnn: https://example.com/" + "x" * 200 + "\n")


class SmtpMailerTests(TestCase):
    """SMTP, STARTTLS, TLS, login, and what goes wrong."""

    timeout = 30

    def setUp(self) -> None:
        self.addCleanup(self.expect_only_known_warnings)
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.authority = make_certificate("authority", None, days=10)
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(pem_of(*self.authority)[1])

    def expect_only_known_warnings(self) -> None:
        for warning in self.flushWarnings():
            self.assertRegex(str(warning["message"]), "pyOpenSSL|Requiring AUTH while not requiring TLS|login_data")

    def certificate(self, name: str = "localhost") -> tuple[Path, Path]:
        key, certificate = pem_of(*make_certificate(name, self.authority, days=5))
        (self.folder / "key.pem").write_bytes(key)
        (self.folder / "cert.pem").write_bytes(certificate)
        return self.folder / "key.pem", self.folder / "cert.pem"

    def serve(self, **options: Any) -> SmtpServer:
        server = SmtpServer(**options)
        self.addCleanup(server.stop)
        return server

    def mailer(self, dsn: str, *, trusted: bool = True, timeout: float = 5) -> SmtpMailer:
        trust = Trust(self.ca_file if trusted else None)
        sender = mail_sender("Our Packeton <packeton@example.com>")
        return SmtpMailer(mail_server(dsn), sender, reactor, trust, timedelta(seconds=timeout))

    async def failure(self, dsn: str, **options: Any) -> str:
        try:
            await self.mailer(dsn, **options).send(MAIL)
        except MailFailed as error:
            self.assertNotIn("hunter2", str(error) + repr(error.__cause__))
            return str(error).partition(": ")[2]
        raise AssertionError("the mail went out")

    def test_interface(self) -> None:
        """They are what the port wants."""
        verifyObject(IMailer, NoMailer())
        verifyObject(IMailer, self.mailer("smtp://localhost"))
        nothing = self.failureResultOf(Deferred.fromCoroutine(NoMailer().send(MAIL)), MailFailed)
        self.assertIn("MAILER_DSN", str(nothing.value))

    async def test_plain(self) -> None:
        """Subject, text, sender and recipient arrive as they were, also where lines are dots or long."""
        server = self.serve()
        await self.mailer(f"smtp://localhost:{server.port}").send(MAIL)
        [(to, message)] = server.mails
        self.assertEqual(["ann@example.com"], to)
        self.assertEqual(("Grüße", "ann@example.com"), (message["Subject"], message["To"]))
        self.assertEqual("Our Packeton <packeton@example.com>", message["From"])
        self.assertEqual(MAIL.text, message.get_content().replace("\r\n", "\n"))
        self.assertTrue(message["Date"] and message["Message-ID"])
        self.assertEqual([False], server.encrypted)

    async def test_starttls_and_login(self) -> None:
        """Offered encryption is used, and the login comes after it."""
        server = self.serve(certificate=self.certificate(), login=("me", "hunter2"))
        await self.mailer(f"smtp://me:hunter2@localhost:{server.port}").send(MAIL)
        self.assertEqual([True], server.encrypted)
        said = await self.failure(f"smtp://me:hunter22@localhost:{server.port}")
        self.assertEqual("the server refused user or password", said)

    async def test_implicit_tls(self) -> None:
        """smtps:// is TLS from the first byte."""
        server = self.serve(certificate=self.certificate(), implicit=True)
        await self.mailer(f"smtps://localhost:{server.port}").send(MAIL)
        self.assertEqual(1, len(server.mails))

    async def test_certificates(self) -> None:
        """An unknown authority and another name send nothing, unless the operator said not to look."""
        for implicit, scheme in ((False, "smtp"), (True, "smtps")):
            server = self.serve(certificate=self.certificate(), implicit=implicit)
            said = await self.failure(f"{scheme}://localhost:{server.port}", trusted=False)
            self.assertEqual("the TLS certificate is not trusted, or TLS failed", said)
            other = self.serve(certificate=self.certificate("mail.example.com"), implicit=implicit)
            self.assertIn("certificate", await self.failure(f"{scheme}://localhost:{other.port}"))
            self.assertEqual([], server.mails + other.mails)
            await self.mailer(f"{scheme}://localhost:{other.port}?verify_peer=0").send(MAIL)
            self.assertEqual(1, len(other.mails))

    async def test_no_encryption(self) -> None:
        """A server without STARTTLS gets nothing when encryption is required."""
        server = self.serve(login=("me", "hunter2"))
        said = await self.failure(f"smtp://me:hunter2@localhost:{server.port}?require_tls=1")
        self.assertIn("offers no encryption", said)
        await self.mailer(f"smtp://me:hunter2@localhost:{server.port}").send(MAIL)
        self.assertEqual(1, len(server.mails))

    async def test_refused(self) -> None:
        """What the server says about the recipient is told in one line."""
        server = self.serve(refuse="550 no such\tuser here")
        said = await self.failure(f"smtp://localhost:{server.port}")
        self.assertEqual("the server refused the mail: no such user here", said)

    async def test_unreachable(self) -> None:
        """Nobody listens."""
        self.assertEqual("no connection", await self.failure(f"smtp://127.0.0.1:{free_port()}"))

    async def test_stalled(self) -> None:
        """A server that says nothing is hung up on."""
        lost = []

        class Silent(Protocol):
            def connectionLost(self, reason: Any) -> None:
                lost.append(reason)

        port = reactor.listenTCP(0, Factory.forProtocol(Silent), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        said = await self.failure(f"smtp://127.0.0.1:{port.getHost().port}", timeout=0.3)
        self.assertEqual("not done in time", said)
        await deferLater(reactor, 0.05)
        self.assertEqual(1, len(lost))

    async def test_injection(self) -> None:
        """Line ends in a subject or an address make no head fields, and no mail."""
        server = self.serve()
        mailer = self.mailer(f"smtp://localhost:{server.port}")
        for to, subject in (("ann@example.com", "a\r\nBcc: eve@example.com"), ("a\r\nRCPT TO:<eve@x.org>@example.com", "x"),
                            ("nobody", "x"), ("änn@example.com", "x"), ("a b@example.com", "x")):  # fmt: skip
            with self.assertRaises(MailFailed):
                await mailer.send(Mail(to=to, subject=subject, text="x"))
        self.assertEqual([], server.mails)
