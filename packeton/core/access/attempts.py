"""
Login throttling: how often a password or token may be guessed.

Each attempt drops into three leaky buckets: one for the account from this address, one for the account from anywhere,
one for the address. An attempt that overfills one of them is refused unlooked at. The first is the narrow one, so
that somebody who guesses at a name from elsewhere does not lock its owner out before trying hard.
"""

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from attrs import define, field, frozen

__all__ = ["Limit", "LoginThrottle"]

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that one customer of a provider has at least."""


@frozen
class Limit:
    """A bucket: it holds `most` attempts and empties, when full, in `within`."""

    most: int
    within: timedelta


@define
class _Bucket:
    level: float
    at: datetime


@define
class LoginThrottle:
    """
    Counts attempts in memory, of at most `max_keys` accounts and addresses; of more, those tried longest ago go.

    An attempt is charged when it begins, so that many at once cannot slip through; a good one gets its charge back.
    """

    per_pair: Limit = Limit(10, timedelta(minutes=15))
    per_account: Limit = Limit(50, timedelta(minutes=15))
    per_address: Limit = Limit(100, timedelta(minutes=15))
    max_keys: int = 30_000
    _buckets: OrderedDict[bytes, _Bucket] = field(factory=OrderedDict, init=False)

    def begin(self, account: str, address: str, now: datetime) -> timedelta | None:
        """Charge an attempt; return None when it may go on, else how long to wait: then nothing was charged."""
        keys = self.buckets(account, address)
        waits = [self._wait(key, limit, now) for key, limit in keys]
        longest = max(waits)
        if longest > timedelta(0):
            return longest
        for key, limit in keys:
            self._add(key, limit, now)
        return None

    def succeeded(self, account: str, address: str, now: datetime) -> None:
        """Give the charge back, and forget what this account did wrong from this address before."""
        (pair, _), *others = self.buckets(account, address)
        self._buckets.pop(pair, None)
        for key, limit in others:
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.level, bucket.at = max(0.0, self._level(bucket, limit, now) - 1), now

    def buckets(self, account: str, address: str) -> list[tuple[bytes, Limit]]:
        """Return what an attempt drops into, by keys of fixed size; the narrow one first."""
        name, where = account.strip().lower(), _network(address)
        return [
            (_digest("pair", name, where), self.per_pair),
            (_digest("account", name), self.per_account),
            (_digest("address", where), self.per_address),
        ]

    def _wait(self, key: bytes, limit: Limit, now: datetime) -> timedelta:
        bucket = self._buckets.get(key)
        if bucket is None:
            return timedelta(0)
        over = self._level(bucket, limit, now) + 1 - limit.most
        return limit.within * (over / limit.most) if over > 0 else timedelta(0)

    def _level(self, bucket: _Bucket, limit: Limit, now: datetime) -> float:
        passed = max(now - bucket.at, timedelta(0))
        return max(0.0, bucket.level - limit.most * (passed / limit.within))

    def _add(self, key: bytes, limit: Limit, now: datetime) -> None:
        bucket = self._buckets.get(key)
        level = 0.0 if bucket is None else self._level(bucket, limit, now)
        self._buckets[key] = _Bucket(level + 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self.max_keys:
            self._buckets.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _digest(*parts: str) -> bytes:
    """Return a key of fixed size, however long a name somebody tries."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
