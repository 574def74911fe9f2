"""The port to byte storage. A blob is immutable; it is seen whole or not at all."""

from collections.abc import Iterator
from datetime import datetime

from attrs import frozen
from zope.interface import Attribute, Interface

__all__ = ["BlobInfo", "IBlob", "IBlobDraft", "IBlobStore"]


@frozen(kw_only=True)
class BlobInfo:
    """One stored blob, as a listing shows it."""

    key: str
    size: int
    modified_at: datetime


class IBlob(Interface):
    """An open blob; it stays readable until closed, also when deleted meanwhile."""

    size: int = Attribute("bytes")

    def read_at(offset: int, max_bytes: int) -> bytes:
        """Return up to *max_bytes* from *offset*; empty at the end. A local file: brief."""

    def fileno() -> int | None:
        """Return a descriptor for `sendfile`, positioned nowhere in particular; None when there is no file."""

    def close() -> None:
        """Let go; further calls do nothing."""


class IBlobDraft(Interface):
    """
    A blob while it is written. `write`, `sync` and `commit` block: call them off the reactor thread, one at a time.

    Raises (all three): StorageFailed: disk full, read-only or broken; the draft can then only be discarded, and what
    was written before stays readable until then.
    """

    size: int = Attribute("bytes written so far")

    def write(data: bytes) -> None:
        """Append."""

    def reader() -> IBlob:
        """Open a reader on the growing content; its `size` grows with us. It outlives `commit` and `discard`."""

    def commit(key: str) -> None:
        """Make the content durable (fsync) and visible under *key*, replacing what was there."""

    def discard() -> None:
        """Throw the content away; open readers stay usable. Never raises; safe after `commit` (does nothing)."""


class IBlobStore(Interface):
    """Keep immutable blobs. A reader sees a whole blob or none: a write shows once it committed."""

    def draft() -> IBlobDraft:
        """Begin a blob. Raises StorageFailed."""

    def open(key: str) -> IBlob:
        """
        Open a blob; the caller closes it.

        Raises:
            NotFound: Nothing is stored under *key*.
        """

    def delete(key: str) -> None:
        """Remove a blob; nothing happens when there is none. Open readers go on."""

    def listing() -> Iterator[BlobInfo]:
        """Walk over all blobs, in no order; blocks on the disk: off the reactor thread."""

    def sweep() -> int:
        """Remove the drafts that a crash left, but none that any process writes now; return how many."""
