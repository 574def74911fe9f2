"""The kinds of things that go wrong, without HTTP: `web/errors.py` alone knows statuses."""

from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from enum import StrEnum
from typing import Self

__all__ = [
    "BadContent",
    "BadCredentials",
    "ChildFailed",
    "ConfigurationInvalid",
    "Conflict",
    "DatabaseRefused",
    "Denied",
    "Invalid",
    "InvalidFields",
    "NotAdmitted",
    "NotFound",
    "NotHad",
    "PacketonError",
    "StorageBusy",
    "StorageFailed",
    "Taken",
    "TooLarge",
    "TooManyAttempts",
    "Unauthenticated",
    "Unsealable",
    "UpstreamBusy",
    "UpstreamChanged",
    "UpstreamFailed",
    "UpstreamRefused",
    "UpstreamTimedOut",
    "VcsFailed",
    "VcsReason",
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


class InvalidFields(Invalid):
    """Several fields of an input cannot be used; `fields` says of each why."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in fields.items()))
        self.fields = dict(fields)


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


class TooManyAttempts(PacketonError):
    """The caller tried too often, and may try again in `retry_after`."""

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadCredentials(Unauthenticated):
    """
    The given credentials are not good; the client always learns the same.

    `reason` is for the audit trail, `name` is who it was about where that is known.
    """

    def __init__(self, reason: str, *, name: str | None = None) -> None:
        super().__init__("Bad credentials.")
        self.reason = reason
        self.name = name


class Denied(PacketonError):
    """The caller is known and may not do this; used only where it may know that the thing exists."""


class NotFound(PacketonError):
    """There is no such thing, or the caller may not know of it."""


class Conflict(PacketonError):
    """The thing changed meanwhile, or exists already."""


class NotHad(NotFound):
    """There is such a thing, and it cannot be had; the text says why, for the client to read."""


class NotAdmitted(NotFound):
    """It is kept back by a rule that the caller may know of; the text says which."""


class Taken(Conflict):
    """A value that must be the only one of its kind is somebody else's; `field` is its name in the API."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class StorageFailed(PacketonError):
    """The disk is full, read-only or broken. Serving goes on where upstream answers."""


class StorageBusy(StorageFailed):
    """The database is locked by somebody else, or has too much to do; trying later will help."""


class DatabaseRefused(StorageFailed):
    """The database is not one that this program may change: a newer program's, or another's."""


class Unsealable(PacketonError):
    """A secret at rest cannot be opened: APP_SECRET changed, or somebody changed what is stored."""


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

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class BadContent(UpstreamFailed):
    """An upstream answered with something that is not what was asked for, or is damaged."""


class ChildFailed(PacketonError):
    """A child process ended, was ended or ran out of time before its work was done."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class VcsReason(StrEnum):
    """Why a repository under version control could not be read: what a maintainer can do about it differs."""

    GONE = "gone"
    """There is no repository at the address, or none that this login may know of."""
    LOGIN = "login"
    """It wants a login, or did not accept ours."""
    HOST_KEY = "host-key"
    """The ssh server shows another key than the one that was pinned, or one that nobody accepted."""
    UNREACHABLE = "unreachable"
    """The server did not answer, or not in time; trying later may help."""
    EMPTY = "empty"
    """It has no commit yet."""
    NOT_A_REPOSITORY = "not-a-repository"
    """What answers there is no repository of a kind we know."""
    TOO_LARGE = "too-large"
    """It is larger than the settings allow."""
    DAMAGED = "damaged"
    """It, or our copy of it, lacks objects, and fetching it anew did not help."""
    OTHER = "other"


class VcsFailed(UpstreamFailed):
    """A repository under version control could not be read; `reason` says of what kind the trouble is."""

    def __init__(self, message: str, *, reason: VcsReason = VcsReason.OTHER) -> None:
        super().__init__(message)
        self.reason = reason
