"""Who is told that a package cannot be read."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.access.accounts import Account, User
from packeton.features.packages.failure_mails import FailureMails
from packeton.interfaces.mail import Mail, MailFailed
from packeton.interfaces.sources import EventKind, PackageEvent
from tests.support.packages import NEW_YEAR, package


class Users:
    """Four maintainers."""

    def __init__(self) -> None:
        flags = {1: (True, True), 2: (True, False), 3: (False, True), 4: (True, True)}
        self.known = {
            number: User(id=number, name=f"u{number}", email=f"u{number}@example.com", enabled=enabled,
                         failure_notifications=wants, created_at=NEW_YEAR)
            for number, (enabled, wants) in flags.items()
        }  # fmt: skip

    async def get(self, user_id: int) -> Account | None:
        user = self.known.get(user_id)
        return None if user is None else Account(name=user.name, roles=frozenset(), user=user)


class Mailer:
    """Keeps mails; the first is refused if asked to."""

    enabled = True

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuse = False

    async def send(self, mail: Mail) -> None:
        if self.refuse:
            self.refuse = False
            raise MailFailed("refused")
        self.mails.append(mail)


class FailureMailTests(SynchronousTestCase):
    """A listener of events."""

    def setUp(self) -> None:
        self.mailer = Mailer()
        self.listener = FailureMails(Users(), self.mailer)  # type: ignore[arg-type]

    def tell(self, **fields: Any) -> list[str]:
        event = PackageEvent(**{"kind": EventKind.FAILED, "package": package(maintainers=frozenset({1, 2, 3, 4, 9})), "message": "gone\nfor good", **fields})
        self.successResultOf(Deferred.fromCoroutine(self.listener(event)))
        return [mail.to for mail in self.mailer.mails]

    def test_who(self) -> None:
        """Maintainers who want it and whose account is good, with the name and the reason."""
        self.assertEqual(["u1@example.com", "u4@example.com"], self.tell())
        mail = self.mailer.mails[0]
        self.assertEqual("acme/a failed to update", mail.subject)
        self.assertIn("gone\n    for good", mail.text)

    def test_when(self) -> None:
        """Only of failures, only of new ones, and only where mails go anywhere."""
        self.assertEqual([], self.tell(is_news=False))
        self.assertEqual([], self.tell(kind=EventKind.REFRESHED))
        self.mailer.enabled = False
        self.assertEqual([], self.tell())

    def test_refused(self) -> None:
        """One that is refused does not keep the others from theirs."""
        self.mailer.refuse = True
        self.assertEqual(["u4@example.com"], self.tell())
