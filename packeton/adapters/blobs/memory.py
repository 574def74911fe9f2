"""Blobs in memory: for tests and for embedders without a disk."""

from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import define, field
from zope.interface import implementer

from packeton.errors import NotFound, StorageFailed
from packeton.interfaces.blobs import BlobInfo, IBlob, IBlobDraft, IBlobStore

__all__ = ["MemoryBlobStore"]


@implementer(IBlob)
@define
class _MemoryBlob:
    _content: bytearray | bytes

    @property
    def size(self) -> int:
        return len(self._content)

    def read_at(self, offset: int, max_bytes: int) -> bytes:
        return bytes(self._content[offset : offset + max_bytes])

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        pass


@implementer(IBlobDraft)
@define
class _MemoryDraft:
    _store: "MemoryBlobStore"
    _content: bytearray = field(factory=bytearray)

    @property
    def size(self) -> int:
        return len(self._content)

    def write(self, data: bytes) -> None:
        if self._store.room is not None and self.size + len(data) > self._store.room:
            raise StorageFailed("cannot write to the store: No space left on device")
        self._content += data

    def reader(self) -> IBlob:
        return _MemoryBlob(self._content)

    def commit(self, key: str) -> None:
        self._store.blobs[key] = bytes(self._content)

    def discard(self) -> None:
        pass


@implementer(IBlobStore)
@define
class MemoryBlobStore:
    """All blobs in one dict. `room` bounds a single blob, to play a full disk."""

    blobs: dict[str, bytes] = field(factory=dict)
    room: int | None = None

    def draft(self) -> IBlobDraft:
        """Begin a blob."""
        return _MemoryDraft(self)

    def open(self, key: str) -> IBlob:
        """Open the blob of *key*."""
        if key not in self.blobs:
            raise NotFound("no such blob")
        return _MemoryBlob(self.blobs[key])

    def delete(self, key: str) -> None:
        """Drop the blob of *key*, if any."""
        self.blobs.pop(key, None)

    def listing(self) -> Iterator[BlobInfo]:
        """List all blobs."""
        for key, content in list(self.blobs.items()):
            yield BlobInfo(key=key, size=len(content), modified_at=datetime.fromtimestamp(0, UTC))

    def sweep(self) -> int:
        """Drafts are not kept at all."""
        return 0
