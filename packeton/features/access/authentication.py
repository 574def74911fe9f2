"""
Credentials → Identity, through a chain of authenticators.

A verified credential is remembered for a minute at most, so that requests cost no query. It is forgotten at once when
anything about access changes (the revision moves), and it ends with the account or the token by the clock. A wrong
one is never remembered. Requests that come together with the same credentials wait for one verification.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from attrs import define, field, frozen

from packeton.core.access.accounts import earliest
from packeton.core.access.identities import Identity
from packeton.core.access.tokens import MAX_SECRET, shown
from packeton.errors import BadCredentials
from packeton.features.access.guesses import Guesses
from packeton.features.access.usage import TokenUsage
from packeton.features.caching.flights import Flights
from packeton.interfaces.authentication import Credentials, IAuthenticator, Verified
from packeton.interfaces.clocks import Now
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["Attempt", "Authentication"]

HELD_FOR: Final = timedelta(seconds=60)
MAX_HELD: Final = 10_000
MAX_NAME: Final = 255


@frozen(kw_only=True)
class Attempt:
    """Somebody showed credentials that had to be verified: for the audit trail."""

    name: str
    user_id: int | None
    shown: str
    """How the secret begins."""
    problem: str | None
    """Why they were no good; None: they were."""
    address: str
    agent: str
    at: datetime


@frozen(kw_only=True)
class _Held:
    verified: Verified
    revision: int
    since: datetime
    until: datetime


@define
class Authentication:
    """Asks each authenticator in turn. `_observe` is told of each verification, not of what was remembered."""

    _authenticators: Sequence[IAuthenticator]
    _revisions: IRevisions
    _usage: TokenUsage
    _now: Now
    _observe: Callable[[Attempt], None]
    _guesses: Guesses | None = None
    _held: OrderedDict[bytes, _Held] = field(factory=OrderedDict, init=False)
    _flights: Flights[_Held] = field(factory=Flights, init=False)

    async def identify(self, credentials: Credentials, *, address: str, agent: str = "") -> Identity:
        """
        Return who it is.

        Raises:
            BadCredentials: nobody, or not any more.
            TooManyAttempts: too many bad ones came from there.
            StorageFailed: it cannot be told now.
        """
        if len(credentials.secret) > MAX_SECRET or len(credentials.username or "") > MAX_NAME:
            raise BadCredentials("the credentials are too long")
        key = _key(credentials)
        held = self._remembered(key)
        if held is None:
            revision = self._revisions.current(Subject.ACCESS)
            flight = f"{key.hex()} {revision}"
            held = await self._flights.join(flight, lambda: self._counted(key, credentials, revision, address, agent))
            self._remember(key, held)
        if held.verified.token_id is not None:
            self._usage.note(held.verified.token_id, address, agent)
        return held.verified.identity

    def _remembered(self, key: bytes) -> _Held | None:
        held = self._held.get(key)
        if held is None:
            return None
        changed = held.revision != self._revisions.current(Subject.ACCESS)
        if changed or not held.since <= self._now() < held.until:  # the clock may be set back
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return held

    def _remember(self, key: bytes, held: _Held) -> None:
        self._held[key] = held
        self._held.move_to_end(key)
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)

    async def _counted(
        self, key: bytes, credentials: Credentials, revision: int, address: str, agent: str
    ) -> _Held:
        if self._guesses is None:
            return await self._verified(credentials, revision, address, agent)
        name = credentials.username or ""
        await self._guesses.begin(key, name, address)
        try:
            held = await self._verified(credentials, revision, address, agent)
        except BadCredentials:
            self._guesses.bad(key)
            raise
        except Exception:
            await self._guesses.good(key, name, address)
            raise
        await self._guesses.good(key, name, address)
        return held

    async def _verified(self, credentials: Credentials, revision: int, address: str, agent: str) -> _Held:
        def tell(name: str | None, user_id: int | None, problem: str | None) -> None:
            attempt = Attempt(
                name=name or credentials.username or "",
                user_id=user_id,
                shown=shown(credentials.secret),
                problem=problem,
                address=address,
                agent=agent,
                at=self._now(),
            )
            self._observe(attempt)

        try:
            verified = await self._ask(credentials)
        except BadCredentials as error:
            tell(error.name, None, error.reason)
            raise
        identity = verified.identity
        tell(identity.name, identity.user_id, None)
        now = self._now()
        until = earliest(now + HELD_FOR, identity.valid_until)
        assert until is not None, "one of the two is there"
        return _Held(verified=verified, revision=revision, since=now, until=until)

    async def _ask(self, credentials: Credentials) -> Verified:
        for authenticator in self._authenticators:
            verified: Verified | None = await authenticator.identify(credentials)
            if verified is not None:
                return verified
        raise BadCredentials("nothing recognises these credentials", name=credentials.username)


def _key(credentials: Credentials) -> bytes:
    name = (credentials.username or "").encode("utf-8", "surrogatepass")
    return sha256(len(name).to_bytes(4, "big") + name + credentials.secret.encode("utf-8", "surrogatepass")).digest()
