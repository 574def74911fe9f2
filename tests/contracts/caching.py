"""What the records of the cache promise, on every database."""

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from packeton.adapters.database.caching import CacheRecords
from packeton.adapters.database.dists import DistRecords, PublicationRecords
from packeton.core.caching.entries import CacheEntry, DistDigest, Publication
from packeton.interfaces.caching import ICacheRecords, IDistRecords, IPublicationRecords

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DIGEST = DistDigest(mirror="m", package="acme/a", version="1.0.0.0", reference="r", sha256="1" * 64, size=7, seen_at=NOW)


def entry(key: str = "mirror/a/p2/acme/a", **fields: Any) -> CacheEntry:
    values = {"requested_at": NOW, "received_at": NOW, "stored_at": NOW, "used_at": NOW, "blob": "b", "size": 2**40, "sha256": "0" * 64}
    return CacheEntry(key=key, **{**values, **fields})


class CacheRecordsContract:
    """Mix into a SynchronousTestCase; `make_database` gives an empty one."""

    make_database: Any

    def setUp(self) -> None:
        self.database = self.make_database()
        self.records = CacheRecords(self.database)
        self.dists = DistRecords(self.database)
        self.publications = PublicationRecords(self.database)

    def ok(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))  # type: ignore[attr-defined]

    def save(self, *entries: CacheEntry) -> None:
        for one in entries:
            self.ok(self.records.save(one))

    def test_interfaces(self) -> None:
        """All are what they say."""
        for interface, records in ((ICacheRecords, self.records), (IDistRecords, self.dists), (IPublicationRecords, self.publications)):
            verifyObject(interface, records)

    def test_round_trip(self) -> None:
        """What was saved comes back, to the microsecond; a newer one replaces it and keeps the pin."""
        first = entry(headers=(("ETag", '"ä"'), ("ETag", "b")), selecting=(("accept", ""),))
        self.assertIsNone(self.ok(self.records.save(first)))
        self.assertEqual([first], self.ok(self.records.variants(first.key)))
        self.assertEqual(1, self.ok(self.records.pin(first.key, True)))
        second = entry(blob="c", received_at=NOW + timedelta(microseconds=1))
        self.assertEqual(evolve(first, pinned=True), self.ok(self.records.save(second)))
        self.assertEqual([evolve(second, pinned=True)], self.ok(self.records.variants(first.key)))

    def test_confirm(self) -> None:
        """Newer times replace those of the entry with the same body, and keep its pin; another's body stays as it is."""
        first = entry(blob="b")
        self.save(first)
        self.ok(self.records.pin(first.key, True))
        confirmed = evolve(first, received_at=NOW + timedelta(hours=1))
        self.assertTrue(self.ok(self.records.confirm(confirmed)))
        self.assertEqual([evolve(confirmed, pinned=True)], self.ok(self.records.variants(first.key)))
        self.assertFalse(self.ok(self.records.confirm(evolve(first, blob="older"))))
        self.assertEqual([evolve(confirmed, pinned=True)], self.ok(self.records.variants(first.key)))
        self.ok(self.records.remove(first.key))
        self.assertFalse(self.ok(self.records.confirm(confirmed)))
        self.assertEqual([], self.ok(self.records.variants(first.key)))

    def test_keys_are_bytes(self) -> None:
        """Keys differ by case, accent and trailing space; globs mean themselves only."""
        keys = ["k/A", "k/a", "k/a ", "k/ä", "k/a_b", "k/aXb", "k/100%"]
        self.save(*map(entry, keys))
        for key in keys:
            self.assertEqual([key], [one.key for one in self.ok(self.records.variants(key))])
        for glob, found in (("k/a_b", ["k/a_b"]), ("k/?", ["k/A", "k/a", "k/ä"]), ("*%", ["k/100%"]), ("k/a*", ["k/a", "k/a ", "k/aXb", "k/a_b"])):
            self.assertEqual(found, [one.key for one in self.ok(self.records.matching(glob))], glob)

    def test_pages(self) -> None:
        """A page goes on where the last one ended, also among variants of one key."""
        self.save(*(entry(key, variant=variant) for key in ("a", "b") for variant in ("", "x", "y")))
        seen, after = [], ("", "")
        while page := self.ok(self.records.matching("*", 2, after)):
            seen += [(one.key, one.variant) for one in page]
            after = seen[-1]
        self.assertEqual([(key, variant) for key in ("a", "b") for variant in ("", "x", "y")], seen)

    def test_totals_and_removal(self) -> None:
        """Sums above 32 bits; least used first without the pinned; removed ones are handed back."""
        self.assertEqual(0, self.ok(self.records.totals()).bytes)
        self.save(entry("a", used_at=NOW - timedelta(days=1)), entry("b"), entry("b", variant="v", blob="c"), entry("c", used_at=NOW - timedelta(days=2)))
        self.ok(self.records.pin("c", True))
        totals = self.ok(self.records.totals())
        self.assertEqual((4, 4 * 2**40, 1), (totals.entries, totals.bytes, totals.pinned))
        self.assertEqual("a", self.ok(self.records.least_used(10))[0].key)
        self.ok(self.records.used([("a", ""), ("nobody", "")], NOW + timedelta(days=1)))
        self.assertEqual("a", self.ok(self.records.least_used(10))[-1].key)
        self.assertEqual({"b", "c"}, set(self.ok(self.records.blobs())))
        self.assertEqual({"", "v"}, {one.variant for one in self.ok(self.records.remove("b"))})
        self.assertEqual([], self.ok(self.records.remove("b")))

    def test_revision(self) -> None:
        """It moves when another process changes something, and not when this one does or only reads."""
        other = CacheRecords(self.database)
        for change in (lambda: other.save(entry()), lambda: other.pin(entry().key, True), lambda: other.remove(entry().key)):
            before = self.ok(self.records.revision()), self.ok(other.revision())
            self.ok(change())
            self.assertEqual(before[1], self.ok(other.revision()))
            self.assertGreater(self.ok(self.records.revision()), before[0])
        before = self.ok(self.records.revision())
        self.ok(other.used([("k", "")], NOW))
        self.ok(other.totals())
        self.assertEqual(before, self.ok(self.records.revision()))

    def test_dists(self) -> None:
        """The first digest holds; a change is an alarm until it is accepted."""
        self.assertEqual(DIGEST, self.ok(self.dists.first_seen(DIGEST)))
        self.assertEqual(DIGEST, self.ok(self.dists.first_seen(evolve(DIGEST, sha256="2" * 64))))
        self.ok(self.dists.changed("m", "acme/a", "1.0.0.0", "r", "3" * 64, NOW))
        self.assertEqual(["3" * 64], [one.changed_sha256 for one in self.ok(self.dists.alarms())])
        self.assertEqual(1, self.ok(self.dists.accept("acme/a")))
        self.assertIsNone(self.ok(self.dists.find("m", "acme/a", "1.0.0.0", "r")))

    def test_publications(self) -> None:
        """The last one replaces the one before."""
        self.assertIsNone(self.ok(self.publications.find("k")))
        for fingerprint in ("a", "b", "b"):
            self.ok(self.publications.save(Publication(key="k", fingerprint=fingerprint, last_modified=NOW)))
        found = self.ok(self.publications.find("k"))
        self.assertEqual(("b", NOW), (found.fingerprint, found.last_modified))
