"""
Passwords by mail: resets that anybody may ask for, and invitations.

Asking tells nothing: the answer comes before the name is even looked up. A token is 160 random bits, sent once, kept
as a digest, and good once.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from packeton.core.access.accounts import Account, User
from packeton.core.access.attempts import Limit, LoginThrottle
from packeton.errors import NotFound
from packeton.features.access.sessions import Sessions
from packeton.features.access.signing_in import SigningIn
from packeton.interfaces.accounts import IUserRecords
from packeton.interfaces.clocks import Now
from packeton.interfaces.mail import IMailer, Mail, MailFailed
from packeton.interfaces.throttles import IThrottle

__all__ = ["INVITE", "PasswordRecovery", "reset_limits"]

log = Logger()

INVITE: Final = "invite"
"""What the tokens of invitations begin with."""
MAIL_EVERY: Final = timedelta(minutes=10)
RESET_WITHIN: Final = timedelta(hours=24)
INVITED_FOR: Final = timedelta(days=14)
MAX_WORKING: Final = 50
TOKEN_CHARACTERS: Final = 40

RESET_TEXT = """\
Hello {name},

somebody, hopefully you, asked for a new password for your account at
{base}

To choose one, open this address within 24 hours:
{link}

If it was not you, do nothing: your password stays as it is.
"""
INVITE_TEXT = """\
Hello {name},

you have an account at
{base}

To choose your password, open this address within 14 days:
{link}
"""


def reset_limits() -> LoginThrottle:
    """Return how often mails may be asked for."""
    hour = timedelta(hours=1)
    return LoginThrottle(per_pair=Limit(5, hour), per_account=Limit(20, hour), per_address=Limit(30, hour))


@define(kw_only=True)
class PasswordRecovery:
    """Sends tokens, and takes them back with a new password."""

    users: IUserRecords
    sessions: Sessions
    signing_in: SigningIn
    mailer: IMailer
    now: Now
    random_hex: Callable[[], str]
    """Returns 40 random hexadecimal digits."""
    throttle: IThrottle
    _working: set["Deferred[None]"] = field(factory=set, init=False)

    @property
    def enabled(self) -> bool:
        """Whether mails go anywhere."""
        return self.mailer.enabled

    def request(self, name: str, address: str, base: str) -> None:
        """Send a mail to who has this name or e-mail address, soon, if it is somebody and there was none lately."""
        if len(self._working) >= MAX_WORKING:
            log.info("Too many password resets are under way")
            return
        self._start(self._request(name, address, base))

    async def invite(self, user_id: int, base: str) -> str:
        """
        Make the token of an invitation and send it; return the address that it opens, for who invites.

        Raises:
            NotFound: there is no such user.
        """
        token = INVITE + self.random_hex()
        user = await self._keep(user_id, token)
        link = f"{base}/reset-password/invite/{token}"
        if self.mailer.enabled:
            text = INVITE_TEXT.format(name=user.name, base=base, link=link)
            self._start(self._send(Mail(to=user.email, subject="Your account at Packeton", text=text)))
        return link

    async def account_of(self, token: str) -> Account | None:
        """Return whose password a token may set; None when it is used, too old, or none."""
        invited = token.startswith(INVITE)
        if len(token) != TOKEN_CHARACTERS + len(INVITE) * invited or not token.isascii():
            return None
        account = await self.users.by_reset(_digest(token))
        if account is None or account.user is None or account.user.reset_requested_at is None:
            return None
        age = self.now() - account.user.reset_requested_at
        return account if age < (INVITED_FOR if invited else RESET_WITHIN) else None

    async def set_password(self, token: str, password: str) -> Account:
        """
        Take the token back, set the password, and sign the user out everywhere. An invited user is enabled by it.

        Raises:
            NotFound: the token is used, too old, or none.
            Invalid: such a password may not be chosen; the token stays good.
        """
        account = await self.account_of(token)
        if account is None or account.user is None:
            raise NotFound("this link was used already, or is too old")
        hashed = await self.signing_in.hashed(password)
        changes: dict[str, object] = {"password": hashed, "salt": None}
        changes |= {"reset_digest": None, "reset_requested_at": None}
        if token.startswith(INVITE):
            changes["enabled"] = True

        def taken(held: User) -> dict[str, object]:
            if held.reset_digest != _digest(token):
                raise NotFound("this link was used already, or is too old")
            return changes

        await self.users.change(account.user.id, taken)
        await self.sessions.close_all(account)
        log.info("{name} set a password by mail", name=account.name)
        return account

    async def idle(self) -> None:
        """Return once nothing is under way."""
        while self._working:
            await DeferredList(list(self._working))

    def _start(self, work: "Deferred[None] | object") -> None:
        deferred: Deferred[None] = Deferred.fromCoroutine(work)  # type: ignore[arg-type]  # a coroutine
        self._working.add(deferred)
        deferred.addErrback(lambda failure: log.failure("A mail about a password was not sent", failure))
        deferred.addBoth(lambda _: self._working.discard(deferred))

    async def _request(self, name: str, address: str, base: str) -> None:
        if await self.throttle.begin(name, address) is not None:
            log.info("Too many password resets were asked for from {address}", address=address)
            return
        account = await self.users.find(name.strip())
        user = None if account is None else account.user
        if account is None or user is None or not account.is_open(self.now()):
            return
        last = user.reset_requested_at
        if last is not None and self.now() - last < MAIL_EVERY:
            return
        if not self.mailer.enabled:
            log.warn("{name} asked for a password reset, but no mail server is set (MAILER_DSN)", name=user.name)
            return
        token = self.random_hex()
        await self._keep(user.id, token)
        link = f"{base}/reset-password/reset/{token}"
        text = RESET_TEXT.format(name=user.name, base=base, link=link)
        await self._send(Mail(to=user.email, subject="Reset your password", text=text))

    async def _send(self, mail: Mail) -> None:
        try:
            await self.mailer.send(mail)
        except MailFailed as error:
            log.error("A mail about a password was not sent: {why}", why=str(error))

    async def _keep(self, user_id: int, token: str) -> User:
        return await self.users.change(
            user_id, {"reset_digest": _digest(token), "reset_requested_at": self.now()}
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
