"""
Sessions of the web pages: kept by the server, known to the browser by a random cookie, to the database by its digest.

A session ends when nobody used it for a while, after a fixed time whatever happens, when its user signs out, here or
everywhere, and at once when the user is disabled, expires or is deleted. A remembered browser opens a new one: its
cookie changes with each use, so that of a stolen copy and the original the second to be used is noticed. Then the user
is signed out everywhere, for nobody knows which session the thief opened.
"""

import hmac
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from attrs import evolve, frozen
from twisted.logger import Logger

from packeton.core.access.accounts import Account
from packeton.core.access.sessions import MAX_AGENT, Remembered, Session, cookie_digest, password_mark
from packeton.errors import PacketonError
from packeton.interfaces.accounts import IUserProvider, IUserRecords
from packeton.interfaces.clocks import Now
from packeton.interfaces.sessions import ISessionRecords

__all__ = ["SessionTimes", "Sessions", "SignedIn"]

log = Logger()

COOKIE_CHARACTERS: Final = 43
SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly the last use of a session is kept."""
HEARD_EVERY: Final = timedelta(minutes=1)
"""How old what another system said about its user may be."""
PENDING_FOR: Final = timedelta(minutes=10)
TOGETHER: Final = timedelta(minutes=1)
"""How long the secret before the last one of a remembered browser is good."""


@frozen(kw_only=True)
class SessionTimes:
    """How long sessions and remembered browsers last."""

    idle: timedelta = timedelta(hours=12)
    longest: timedelta = timedelta(days=7)
    remembered: timedelta = timedelta(days=365)


@frozen(kw_only=True)
class SignedIn:
    """Who a session's cookie stands for, now."""

    account: Account
    session: Session


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(
        self,
        *,
        records: ISessionRecords,
        users: IUserRecords,
        elsewhere: Sequence[IUserProvider],
        now: Now,
        random: Callable[[], str],
        times: SessionTimes | None = None,
    ) -> None:
        """
        Put it together.

        Args:
            elsewhere: Providers of users that are not ours.
            random: Returns a new text of 43 characters, 256 random bits, good for a cookie.
        """
        self._records = records
        self._users = users
        self._elsewhere = elsewhere
        self._now = now
        self._random = random
        self._times = times or SessionTimes()

    @property
    def times(self) -> SessionTimes:
        """How long sessions and remembered browsers last."""
        return self._times

    def new_cookie(self) -> str:
        """Return the value of a cookie that no session belongs to yet, for the forms of who is not signed in."""
        return self._random()

    async def open(
        self,
        account: Account,
        *,
        address: str,
        agent: str,
        method: str,
        pending: bool = False,
        remember: bool = False,
    ) -> str:
        """Begin a session; return the cookie's value. A pending one waits for the second factor and opens nothing."""
        cookie, now, user = self._random(), self._now(), account.user
        session = Session(
            digest=cookie_digest(cookie),
            user_id=None if user is None else user.id,
            name=account.name,
            created_at=now,
            seen_at=now,
            expires_at=now + (PENDING_FOR if pending else self._times.longest),
            address=address[:64],
            agent=agent[:MAX_AGENT],
            method=method,
            pending=pending,
            remember=remember,
            mark=password_mark(user),
            roles=() if user is not None else tuple(sorted(account.roles)),
            heard_at=None if user is not None else now,
        )
        await self._records.add(session)
        return cookie

    async def find(self, cookie: str) -> SignedIn | None:
        """Return who is signed in with *cookie*; None when the session ended or its user may not sign in any more."""
        found = await self._session(cookie)
        if found is None or found.pending:
            return None
        return await self._signed_in(found)

    async def find_pending(self, cookie: str) -> SignedIn | None:
        """Return whose second factor *cookie* waits for, or None."""
        found = await self._session(cookie)
        if found is None or not found.pending:
            return None
        return await self._signed_in(found)

    async def close(self, cookie: str) -> None:
        """End a session, if there is one."""
        if len(cookie) == COOKIE_CHARACTERS:
            await self._records.remove(cookie_digest(cookie))

    async def close_all(self, account: Account, *, but: str | None = None) -> int:
        """
        Sign *account* out everywhere, in remembered browsers too; the session of the cookie *but* stays, also when
        the password was changed just now.
        """
        user = account.user
        digest = None if but is None else cookie_digest(but)
        kept = None if digest is None else await self._records.find(digest)
        if kept is not None and kept.user_id is not None:
            now_is = await self._users.get(kept.user_id)
            mark = password_mark(None if now_is is None else now_is.user)
            await self._records.change(kept.digest, lambda session: evolve(session, mark=mark))
        return await self._records.remove_all(None if user is None else user.id, account.name, but=digest)

    async def of_account(self, account: Account) -> Sequence[Session]:
        """Return the account's sessions that have not ended, last seen first."""
        user = account.user
        found = await self._records.of_user(None if user is None else user.id, account.name)
        return [session for session in found if self._is_live(session)]

    async def choose_repository(self, cookie: str, repository: int) -> None:
        """Remember which sub-repository the session is to see; 0 is the root."""
        found = await self._session(cookie)
        if found is not None:
            await self._records.change(found.digest, lambda session: evolve(session, repository=repository))

    async def expire(self) -> None:
        """Delete what ended."""
        now = self._now()
        await self._records.expire(now - self._times.idle, now)

    async def remember(self, account: Account, *, address: str, agent: str) -> str:
        """Remember a browser; return the cookie's value."""
        series, secret, now, user = self._random(), self._random(), self._now(), account.user
        await self._records.remember(
            Remembered(
                series=cookie_digest(series),
                digest=cookie_digest(secret),
                rotated_at=now,
                user_id=None if user is None else user.id,
                name=account.name,
                mark=password_mark(user),
                expires_at=now + self._times.remembered,
                address=address[:64],
                agent=agent[:MAX_AGENT],
            )
        )
        return f"{series}.{secret}"

    async def recall(self, cookie: str, *, address: str, agent: str) -> tuple[Account, str | None] | None:
        """
        Return whose browser has this cookie, and the value that takes its place.

        No value comes with a request that was on its way together with the one that got it. None: the cookie is good
        for nothing; an old one was stolen, or its successor was: the user is signed out everywhere.
        """
        series, _, secret = cookie.partition(".")
        if len(series) != COOKIE_CHARACTERS or len(secret) != COOKIE_CHARACTERS:
            return None
        browser = await self._records.remembered(cookie_digest(series))
        now, digest = self._now(), cookie_digest(secret)
        if browser is None or browser.expires_at <= now:
            return None
        current = hmac.compare_digest(browser.digest, digest)
        together = (
            browser.previous is not None
            and hmac.compare_digest(browser.previous, digest)
            and now - browser.rotated_at < TOGETHER
        )
        if not current and not together:
            log.warn("{name} is signed out everywhere: an old remembered secret was used", name=browser.name)
            await self._records.remove_all(browser.user_id, browser.name)
            return None
        account = await self._account(browser.user_id, browser.name)
        if account is None or not account.is_open(now) or browser.mark != password_mark(account.user):
            return None
        if not current:
            return account, None
        fresh = self._random()
        changed = evolve(
            browser,
            digest=cookie_digest(fresh),
            previous=digest,
            rotated_at=now,
            expires_at=now + self._times.remembered,
            address=address[:64],
            agent=agent[:MAX_AGENT],
        )
        replaced = await self._records.remember(changed, was=digest)
        return account, f"{series}.{fresh}" if replaced else None

    async def forget(self, cookie: str) -> None:
        """Forget the browser that has this cookie."""
        series = cookie.partition(".")[0]
        if len(series) == COOKIE_CHARACTERS:
            await self._records.forget(cookie_digest(series))

    async def use_code(self, user_id: int, counter: int) -> bool:
        """Mark a one-time code as used; say if it had not been."""
        return await self._records.use_code(user_id, counter)

    def _is_live(self, session: Session) -> bool:
        now = self._now()
        return now < session.expires_at and now - session.seen_at < self._times.idle

    async def _session(self, cookie: str) -> Session | None:
        if len(cookie) != COOKIE_CHARACTERS:
            return None
        found = await self._records.find(cookie_digest(cookie))
        return found if found is not None and self._is_live(found) else None

    async def _signed_in(self, session: Session) -> SignedIn | None:
        now = self._now()
        account: Account | None
        if session.user_id is not None:
            account = await self._users.get(session.user_id)
        elif session.heard_at is not None and now - session.heard_at < HEARD_EVERY:
            account = Account(name=session.name, roles=frozenset(session.roles))
        else:
            account, heard = await self._heard(session)
            if heard is None:
                return None
            session = heard
        if account is None or not account.is_open(now) or session.mark != password_mark(account.user):
            return None
        if now - session.seen_at >= SEEN_EVERY:
            seen = await self._records.change(session.digest, lambda held: evolve(held, seen_at=now))
            if seen is None:
                return None
            session = seen
        return SignedIn(account=account, session=session)

    async def _heard(self, session: Session) -> tuple[Account | None, Session | None]:
        """Ask the other system again; while it is away, what it said last holds."""
        try:
            account = await self._account(None, session.name)
        except PacketonError as error:
            log.warn("The roles of {name} could not be looked up: {why}", name=session.name, why=str(error))
            return Account(name=session.name, roles=frozenset(session.roles)), session
        if account is None:
            await self._records.remove(session.digest)
            return None, None
        roles, now = tuple(sorted(account.roles)), self._now()
        heard = await self._records.change(session.digest, lambda held: evolve(held, roles=roles, heard_at=now))
        return account, heard

    async def _account(self, user_id: int | None, name: str) -> Account | None:
        if user_id is not None:
            return await self._users.get(user_id)
        for provider in self._elsewhere:
            account = await provider.find(name)
            if account is not None:
                return account
        return None
