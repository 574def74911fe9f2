"""Guessing at tokens."""

from datetime import timedelta

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.queues.throttles import LocalThrottle
from packeton.errors import TooManyAttempts
from packeton.features.access.guesses import Guesses, guess_limits
from packeton.interfaces.clocks import now_of
from tests.support.accounts import settled


class GuessesTests(SynchronousTestCase):
    """Different bad credentials count; the same one again does not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.guesses = Guesses(LocalThrottle(guess_limits(), now_of(self.clock)))

    def guess(self, number: int, name: str = "ann", address: str = "192.0.2.1") -> None:
        key = f"{number}".encode()
        settled(self.guesses.begin(key, name, address))
        self.guesses.bad(key)

    def test_different(self) -> None:
        """After fifty for one name from one address no other is looked at, until some time has passed."""
        for number in range(50):
            self.guess(number)
        with self.assertRaises(TooManyAttempts) as raised:
            self.guess(50)
        self.assertLess(raised.exception.retry_after, timedelta(seconds=19))
        self.clock.advance(18)
        self.guess(50)
        self.guess(51, name="bob")

    def test_same(self) -> None:
        """One bad token may be repeated for ever, and hinders nobody."""
        for _ in range(1000):
            self.guess(1)
        self.guess(2)

    def test_good(self) -> None:
        """Good ones do not count."""
        for number in range(1000):
            key = f"{number}".encode()
            settled(self.guesses.begin(key, "token", "192.0.2.1"))
            settled(self.guesses.good(key, "token", "192.0.2.1"))
        self.guess(1)

    def test_one_address(self) -> None:
        """Names do not help: an address has a limit of its own."""
        for number in range(200):
            self.guess(number, name=f"user{number}")
        with self.assertRaises(TooManyAttempts):
            self.guess(200, name="user200")
        self.guess(200, address="192.0.2.2")

    def test_bounded(self) -> None:
        """Memory is bounded."""
        for number in range(11_000):
            self.guesses.bad(str(number).encode())
        self.assertEqual(10_000, len(self.guesses._known))
