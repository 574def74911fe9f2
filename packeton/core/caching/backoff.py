"""When to ask again for one thing that failed: back-off with jitter, and a circuit per object."""

from collections import OrderedDict
from datetime import datetime, timedelta

from attrs import define, field

__all__ = ["Attempts", "delay"]

MOST_DOUBLINGS = 20


def delay(failures: int, random: float, *, base: timedelta, longest: timedelta) -> timedelta:
    """
    Return how long to wait after the *failures*-th failure in a row (from 1): `base` doubled each time, between half
    and all of it by *random* (0 to 1), at most *longest*.
    """
    doublings = min(max(failures - 1, 0), MOST_DOUBLINGS)
    whole = min(longest, base * (1 << doublings)) if base < longest else longest
    return whole * (0.5 + random / 2)


@define
class _Circuit:
    failures: int = 0
    retry_at: datetime | None = None
    """Nobody may try before; while a probe is under way, the end of the time it has."""


@define
class Attempts:
    """
    A circuit for each key: closed until a failure, then open for a while, then half-open for exactly one probe.

    There is no global state: one object that fails says nothing about another. At most `max_keys` are remembered; of
    more, those that failed longest ago are forgotten, which lets them be tried.
    """

    base: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    max_keys: int = 50_000
    probe_for: timedelta = timedelta(minutes=30)
    """A probe whose outcome was not reported by then is taken for lost, and another may try."""
    _circuits: OrderedDict[str, _Circuit] = field(factory=OrderedDict, init=False)

    def allowed(self, key: str, now: datetime) -> bool:
        """Say if `begin` would be granted."""
        circuit = self._circuits.get(key)
        return circuit is None or circuit.retry_at is None or now >= circuit.retry_at

    def begin(self, key: str, now: datetime) -> bool:
        """Ask for leave to try; the one that got it after a failure is the probe, and must report its outcome."""
        if not self.allowed(key, now):
            return False
        circuit = self._circuits.get(key)
        if circuit is not None:
            circuit.retry_at = now + self.probe_for
        return True

    def succeeded(self, key: str) -> None:
        """Close the circuit."""
        self._circuits.pop(key, None)

    def failed(self, key: str, now: datetime, random: float) -> None:
        """Open the circuit for longer than the last time."""
        circuit = self._circuits.setdefault(key, _Circuit())
        circuit.failures += 1
        circuit.retry_at = now + delay(circuit.failures, random, base=self.base, longest=self.longest)
        self._circuits.move_to_end(key)
        if len(self._circuits) > self.max_keys:
            self._circuits.popitem(last=False)
