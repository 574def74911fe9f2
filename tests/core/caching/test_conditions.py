"""Conditional requests and variants. Source: RFC 9110 section 13, RFC 9111 sections 3.2, 4.1 and 4.3."""

from datetime import UTC, datetime
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.conditions import Outcome, evaluate, range_still_applies, updated_headers, validators
from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import http_date
from packeton.core.caching.keys import proxy_key
from packeton.core.caching.variants import choose, selecting_fields, variant_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DATE, OLDER, NEWER = http_date(NOW), "Tue, 24 Nov 2026 11:59:59 GMT", "Tue, 24 Nov 2026 12:00:01 GMT"


def entry(*headers: tuple[str, str], selecting: tuple[tuple[str, str], ...] = (), second: int = 0) -> CacheEntry:
    moment = NOW.replace(second=second)
    return CacheEntry(
        key="k", headers=headers, selecting=selecting, requested_at=moment, received_at=moment, stored_at=moment, blob="b",
        size=1, sha256="", used_at=moment,
    )  # fmt: skip


class ConditionTests(SynchronousTestCase):
    """Both directions."""

    def test_evaluate(self) -> None:
        """If-None-Match is weak and wins; If-Modified-Since without it."""
        for modified, *request in (
            (True, ("If-None-Match", '"a"')), (True, ("If-None-Match", 'W/"a"')), (True, ("If-None-Match", '"x", "a"')),
            (True, ("If-None-Match", "*")), (False, ("If-None-Match", '"b"')), (False, ("If-None-Match", "a")),
            (False, ("If-None-Match", '"b"'), ("If-Modified-Since", NEWER)), (True, ("If-Modified-Since", DATE)),
            (True, ("If-Modified-Since", NEWER)), (False, ("If-Modified-Since", OLDER)), (False, ("If-Modified-Since", "x")),
            (True, ("If-None-Match", '"b,\\", "a"')), (True, ("If-None-Match", '"b"'), ("If-None-Match", '"a"')),
            (False, ("If-None-Match", '"x,"a"')), (False,),
        ):  # fmt: skip
            outcome = evaluate(request, etag='"a"', last_modified=NOW)
            self.assertEqual(Outcome.NOT_MODIFIED if modified else Outcome.PROCEED, outcome, request)

    def test_hostile_tags(self) -> None:
        """A field of the size of a head is read in no time."""
        began = process_time()
        for odd in ('\\"', '"a\\', "W/", '" ', ",", '""'):
            self.assertIs(Outcome.PROCEED, evaluate([("If-None-Match", '"' + odd * 30_000)], etag="x", last_modified=NOW))
        self.assertLess(process_time() - began, 5)

    def test_if_range(self) -> None:
        """A strong validator or the exact date."""
        for applies, value in ((True, '"a"'), (False, 'W/"a"'), (False, '"b"'), (True, DATE), (False, NEWER)):
            self.assertEqual(applies, range_still_applies([("If-Range", value)], etag='"a"', last_modified=DATE), value)
        self.assertFalse(range_still_applies([("If-Range", 'W/"a"')], etag='W/"a"', last_modified=None))
        self.assertTrue(range_still_applies([], etag=None, last_modified=None))

    def test_validators(self) -> None:
        """Ours take the place of the client's conditions; a range is not asked for."""
        asked = validators(
            entry(("ETag", '"a"'), ("Last-Modified", DATE)), [("If-None-Match", '"x"'), ("Range", "bytes=0-1"), ("B", "1")]
        )
        self.assertEqual((("B", "1"), ("If-None-Match", '"a"'), ("If-Modified-Since", DATE)), asked)

    def test_update(self) -> None:
        """Fields of a 304 replace stored ones, but for those that describe the body."""
        old = (("A", "1"), ("A", "2"), ("Content-Length", "5"), ("ETag", '"a"'), ("B", "1"))
        new = (("a", "3"), ("Content-Length", "0"), ("ETag", '"b"'), ("Connection", "c"), ("C", "x"), ("D", "4"))
        updated = updated_headers(old, new)
        self.assertEqual({("Content-Length", "5"), ("ETag", '"a"'), ("B", "1"), ("a", "3"), ("D", "4")}, set(updated))


class VariantTests(SynchronousTestCase):
    """Vary."""

    def test_selecting(self) -> None:
        """Named fields, normalised, absent ones as empty."""
        request = [("Accept-Language", "EN ,  de;q=0.5"), ("X", "a  b"), ("accept-language", "fr")]
        selecting = selecting_fields(request, [("Vary", "X, accept-language"), ("vary", "Absent")])
        self.assertEqual((("absent", ""), ("accept-language", "en,de;q=0.5,fr"), ("x", "a  b")), selecting)
        self.assertEqual("", variant_of(()))
        self.assertNotEqual(variant_of(selecting), variant_of((("x", "a  b"),)))

    def test_quoted(self) -> None:
        """Spaces inside quotes count; a long run of them costs nothing."""
        for value, expected in (('a="x, y"', 'a="x, y"'), ("a ; b = c", "a;b=c"), ("a" + " " * 60_000 + "b",) * 2):
            self.assertEqual((("x", expected),), selecting_fields([("X", value)], [("Vary", "X")]))

    def test_choose(self) -> None:
        """The most recent that matches."""
        entries = [entry(selecting=(("x", "1"),), second=1), entry(selecting=(("x", "1"),), second=3), entry(selecting=(("x", "2"),), second=2)]
        self.assertIs(entries[1], choose(entries, [("X", "1")]))
        self.assertIs(entries[2], choose(entries, [("X", "2")]))
        self.assertIsNone(choose(entries, []))

    def test_keys(self) -> None:
        """Readable where possible, bounded always, and different for different targets."""
        self.assertEqual("proxy/f/a?b=c", proxy_key("f", "/a?b=c"))
        long, other = proxy_key("f", "/" + "x" * 5000), proxy_key("f", "/" + "x" * 5001)
        self.assertNotEqual(long, other)
        self.assertLess(len(long), 120)
        self.assertTrue(proxy_key("f", "/é\n").isprintable())

    def test_nobody_writes_a_digest(self) -> None:
        """A client that spells out the digest of another target does not meet it."""
        long = proxy_key("f", "/" + "x" * 5000)
        self.assertNotEqual(long, proxy_key("f", long.removeprefix("proxy/f")))

    @given(st.lists(st.text(max_size=30), min_size=2, max_size=2, unique=True))
    def test_no_two_meet(self, targets: list[str]) -> None:
        """Different targets have different keys, and all are bounded and printable."""
        one, other = (proxy_key("f", "/" + target) for target in targets)
        self.assertNotEqual(one, other)
        self.assertTrue(one.isprintable() and len(one) <= 400)
