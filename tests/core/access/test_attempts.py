"""How often a login may be tried."""

from datetime import UTC, datetime, timedelta
from unittest import TestCase

from packeton.core.access.attempts import Limit, LoginThrottle

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class LoginThrottleTests(TestCase):
    """Leaky buckets by account and address."""

    def setUp(self) -> None:
        self.throttle = LoginThrottle(
            per_pair=Limit(3, timedelta(minutes=3)),
            per_account=Limit(6, timedelta(minutes=6)),
            per_address=Limit(10, timedelta(minutes=10)),
        )

    def fail(self, times: int, account: str = "ann", address: str = "192.0.2.1", now: datetime = NOW) -> None:
        for _ in range(times):
            self.assertIsNone(self.throttle.begin(account, address, now))

    def test_pair(self) -> None:
        """After as many failures the account waits at that address, and not at another."""
        self.fail(3)
        self.assertEqual(timedelta(minutes=1), self.throttle.begin("ann", "192.0.2.1", NOW))
        self.fail(1, address="192.0.2.2")

    def test_refused_is_not_charged(self) -> None:
        """Who keeps trying does not wait longer for it."""
        self.fail(3)
        for _ in range(20):
            self.throttle.begin("ann", "192.0.2.1", NOW)
        self.assertEqual(timedelta(minutes=1), self.throttle.begin("ann", "192.0.2.1", NOW))
        self.fail(1, now=NOW + timedelta(minutes=1))

    def test_account_from_anywhere(self) -> None:
        """A guess spread over many addresses is slowed too."""
        for number in range(6):
            self.fail(1, address=f"192.0.2.{number}")
        self.assertEqual(timedelta(minutes=1), self.throttle.begin("ann", "192.0.2.99", NOW))
        self.assertIsNone(self.throttle.begin("bob", "192.0.2.99", NOW))

    def test_address_with_many_accounts(self) -> None:
        """One address that tries name after name is slowed."""
        for number in range(10):
            self.fail(1, account=f"user{number}")
        self.assertEqual(timedelta(minutes=1), self.throttle.begin("somebody", "192.0.2.1", NOW))

    def test_names_are_folded(self) -> None:
        """Spelling a name in another case is no new account."""
        self.fail(2)
        self.fail(1, account=" ANN ")
        self.assertIsNotNone(self.throttle.begin("Ann", "192.0.2.1", NOW))

    def test_ipv6_network(self) -> None:
        """The addresses of one /64 count as one; IPv4 in IPv6 counts as IPv4."""
        self.fail(3, address="2001:db8::1")
        self.assertIsNotNone(self.throttle.begin("ann", "2001:db8::ffff", NOW))
        self.assertIsNone(self.throttle.begin("ann", "2001:db8:0:1::1", NOW))
        self.fail(2, address="192.0.2.7", account="eve")
        self.fail(1, address="::ffff:192.0.2.7", account="eve")
        self.assertIsNotNone(self.throttle.begin("eve", "192.0.2.7", NOW))

    def test_success(self) -> None:
        """A good login clears the pair and takes only its own charge from the other two."""
        self.fail(3)
        self.throttle.succeeded("ann", "192.0.2.1", NOW)
        self.fail(3)
        self.assertEqual(5, round(self.throttle._buckets[list(self.throttle._buckets)[-1]].level))

    def test_clock_set_back(self) -> None:
        """A clock that goes back frees nobody and locks nobody out for longer."""
        self.fail(3)
        self.assertEqual(timedelta(minutes=1), self.throttle.begin("ann", "192.0.2.1", NOW - timedelta(days=1)))

    def test_bounded(self) -> None:
        """Memory is bounded, whatever is tried."""
        self.throttle.max_keys = 50
        for number in range(500):
            self.throttle.begin("x" * 5000 + str(number), f"10.0.{number // 250}.{number % 250}", NOW)
        self.assertEqual(50, len(self.throttle._buckets))
        self.assertEqual({16}, {len(key) for key in self.throttle._buckets})
