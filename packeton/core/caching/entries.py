"""What is kept of one upstream answer: its head, its times, and where its body lies."""

from datetime import datetime

from attrs import frozen

__all__ = ["CacheEntry", "DistDigest", "Publication"]


@frozen(kw_only=True)
class CacheEntry:
    """
    One stored response. The body is a blob of exactly `size` bytes.

    `key` is the primary cache key; `variant` the secondary one (RFC 9111 section 4.1), "" where the response has no
    Vary. All datetimes are aware UTC.
    """

    key: str
    variant: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    """Upstream's end-to-end header fields, in order."""
    selecting: tuple[tuple[str, str], ...] = ()
    """The request's header fields that Vary named, normalised; ("name", "") for an absent one."""
    requested_at: datetime
    """When the request that got or last confirmed this response was sent (RFC 9111 section 4.2.3)."""
    received_at: datetime
    """When its head came in."""
    stored_at: datetime
    """When the body was first stored; a confirmation leaves it."""
    blob: str
    """Key of the body; "" for a response that has none."""
    size: int
    sha256: str
    """Hex digest of the body."""
    used_at: datetime
    pinned: bool = False

    def header(self, name: str) -> str | None:
        """Return the values of a field, joined with ", " in order (RFC 9110 section 5.3); None when there is none."""
        values = [value for field, value in self.headers if field.lower() == name.lower()]
        return ", ".join(values) if values else None


@frozen(kw_only=True)
class DistDigest:
    """The bytes that were first seen for one dist; they are the ones served for ever."""

    mirror: str
    package: str
    version: str
    reference: str
    sha256: str
    size: int
    seen_at: datetime
    sha1: str | None = None
    """What Composer's `shasum` is; None where the dist was not read through."""
    changed_sha256: str | None = None
    """The digest of other bytes that upstream served later under the same reference: an alarm."""
    changed_at: datetime | None = None


@frozen(kw_only=True)
class Publication:
    """What we last sent out for one document: its Last-Modified never goes back nor repeats for other content."""

    key: str
    fingerprint: str
    """Digest of the content and of every setting that shapes our output of it."""
    last_modified: datetime
    """Whole seconds."""
