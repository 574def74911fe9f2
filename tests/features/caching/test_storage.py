"""Storage and housekeeping: what is found can be opened; bounds are kept."""

from datetime import UTC, datetime, timedelta

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.entries import CacheEntry
from packeton.errors import NotFound, StorageFailed
from packeton.features.caching.housekeeping import Housekeeping
from tests.support.scripted import immediately
from tests.support.store import MemoryCache


class StoreTestCase(SynchronousTestCase):
    """A store in memory."""

    def setUp(self) -> None:
        self.cache = MemoryCache()
        self.addCleanup(self.cache.close)
        self.storage, self.records = self.cache.storage, self.cache.records
        self.evicted: list[int] = []
        self.housekeeping = Housekeeping(
            self.cache.blobs, self.records, self.storage, immediately, self.cache.now, 1000, timedelta(days=30),
            self.evicted.append,
        )

    def run_now(self, coroutine: object) -> object:
        return self.successResultOf(ensureDeferred(coroutine))

    def keep(self, key: str, content: bytes = b"x" * 100, variant: str = "") -> CacheEntry:
        from hashlib import sha256

        draft = self.storage.draft()
        draft.write(content)
        now = self.cache.now()
        entry = CacheEntry(
            key=key, variant=variant, requested_at=now, received_at=now, stored_at=now, blob="", size=len(content),
            sha256=sha256(content).hexdigest(), used_at=now,
        )  # fmt: skip
        self.cache.clock.advance(1)
        return self.run_now(self.storage.keep(draft, entry))

    def keys(self) -> list[str]:
        async def work() -> list[str]:
            return [entry.key async for entry in self.housekeeping.entries()]

        return self.run_now(work())


class StorageTests(StoreTestCase):
    """Finding, keeping, forgetting."""

    def test_keep_and_replace(self) -> None:
        """A replaced entry's body is deleted; pins survive; variants stand beside each other."""
        self.keep("a", b"one")
        self.run_now(self.records.pin("a", True))
        self.keep("a", b"two")
        self.keep("a", b"other", variant="v")
        self.assertEqual({b"two", b"other"}, set(self.cache.blobs.blobs.values()))
        entry = self.run_now(self.storage.find("a"))
        self.assertTrue(entry.pinned)
        blob = self.run_now(self.storage.open(entry))
        self.assertTrue(self.storage.is_open(entry.blob))
        self.assertEqual(b"two", blob.read_at(0, 10))
        blob.close()
        blob.close()
        self.assertFalse(self.storage.is_open(entry.blob))

    def test_lost_body(self) -> None:
        """An entry whose body is gone, or has another size, is forgotten at the first look."""
        for remaining in (b"", b"short"):
            entry = self.keep("a")
            self.cache.blobs.blobs.clear()
            self.cache.blobs.blobs.update(dict.fromkeys([entry.blob], remaining) if remaining else {})
            self.failureResultOf(ensureDeferred(self.storage.open(entry)), NotFound)
            self.assertIsNone(self.run_now(self.storage.find("a")))

    def test_late_confirmation(self) -> None:
        """A confirmation of a body that was replaced or purged meanwhile brings its entry not back."""
        old = self.keep("a", b"old")
        new = self.keep("a", b"new")
        self.run_now(self.storage.confirm(old))
        self.assertEqual(new, self.run_now(self.storage.find("a")))
        self.run_now(self.storage.remove("a"))
        self.run_now(self.storage.confirm(new))
        self.assertIsNone(self.run_now(self.storage.find("a")))

    def test_full(self) -> None:
        """Where the records fail, nothing is found and nothing raised."""
        self.patch(type(self.cache.database), "run", lambda *_: _raise())
        self.assertIsNone(self.run_now(self.storage.find("a")))
        self.run_now(self.storage.note_served())


async def _raise() -> None:
    raise StorageFailed("no")


class HousekeepingTests(StoreTestCase):
    """Bounds, pins, readers, orphans, damage."""

    def test_evicts_least_used(self) -> None:
        """Over the limit the least recently used go, never pinned ones nor those being read."""
        entries = [self.keep(f"k{number:02}") for number in range(14)]
        self.run_now(self.records.pin("k00", True))
        reading = self.run_now(self.storage.open(entries[1]))
        self.run_now(self.storage.open(entries[2])).close()
        self.cache.clock.advance(1)
        self.assertEqual(500, self.run_now(self.housekeeping.evict()))
        left = self.keys()
        self.assertIn("k00", left)
        self.assertIn("k02", left)
        self.assertNotIn("k03", left)
        reading.close()
        self.assertEqual(9, len(left))
        self.assertEqual(500, sum(self.evicted))

    def test_evicts_being_read_never(self) -> None:
        """A body that is read stays, however old."""
        entry = self.keep("a")
        reading = self.run_now(self.storage.open(entry))
        self.run_now(self.storage.note_served())
        self.cache.clock.advance(86400 * 40)
        self.run_now(self.housekeeping.evict())
        self.assertEqual(["a"], self.keys())
        reading.close()
        self.run_now(self.housekeeping.evict())
        self.assertEqual([], self.keys())

    def test_orphans(self) -> None:
        """Bodies without an entry go, if they are old enough; owned ones stay."""
        self.keep("a")
        self.cache.blobs.blobs["lost"] = b"x"
        self.assertEqual(0, self.run_now(self.housekeeping.remove_orphans(datetime.fromtimestamp(0, UTC))))
        self.assertEqual(1, self.run_now(self.housekeeping.remove_orphans(self.cache.now())))
        self.assertEqual(1, len(self.cache.blobs.blobs))

    def test_verify(self) -> None:
        """Damage is found and repaired; what is whole is left alone."""
        good, bad = self.keep("good", b"fine"), self.keep("bad", b"fine")
        self.cache.blobs.blobs[bad.blob] = b"Fine"

        async def verify(repair: bool) -> list[str]:
            return [one.key async for one in self.housekeeping.verify(repair=repair) if one is not None]

        self.assertEqual(["bad"], self.run_now(verify(False)))
        self.assertEqual(["bad"], self.run_now(verify(True)))
        self.assertEqual([], self.run_now(verify(False)))
        self.assertIn(good.blob, self.cache.blobs.blobs)

    def test_patterns(self) -> None:
        """Globs mean what they say; percent and underscore are letters."""
        for key in ("a/b_c", "a/bxc", "a/100%", "b/x"):
            self.keep(key)
        self.assertEqual(["a/b_c"], [entry.key for entry in self.run_now(self.records.matching("a/b_c"))])
        self.assertEqual(["a/100%"], [entry.key for entry in self.run_now(self.records.matching("a/100%"))])
        self.assertEqual(3, self.run_now(self.housekeeping.totals("a/*")).entries)
        self.assertEqual(2, self.run_now(self.housekeeping.totals("a/b?c")).entries)
