"""The second factor of a user: enrolment, codes, recovery codes. The secret is kept encrypted."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define
from twisted.logger import Logger

from packeton.core.access import totp
from packeton.core.access.accounts import User
from packeton.core.access.sealing import Sealer, context_of
from packeton.errors import Conflict, Invalid, Unsealable
from packeton.features.access.sessions import Sessions
from packeton.interfaces.accounts import IUserRecords
from packeton.interfaces.clocks import Now

__all__ = ["SecondFactors"]

log = Logger()


@define
class SecondFactors:
    """A user first gets a secret, which protects nothing until one code of it was right."""

    _users: IUserRecords
    _sessions: Sessions
    _sealer: Callable[[], Sealer]
    _now: Now
    _random: Callable[[int], bytes]

    def is_on(self, user: User | None) -> bool:
        """Say if this user needs a code."""
        return user is not None and user.totp_secret is not None and user.totp_confirmed_at is not None

    async def propose(self, user: User) -> str:
        """Return the secret that waits to be confirmed, a new one where there is none. Raises Conflict: it is on."""
        self._refuse_on(user)
        waiting = None if user.totp_secret is None else self._opened(user)
        if waiting is not None:
            return waiting
        secret = totp.new_secret(self._random)
        sealed = self._sealed(user, secret)

        def proposed(held: User) -> Mapping[str, Any]:
            self._refuse_on(held)
            waits = held.totp_secret is not None and self._opened(held) is not None
            return {} if waits else {"totp_secret": sealed, "totp_confirmed_at": None}

        return self._opened(await self._users.change(user.id, proposed)) or secret

    async def confirm(self, user: User, code: str) -> tuple[str, ...]:
        """
        Turn it on; return the recovery codes, which are not shown again.

        Raises:
            Conflict: it is on. Invalid: the code is wrong, or nothing was proposed.
        """
        self._refuse_on(user)
        secret = None if user.totp_secret is None else self._opened(user)
        counter = None if secret is None else totp.verify(secret, code, self._now(), last_counter=None)
        if counter is None or not await self._sessions.use_code(user.id, counter):
            raise Invalid("That code is not right. Is the clock of your device?")
        codes = totp.new_recovery_codes(self._random)
        digests = tuple(totp.recovery_digest(one) for one in codes)

        def confirmed(held: User) -> Mapping[str, Any]:
            self._refuse_on(held)
            if held.totp_secret != user.totp_secret:
                raise Invalid("The secret has changed meanwhile. Begin again.")
            return {"totp_confirmed_at": self._now(), "totp_recovery": digests}

        await self._users.change(user.id, confirmed)
        return codes

    async def check(self, user: User, code: str) -> bool:
        """Say if *code* is the one of now, or a recovery code; either is good once."""
        secret = self._opened(user)
        if secret is not None:
            counter = totp.verify(secret, code, self._now(), last_counter=None)
            if counter is not None:
                return await self._sessions.use_code(user.id, counter)
        digest = totp.recovery_digest(code)
        if digest not in user.totp_recovery:
            return False

        def used(held: User) -> Mapping[str, Any]:
            if digest not in held.totp_recovery:
                raise Invalid("this recovery code was used already")
            return {"totp_recovery": tuple(one for one in held.totp_recovery if one != digest)}

        try:
            left = (await self._users.change(user.id, used)).totp_recovery
        except Invalid:
            return False
        log.info("{name} used a recovery code; {count} are left", name=user.name, count=len(left))
        return True

    async def turn_off(self, user: User) -> None:
        """Ask for no code any more."""
        await self._users.change(user.id, {"totp_secret": None, "totp_confirmed_at": None, "totp_recovery": ()})

    def _refuse_on(self, user: User) -> None:
        if self.is_on(user):
            raise Conflict("the second factor is on already")

    def _sealed(self, user: User, secret: str) -> str:
        return self._sealer().seal(secret, context_of("users", "totp_secret", user.id))

    def _opened(self, user: User) -> str | None:
        """Return the secret; None when it was sealed with another key, which recovery codes help out of."""
        try:
            return self._sealer().open(user.totp_secret or "", context_of("users", "totp_secret", user.id))
        except Unsealable as error:
            log.error("The second factor of {name} cannot be read: {why}", name=user.name, why=str(error))
            return None
