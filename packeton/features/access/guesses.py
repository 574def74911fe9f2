"""
Slowing down who guesses at tokens.

Only different bad credentials count: a machine that repeats one revoked token slows down nobody beside it.
"""

from collections import OrderedDict
from datetime import timedelta
from typing import Final

from attrs import define, field

from packeton.core.access.attempts import Limit, LoginThrottle
from packeton.errors import TooManyAttempts
from packeton.interfaces.throttles import IThrottle

__all__ = ["Guesses", "guess_limits"]

WITHIN: Final = timedelta(minutes=15)
MAX_KNOWN: Final = 10_000


def guess_limits() -> LoginThrottle:
    """Return how often tokens may be guessed at."""
    return LoginThrottle(Limit(50, WITHIN), Limit(500, WITHIN), Limit(200, WITHIN))


@define
class Guesses:
    """Counts bad credentials by name and address; of at most 10,000 it knows that they were counted."""

    _throttle: IThrottle
    _known: OrderedDict[bytes, None] = field(factory=OrderedDict, init=False)

    async def begin(self, key: bytes, name: str, address: str) -> None:
        """
        Note that credentials are to be verified; *key* stands for them.

        Raises:
            TooManyAttempts: too many others were bad lately.
        """
        if key in self._known:
            return
        wait = await self._throttle.begin(name, address)
        if wait is not None:
            raise TooManyAttempts("Too many bad credentials came from here. Try again later.", retry_after=wait)

    async def good(self, key: bytes, name: str, address: str) -> None:
        """Take back what `begin` counted: they were good, or it could not be told."""
        if self._known.pop(key, _ABSENT) is _ABSENT:
            await self._throttle.succeeded(name, address)

    def bad(self, key: bytes) -> None:
        """Remember that these are counted."""
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


_ABSENT: Final = object()
