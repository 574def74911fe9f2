"""The kinds of things that go wrong, without HTTP: `web/errors.py` alone knows statuses."""

from copy import copy
from datetime import timedelta
from typing import Self

__all__ = [
    "BadContent",
    "ConfigurationInvalid",
    "Conflict",
    "Denied",
    "Invalid",
    "NotFound",
    "PacketonError",
    "StorageFailed",
    "TooLarge",
    "Unauthenticated",
    "UpstreamBusy",
    "UpstreamChanged",
    "UpstreamFailed",
    "UpstreamRefused",
    "UpstreamTimedOut",
]


class PacketonError(Exception):
    """Base of all errors of this program. Its text may reach a client: no secrets, no paths."""

    def of(self, where: str) -> Self:
        """Return a copy whose text begins with *where*; the original may be shared by many who wait, and remembered."""
        error = copy(self)
        error.args = (f"{where}: {self}",)
        return error


class Invalid(PacketonError):
    """The caller's input cannot be used."""


class ConfigurationInvalid(Invalid):
    """
    A setting cannot be used.

    The text is one line that begins with the option's dotted path, for example
    ``packeton.mirrors.acme.url: must begin with http:// or https://``.
    """


class TooLarge(Invalid):
    """The caller sent more than is accepted."""


class Unauthenticated(PacketonError):
    """Credentials are needed, or the given ones are not good."""


class Denied(PacketonError):
    """The caller is known and may not do this; used only where it may know that the thing exists."""


class NotFound(PacketonError):
    """There is no such thing, or the caller may not know of it."""


class Conflict(PacketonError):
    """The thing changed meanwhile, or exists already."""


class StorageFailed(PacketonError):
    """The disk is full, read-only or broken. Serving goes on where upstream answers."""


class UpstreamFailed(PacketonError):
    """An upstream could not be reached or answered with a server error; trying later may help."""


class UpstreamTimedOut(UpstreamFailed):
    """An upstream did not answer in time."""


class UpstreamBusy(UpstreamFailed):
    """An upstream asked to be left alone for a while, or our own back-off says so."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamChanged(UpstreamFailed):
    """An upstream's answer became another one while it was fetched: asking for all of it anew may help."""


class UpstreamRefused(UpstreamFailed):
    """An upstream will not give this to us (401, 403, 451 …): asking again would not help."""


class BadContent(UpstreamFailed):
    """An upstream answered with something that is not what was asked for, or is damaged."""
