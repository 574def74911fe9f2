"""
Signing in by name or e-mail address and password, and maybe a second factor.

Who fails learns nothing but that: the words are the same for an unknown name, a wrong password and a closed account,
and the answer comes at the next half second, so that the time does not tell either.
Source: the reference's chain of providers: a bind first, and the local hash for users of our own.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.core.access.accounts import Account
from packeton.core.access.audit import AuditEvent, Source
from packeton.core.access.passwords import Passwords
from packeton.errors import PacketonError
from packeton.features.access.chain import Found, UserChain
from packeton.features.access.factors import SecondFactors
from packeton.features.access.sessions import Sessions
from packeton.interfaces.accounts import IUserRecords
from packeton.interfaces.audit import IAuditTrail
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.identity import DirectoryFailed
from packeton.interfaces.throttles import IThrottle

__all__ = ["FactorNeeded", "Opened", "Outcome", "Refused", "SigningIn", "Visitor"]

log = Logger()

MAX_AT_ONCE: Final = 50
"""Passwords being checked; of more, the visitor is asked to come again."""
MAX_NAME: Final = 191
BUSY: Final = timedelta(seconds=5)
STEP: Final = timedelta(milliseconds=500)


@frozen(kw_only=True)
class Visitor:
    """Where somebody comes from."""

    address: str
    agent: str


@frozen(kw_only=True)
class Opened:
    """Signed in."""

    account: Account
    cookie: str = field(repr=False)
    remembered: str | None = field(default=None, repr=False)
    """Value of the cookie that remembers this browser."""


@frozen(kw_only=True)
class FactorNeeded:
    """The password is right; a code is needed."""

    cookie: str = field(repr=False)


@frozen(kw_only=True)
class Refused:
    """Not signed in; *retry_after* when it is because of too many attempts."""

    retry_after: timedelta | None = None


Outcome = Opened | FactorNeeded | Refused


@define(kw_only=True)
class SigningIn:
    """Checks passwords and codes, and opens sessions."""

    users: IUserRecords
    chain: UserChain
    sessions: Sessions
    factors: SecondFactors
    audit: IAuditTrail
    passwords: Passwords
    hash_in_thread: InThread
    throttle: IThrottle
    now: Now
    wait: Callable[[timedelta], Awaitable[None]]
    """Waits for a time; what failures are answered after."""
    _checking: int = field(default=0, init=False)

    async def by_password(
        self, name: str, password: str, visitor: Visitor, *, remember: bool = False, former: str | None = None
    ) -> Outcome:
        """
        Check a password.

        Args:
            former: The cookie of the visitor's session, which ends.

        Raises:
            StorageFailed: it cannot be told now.
        """
        name = name.strip()
        began = self.now()
        wait = await self.throttle.begin(name, visitor.address)
        if wait is not None or self._checking >= MAX_AT_ONCE:
            log.info("Too many logins from {address}", address=visitor.address)
            return Refused(retry_after=wait or BUSY)
        self._checking += 1
        try:
            found, problem = await self._checked(name, password)
        finally:
            self._checking -= 1
        if found is None or problem is not None:
            self._note_failure(found, name, visitor, problem or "unknown user")
            await self._until_step(began)
            return Refused()
        await self.throttle.succeeded(name, visitor.address)
        if former is not None:
            await self.sessions.close(former)
        account = found.account
        method = "password" if found.directory is None else "ldap"
        if self.factors.is_on(account.user):
            cookie = await self.sessions.open(
                account, address=visitor.address, agent=visitor.agent, method=method, pending=True, remember=remember
            )
            return FactorNeeded(cookie=cookie)
        return await self._opened(account, visitor, method=method, remember=remember)

    async def by_code(self, cookie: str, code: str, visitor: Visitor) -> Opened | Refused | None:
        """Check the second factor of the session *cookie* that waits for it; None when none does any more."""
        waiting = await self.sessions.find_pending(cookie)
        if waiting is None or waiting.account.user is None:
            return None
        account, key, began = waiting.account, f"code of {waiting.account.name}", self.now()
        wait = await self.throttle.begin(key, visitor.address)
        if wait is not None:
            return Refused(retry_after=wait)
        if not await self.factors.check(waiting.account.user, code):
            self._note(account, visitor, Source.SESSION, "wrong one-time code")
            await self._until_step(began)
            return Refused()
        await self.throttle.succeeded(key, visitor.address)
        await self.sessions.close(cookie)
        session = waiting.session
        return await self._opened(account, visitor, method=session.method, remember=session.remember)

    async def by_remembered(self, cookie: str, visitor: Visitor) -> Opened | None:
        """Sign in a remembered browser; `remembered` is None when it keeps its cookie. None: it is not remembered."""
        try:
            recalled = await self.sessions.recall(cookie, address=visitor.address, agent=visitor.agent)
        except DirectoryFailed as error:
            log.warn("A remembered browser waits: {why}", why=str(error))
            return None
        if recalled is None:
            return None
        account, fresh = recalled
        opened = await self.sessions.open(
            account, address=visitor.address, agent=visitor.agent, method="remembered"
        )
        self._note(account, visitor, Source.REMEMBER_ME, None)
        return Opened(account=account, cookie=opened, remembered=fresh)

    async def is_password(self, account: Account, password: str, visitor: Visitor) -> bool | timedelta:
        """Say if it is the password of somebody who is signed in; how long to wait, after too many attempts."""
        wait = await self.throttle.begin(account.name, visitor.address)
        if wait is not None:
            return wait
        began = self.now()
        directory = None
        if account.user is None:
            found = await self.chain.lookup(account.name)
            directory = None if found is None else found.directory
        good = await self._is_password(Found(account=account, directory=directory), password)
        if good:
            await self.throttle.succeeded(account.name, visitor.address)
        else:
            await self._until_step(began)
        return good

    async def hashed(self, password: str) -> str:
        """Return the hash of a new password. Raises Invalid for one that may not be chosen."""
        return await self.hash_in_thread(self.passwords.hash, password)

    async def _checked(self, name: str, password: str) -> tuple[Found | None, str | None]:
        """Return who has the name, and why they may not sign in."""
        found = None
        if 0 < len(name) <= MAX_NAME and name.isprintable():
            try:
                found = await self.chain.lookup(name)
            except DirectoryFailed as error:
                log.warn("Somebody may be unknown only now: {why}", why=str(error))
        if found is None:
            await self.hash_in_thread(self.passwords.verify, None, password)
            return None, None
        if not await self._is_password(found, password):
            return found, "wrong password"
        return found, None if found.account.is_open(self.now()) else "the account is disabled or has expired"

    async def _is_password(self, found: Found, password: str) -> bool:
        """Ask the directories first: the one the user is from, or all for a user of our own; then look at our hash."""
        directories = self.chain.directories if found.directory is None else [found.directory]
        user = found.account.user
        for directory in directories:
            try:
                if await directory.verify(found.account, password):
                    return True
            except DirectoryFailed as error:
                log.warn("A password was not asked of a directory: {why}", why=str(error))
        stored = None if user is None else user.password
        salt = None if user is None else user.salt
        good = await self.hash_in_thread(self.passwords.verify, stored, password, salt)
        if good and user is not None and stored is not None and self.passwords.needs_rehash(stored):
            await self._rehash(found.account, password)
        return good

    async def _rehash(self, account: Account, password: str) -> None:
        """Hash a password that is right again, unless another one was chosen meanwhile."""
        if account.user is None:
            return
        stored = account.user.password
        try:
            fresh = await self.hash_in_thread(self.passwords.rehash, password)
            await self.users.change(
                account.user.id, lambda held: {"password": fresh, "salt": None} if held.password == stored else {}
            )
        except PacketonError as error:  # the old hash is as good as before
            log.warn("The password of {name} was not hashed anew: {why}", name=account.name, why=str(error))

    async def _opened(self, account: Account, visitor: Visitor, *, method: str, remember: bool) -> Opened:
        cookie = await self.sessions.open(account, address=visitor.address, agent=visitor.agent, method=method)
        remembered = None
        if remember:
            remembered = await self.sessions.remember(account, address=visitor.address, agent=visitor.agent)
        if account.user is not None:
            await self.users.noted_login(account.user.id, self.now())
        self._note(account, visitor, Source.SESSION, None)
        log.info("{name} signed in from {address}", name=account.name, address=visitor.address)
        return Opened(account=account, cookie=cookie, remembered=remembered)

    def _note_failure(self, found: Found | None, name: str, visitor: Visitor, problem: str) -> None:
        shown = name[:100].encode("unicode_escape").decode()
        log.info("Login of {name} from {address} refused: {why}", name=shown, address=visitor.address, why=problem)
        if found is not None:
            self._note(found.account, visitor, Source.SESSION, problem)

    def _note(self, account: Account, visitor: Visitor, source: str, problem: str | None) -> None:
        self.audit.note(
            AuditEvent(
                user_id=None if account.user is None else account.user.id,
                name=account.name,
                source=source,
                success=problem is None,
                at=self.now(),
                address=visitor.address,
                agent=visitor.agent,
                error=problem,
            )
        )

    async def _until_step(self, began: datetime) -> None:
        """Wait until a whole number of half seconds has passed since *began*."""
        passed = self.now() - began
        await self.wait(STEP - passed % STEP)
