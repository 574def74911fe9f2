"""The port to what counts attempts at passwords and tokens, in this process or for all that share a Redis."""

from datetime import timedelta

from zope.interface import Interface

__all__ = ["IThrottle"]


class IThrottle(Interface):
    """Slows down who guesses; see `core.access.attempts`. It never fails: what cannot be shared is counted here."""

    async def begin(account: str, address: str) -> timedelta | None:
        """Charge an attempt; return None when it may go on, else how long to wait: then nothing was charged."""

    async def succeeded(account: str, address: str) -> None:
        """Give the charge back, and forget what this account did wrong from this address before."""
