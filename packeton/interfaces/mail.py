"""The port to the mail server."""

from attrs import frozen
from zope.interface import Attribute, Interface

from packeton.errors import PacketonError

__all__ = ["IMailer", "Mail", "MailFailed"]


class MailFailed(PacketonError):
    """A mail could not be handed over."""


@frozen(kw_only=True)
class Mail:
    """One plain text mail to one address."""

    to: str
    subject: str
    text: str


class IMailer(Interface):
    """Hands mails to a server."""

    enabled: bool = Attribute("whether mails go anywhere; false when no server is configured")

    async def send(mail: Mail) -> None:
        """
        Hand over one mail; done once the server has taken responsibility for it.

        Raises:
            MailFailed: in words for the log, without credentials: no server, not reached, refused, not in time.
        """
