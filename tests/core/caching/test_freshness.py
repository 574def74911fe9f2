"""What may be stored, for how long it is fresh, and what may be done with it. Source: RFC 9111, RFC 5861."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.entries import CacheEntry
from packeton.core.caching.fields import http_date
from packeton.core.caching.freshness import (
    Verdict,
    current_age,
    judge,
    lifetime,
    may_be_stored,
    may_serve_after_failure,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SERVE, BEHIND, ASK = Verdict.SERVE, Verdict.SERVE_AND_REVALIDATE, Verdict.REVALIDATE


def stored(*headers: tuple[str, str], status: int = 200, delay: timedelta = SECOND * 0) -> CacheEntry:
    return CacheEntry(
        key="k", status=status, headers=(("Date", http_date(NOW)), *headers), requested_at=NOW - delay, received_at=NOW,
        stored_at=NOW, blob="b", size=1, sha256="", used_at=NOW,
    )  # fmt: skip


def cc(value: str) -> tuple[str, str]:
    return ("Cache-Control", value)


class StoringTests(SynchronousTestCase):
    """May a shared cache keep it?"""

    def test_table(self) -> None:
        """Method, status, directives, Authorization, Vary."""
        secret = (("Authorization", "Basic x"),)
        for expected, method, request, status, response in (
            (True, "GET", (), 200, ()), (True, "GET", (), 404, ()), (False, "POST", (), 200, (cc("max-age=9"),)),
            (False, "GET", (), 206, (cc("max-age=9"),)), (False, "GET", (), 304, ()), (False, "GET", (), 302, ()),
            (True, "GET", (), 302, (cc("max-age=9"),)), (True, "GET", (), 302, (("Expires", "x"),)),
            (False, "GET", (), 200, (cc("no-store"),)), (False, "GET", (cc("no-store"),), 200, ()),
            (False, "GET", (), 200, (cc("private, max-age=9"),)), (True, "GET", (), 200, (cc('private="a"'),)),
            (False, "GET", secret, 200, (cc("max-age=9"),)), (True, "GET", secret, 200, (cc("public"),)),
            (True, "GET", secret, 200, (cc("s-maxage=9"),)), (True, "GET", secret, 200, (cc("must-revalidate"),)),
            (False, "GET", (), 200, (("Vary", "a, *"),)), (True, "GET", (), 599, (cc("max-age=9"),)),
            (False, "GET", (), 599, (cc("max-age=9, must-understand"),)),
        ):  # fmt: skip
            self.assertEqual(expected, may_be_stored(method, request, status, response), (method, request, status, response))


class LifetimeTests(SynchronousTestCase):
    """How long."""

    def test_precedence(self) -> None:
        """s-maxage over max-age over Expires over heuristics."""
        date, later = ("Date", http_date(NOW)), ("Expires", http_date(NOW + 50 * SECOND))
        modified = ("Last-Modified", http_date(NOW - 1000 * SECOND))
        for expected, *headers in (
            (5, cc("s-maxage=5, max-age=9"), later), (9, cc("max-age=9"), later), (50, later, modified), (100, modified),
            (0,), (0, ("Expires", "0")), (0, ("Expires", http_date(NOW - SECOND))), (0, later, later),
            (0, ("Last-Modified", http_date(NOW + SECOND))), (86400, ("Last-Modified", http_date(NOW - 86400 * 100 * SECOND))),
        ):  # fmt: skip
            self.assertEqual(expected * SECOND, lifetime(200, [date, *headers], NOW), headers)
        self.assertEqual(0 * SECOND, lifetime(302, [date, modified], NOW))


class JudgeTests(SynchronousTestCase):
    """What now?"""

    def verdict(self, entry: CacheEntry, seconds: float, *request: tuple[str, str]) -> Verdict:
        return judge(entry, request, NOW + seconds * SECOND)

    def test_fresh_and_stale(self) -> None:
        """The boundary, with age on the way and delay counted."""
        entry = stored(cc("max-age=10"))
        self.assertEqual([SERVE, ASK], [self.verdict(entry, seconds) for seconds in (9.9, 10)])
        aged = stored(cc("max-age=10"), ("Age", "8"), delay=SECOND)
        self.assertEqual([SERVE, ASK], [self.verdict(aged, seconds) for seconds in (0.9, 1)])

    def test_directives_of_the_response(self) -> None:
        """no-cache, must-revalidate, stale-while-revalidate."""
        self.assertEqual(ASK, self.verdict(stored(cc("no-cache, max-age=99")), 0))
        self.assertEqual(SERVE, self.verdict(stored(cc('no-cache="a", max-age=99')), 0))
        entry = stored(cc("max-age=10, stale-while-revalidate=5"))
        self.assertEqual([BEHIND, ASK], [self.verdict(entry, seconds) for seconds in (14.9, 15)])
        strict = stored(cc("max-age=10, stale-while-revalidate=5, must-revalidate"))
        self.assertEqual(ASK, self.verdict(strict, 12))

    def test_directives_of_the_request(self) -> None:
        """no-cache, Pragma, max-age, min-fresh, max-stale."""
        entry = stored(cc("max-age=10"))
        self.assertEqual(ASK, self.verdict(entry, 0, cc("no-cache")))
        self.assertEqual(ASK, self.verdict(entry, 0, ("Pragma", "no-cache")))
        self.assertEqual(SERVE, self.verdict(entry, 0, ("Pragma", "no-cache"), cc("max-age=9")))
        self.assertEqual([SERVE, ASK], [self.verdict(entry, seconds, cc("max-age=5")) for seconds in (5, 5.1)])
        self.assertEqual([SERVE, ASK], [self.verdict(entry, seconds, cc("min-fresh=4")) for seconds in (5.9, 6)])
        self.assertEqual([SERVE, ASK], [self.verdict(entry, seconds, cc("max-stale=3")) for seconds in (13, 13.1)])
        self.assertEqual(SERVE, self.verdict(entry, 1e6, cc("max-stale")))
        self.assertEqual(ASK, self.verdict(stored(cc("max-age=10, must-revalidate")), 11, cc("max-stale")))

    def test_after_failure(self) -> None:
        """Only where stale-if-error allows it, for as long as it says, and never against must-revalidate."""
        late = NOW + 15 * SECOND
        self.assertFalse(may_serve_after_failure(stored(cc("max-age=10")), (), late))
        self.assertTrue(may_serve_after_failure(stored(cc("max-age=10, stale-if-error=5")), (), late))
        self.assertFalse(may_serve_after_failure(stored(cc("max-age=10, stale-if-error=4")), (), late))
        self.assertTrue(may_serve_after_failure(stored(cc("max-age=10")), (cc("stale-if-error=9"),), late))
        strict = stored(cc("max-age=10, stale-if-error=99, must-revalidate"))
        self.assertFalse(may_serve_after_failure(strict, (), late))

    @given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 200))
    def test_monotone(self, max_age: int, early: int, more: int, age: int) -> None:
        """Time only ages: what was to be revalidated never becomes fresh again; ages grow with time, second by second."""
        entry = stored(cc(f"max-age={max_age}"), ("Age", str(age)))
        first, second = self.verdict(entry, early), self.verdict(entry, early + more)
        self.assertFalse(first is ASK and second is SERVE)
        grown = current_age(entry, NOW + (early + more) * SECOND) - current_age(entry, NOW + early * SECOND)
        self.assertEqual(more * SECOND, grown)
