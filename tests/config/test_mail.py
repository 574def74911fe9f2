"""MAILER_DSN and MAILER_FROM."""

from unittest import TestCase

from packeton.config.loader import load
from packeton.config.mail import mail_sender, mail_server
from packeton.errors import ConfigurationInvalid


class MailServerTests(TestCase):
    """As Symfony's mailer reads it."""

    def test_dsn(self) -> None:
        """Host, port, user, password and what they imply."""
        self.assertIsNone(mail_server("null://null"))
        server = mail_server("smtp://u%40x:p%3Aw@mail.example.com:587")
        self.assertEqual(("mail.example.com", 587, "u@x", "p:w"), (server.host, server.port, server.user, server.password.reveal()))
        self.assertEqual((False, True, True, True), (server.implicit_tls, server.starttls, server.require_tls, server.verify_peer))
        self.assertNotIn("p:w", repr(server))
        plain = mail_server("smtp://localhost")
        self.assertEqual((25, False, True, False), (plain.port, plain.implicit_tls, plain.starttls, plain.require_tls))
        for dsn in ("smtps://[::1]", "smtp://[::1]:465"):
            server = mail_server(dsn)
            self.assertEqual(("::1", 465, True), (server.host, server.port, server.implicit_tls))

    def test_options(self) -> None:
        """The query says the rest; what concerns kept connections means nothing here."""
        server = mail_server("smtp://u:p@m?verify_peer=0&auto_tls=false&local_domain=me.example&ping_threshold=10")
        self.assertEqual((False, False, False, "me.example"), (server.verify_peer, server.starttls, server.require_tls, server.local_domain))
        self.assertFalse(mail_server("smtp://u:p@m?require_tls=0").require_tls)
        self.assertTrue(mail_server("smtp://m?require_tls=true").require_tls)

    def test_wrong(self) -> None:
        """What cannot be used is refused without repeating it."""
        for dsn in (
            "", "mail.example.com", "sendmail://default", "smtp://", "smtp://secret@", "smtp://h:99999", "smtp://h/x",
            "smtp://h?secret=1", "smtp://h?verify_peer=perhaps", "smtp://h?local_domain=a%20b",
        ):  # fmt: skip
            with self.assertRaises(ValueError) as raised:
                mail_server(dsn)
            self.assertNotIn("@", str(raised.exception).replace("user:password@host", ""))

    def test_sender(self) -> None:
        """An address, with a name or without."""
        sender = mail_sender("Our Packeton <packeton@example.com>")
        self.assertEqual(("Our Packeton", "packeton@example.com"), (sender.display_name, sender.addr_spec))
        for wrong in ("", "Packeton", "a@", "@b", "a@b\r\nBcc: c@d", "<>"):
            with self.assertRaises(ValueError, msg=wrong):
                mail_sender(wrong)

    def test_environment(self) -> None:
        """The environment gives what the file does not; mistakes are told without the password."""
        settings = load(environment={"MAILER_DSN": "smtp://u:hunter2@m:587", "MAILER_FROM": "me@example.com"}).settings
        self.assertEqual("smtp://u:hunter2@m:587", settings.mail.dsn.reveal())
        self.assertEqual("me@example.com", settings.mail.sender)
        self.assertNotIn("hunter2", repr(settings))
        for name, value in (("MAILER_DSN", "imap://u:hunter2@m"), ("MAILER_FROM", "hunter2")):
            with self.assertRaises(ConfigurationInvalid) as raised:
                load(environment={name: value})
            self.assertIn("packeton.mail.", str(raised.exception))
            self.assertNotIn("hunter2", str(raised.exception))
