"""Mails to maintainers whose package can no longer be read: one, until it could be read again."""

from typing import Final

from attrs import define
from twisted.logger import Logger

from packeton.interfaces.accounts import IUserRecords
from packeton.interfaces.mail import IMailer, Mail, MailFailed
from packeton.interfaces.sources import EventKind, PackageEvent

__all__ = ["FailureMails"]

log = Logger()

SUBJECT: Final = "{name} failed to update"
TEXT: Final = """\
Hello {user},

{name} could not be updated:

    {message}

You will not be told of it again before an update went well. To get no mails of this kind, change your profile.
"""


@define
class FailureMails:
    """A listener of what happens to packages. Source: contract 04 section 3 of the reference."""

    _users: IUserRecords
    _mailer: IMailer

    async def __call__(self, event: PackageEvent) -> None:
        """Tell the maintainers who want to know of a failure that is new."""
        if event.kind is not EventKind.FAILED or not event.is_news or not self._mailer.enabled:
            return
        name, message = event.package.name, event.message or "for no reason that was told"
        for number in sorted(event.package.maintainers):
            account = await self._users.get(number)
            user = None if account is None else account.user
            if user is None or not (user.enabled and user.failure_notifications):
                continue
            text = TEXT.format(user=user.name, name=name, message=message.replace("\n", "\n    "))
            try:
                await self._mailer.send(Mail(to=user.email, subject=SUBJECT.format(name=name), text=text))
            except MailFailed as error:
                log.warn("{user} could not be told that {name} fails: {why}", user=user.name, name=name, why=str(error))
