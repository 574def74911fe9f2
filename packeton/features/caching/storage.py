"""Entries and their blobs as one thing: what is found can be opened, what is kept is whole."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from attrs import define, evolve, field
from twisted.logger import Logger
from zope.interface import implementer

from packeton.core.caching.entries import CacheEntry
from packeton.errors import NotFound, StorageFailed
from packeton.interfaces.blobs import IBlob, IBlobDraft, IBlobStore
from packeton.interfaces.caching import ICacheRecords
from packeton.interfaces.clocks import InThread, Now

__all__ = ["Storage"]

log = Logger()


@define
class Storage:
    """
    The cache's content. Every entry owns one blob; replacing an entry deletes the blob of the old one.

    A store that fails (full, read-only, broken) makes `find` forget and `keep` raise; it never stops serving what
    upstream gives.
    """

    _blobs: IBlobStore
    _records: ICacheRecords
    _in_thread: InThread
    _now: Now
    _new_name: Callable[[], str]
    _max_remembered: int = 20_000
    _remembered: OrderedDict[str, Sequence[CacheEntry]] = field(factory=OrderedDict, init=False)
    _served: set[tuple[str, str]] = field(factory=set, init=False)
    _open: dict[str, int] = field(factory=dict, init=False)
    _generation: int = field(default=0, init=False)

    def draft(self) -> IBlobDraft | None:
        """Begin a body; None when the store cannot take one now."""
        try:
            return self._blobs.draft()
        except StorageFailed as error:
            log.warn("The store takes nothing: {error}", error=str(error))
            return None

    async def variants(self, key: str) -> Sequence[CacheEntry]:
        """Return all entries of *key*, most recently received first; empty also when the records cannot be read."""
        remembered = self._remembered.get(key)
        if remembered is not None:
            self._remembered.move_to_end(key)
            return remembered
        generation = self._generation
        try:
            entries = await self._records.variants(key)
        except StorageFailed as error:
            log.warn("The cache's records cannot be read: {error}", error=str(error))
            return ()
        if generation == self._generation:
            self._remember(key, entries)
        return entries

    async def find(self, key: str, variant: str = "") -> CacheEntry | None:
        """Return one entry, or None."""
        return next((entry for entry in await self.variants(key) if entry.variant == variant), None)

    async def open(self, entry: CacheEntry) -> IBlob:
        """
        Open the body of *entry*; the caller closes it. While it is open it is not evicted.

        Raises:
            NotFound: the body is gone or not whole; the entry was forgotten, treat it as a miss.
        """
        self._open[entry.blob] = self._open.get(entry.blob, 0) + 1
        try:
            blob = self._blobs.open(entry.blob)
            if blob.size != entry.size:
                blob.close()
                raise NotFound("the stored body has another size than recorded")
        except (NotFound, StorageFailed) as error:
            self._closed(entry.blob)
            log.warn("Forgetting {key}: {error}", key=entry.key, error=str(error))
            await self._drop(entry)
            raise NotFound("the stored body is gone") from error
        self._served.add((entry.key, entry.variant))
        return _OpenBlob(blob, entry.blob, self._closed)

    async def keep(self, draft: IBlobDraft, entry: CacheEntry) -> CacheEntry:
        """
        Make *draft* the body of *entry*, durably, and replace what was stored under its (key, variant).

        Raises:
            StorageFailed: nothing was kept; the draft is discarded, the old entry stays.
        """
        blob = self._new_name()
        kept = evolve(entry, blob=blob)
        try:
            await self._in_thread(draft.commit, blob)
            replaced = await self._records.save(kept)
        except StorageFailed:
            await self._in_thread(self._discard, draft, blob)
            raise
        self._forget(entry.key)
        if replaced is not None and replaced.blob != blob:
            await self._in_thread(self._delete, replaced.blob)
        return kept

    async def confirm(self, entry: CacheEntry) -> CacheEntry:
        """
        Save *entry* with newer times and header fields, its body as it was; a failing store is only logged.

        Nothing happens where its body was replaced or removed meanwhile.
        """
        try:
            await self._records.confirm(entry)
            self._forget(entry.key)
        except StorageFailed as error:
            log.warn("A confirmation could not be recorded: {error}", error=str(error))
            self._forget(entry.key)
            self._remember(entry.key, (entry,))
        return entry

    async def replace_by_nothing(self, entry: CacheEntry) -> None:
        """Save *entry*, which has no body, in the place of what was stored; a failing store is only logged."""
        try:
            replaced = await self._records.save(entry)
        except StorageFailed as error:
            log.warn("An absence could not be recorded: {error}", error=str(error))
            self._forget(entry.key)
            self._remember(entry.key, (entry,))
            return
        self._forget(entry.key)
        if replaced is not None:
            await self._in_thread(self._delete, replaced.blob)

    async def remove(self, key: str, variant: str | None = None) -> Sequence[CacheEntry]:
        """Forget entries of *key* and delete their bodies; return them."""
        self._forget(key)
        removed = await self._records.remove(key, variant)
        for entry in removed:
            await self._in_thread(self._delete, entry.blob)
        self._forget(key)
        return removed

    async def note_served(self) -> None:
        """Write down what was served since the last call, for eviction; a failing store is only logged."""
        served, self._served = self._served, set()
        if served:
            try:
                await self._records.used(served, self._now())
            except StorageFailed as error:
                log.warn("Use of entries could not be recorded: {error}", error=str(error))

    def forget_all(self) -> None:
        """Read everything anew from the records: another process changed them."""
        self._generation += 1
        self._remembered.clear()

    def is_open(self, blob: str) -> bool:
        """Say if somebody reads this blob now."""
        return blob in self._open

    def _remember(self, key: str, entries: Sequence[CacheEntry]) -> None:
        self._remembered[key] = tuple(entries)
        while len(self._remembered) > self._max_remembered:
            self._remembered.popitem(last=False)

    def _forget(self, key: str) -> None:
        self._generation += 1
        self._remembered.pop(key, None)

    async def _drop(self, entry: CacheEntry) -> None:
        try:
            self._forget(entry.key)  # another process may have put another in its place
            current = await self.find(entry.key, entry.variant)
            if current is None or current.blob == entry.blob:
                await self.remove(entry.key, entry.variant)
        except StorageFailed as error:
            log.warn("An entry could not be removed: {error}", error=str(error))
            self._forget(entry.key)

    def _closed(self, blob: str) -> None:
        readers = self._open.pop(blob, 1) - 1
        if readers > 0:
            self._open[blob] = readers

    def _discard(self, draft: IBlobDraft, blob: str) -> None:
        draft.discard()
        self._delete(blob)

    def _delete(self, blob: str) -> None:
        try:
            if blob:
                self._blobs.delete(blob)
        except StorageFailed as error:
            log.warn("A blob could not be deleted: {error}", error=str(error))


@implementer(IBlob)
class _OpenBlob:
    """An IBlob that says when it is closed."""

    def __init__(self, blob: IBlob, key: str, closed: Callable[[str], None]) -> None:
        self._blob = blob
        self._key = key
        self._closed: Callable[[str], None] | None = closed
        self.size: int = blob.size
        self.read_at = blob.read_at
        self.fileno = blob.fileno

    def close(self) -> None:
        """Close the blob, once."""
        closed, self._closed = self._closed, None
        if closed is not None:
            self._blob.close()
            closed(self._key)
