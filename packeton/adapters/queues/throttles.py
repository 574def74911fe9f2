"""Throttles: counted in this process, or in Redis for all processes that share it."""

from datetime import timedelta
from typing import Any, Final

from attrs import define
from zope.interface import implementer

from packeton.adapters.queues.redis import PREFIX, RedisLink
from packeton.core.access.attempts import LoginThrottle
from packeton.errors import StorageFailed
from packeton.interfaces.clocks import Now
from packeton.interfaces.throttles import IThrottle

__all__ = ["LocalThrottle", "RedisThrottle"]

LEVEL: Final = """
local now = tonumber(ARGV[1])
local function level(index)
  local most, within = tonumber(ARGV[index * 2]), tonumber(ARGV[index * 2 + 1])
  local found = redis.call('HMGET', KEYS[index], 'level', 'at')
  if not found[1] then return 0, most, within end
  return math.max(0, tonumber(found[1]) - most * math.max(0, now - tonumber(found[2])) / within), most, within
end
local function fill(index, amount, within)
  redis.call('HSET', KEYS[index], 'level', tostring(amount), 'at', ARGV[1])
  redis.call('PEXPIRE', KEYS[index], within)
end
"""
BEGIN: Final = f"""{LEVEL}
local longest = 0
for index in ipairs(KEYS) do
  local filled, most, within = level(index)
  if filled + 1 > most then longest = math.max(longest, math.ceil(within * (filled + 1 - most) / most)) end
end
if longest > 0 then return longest end
for index in ipairs(KEYS) do
  local filled, _, within = level(index)
  fill(index, filled + 1, within)
end
return 0
"""
SUCCEEDED: Final = f"""{LEVEL}
redis.call('DEL', KEYS[1])
for index = 2, #KEYS do
  local filled, _, within = level(index)
  if filled > 0 then fill(index, math.max(0, filled - 1), within) end
end
return 0
"""


@implementer(IThrottle)
@define
class LocalThrottle:
    """Counts for this process alone."""

    _throttle: LoginThrottle
    _now: Now

    async def begin(self, account: str, address: str) -> timedelta | None:
        """See IThrottle."""
        return self._throttle.begin(account, address, self._now())

    async def succeeded(self, account: str, address: str) -> None:
        """See IThrottle."""
        self._throttle.succeeded(account, address, self._now())


@implementer(IThrottle)
@define
class RedisThrottle:
    """
    Counts for all processes, each step in one script; while Redis is away each one counts for itself.

    *name* is of what is guessed at; names and addresses stand in Redis only as digests, until their bucket is empty.
    """

    _link: RedisLink
    _name: str
    _throttle: LoginThrottle
    _now: Now

    async def begin(self, account: str, address: str) -> timedelta | None:
        """See IThrottle."""
        try:
            wait = int(await self._run(BEGIN, account, address))
        except StorageFailed:
            return self._throttle.begin(account, address, self._now())
        return timedelta(milliseconds=wait) if wait > 0 else None

    async def succeeded(self, account: str, address: str) -> None:
        """See IThrottle."""
        self._throttle.succeeded(account, address, self._now())
        try:
            await self._run(SUCCEEDED, account, address)
        except StorageFailed:
            return  # it empties by itself

    async def _run(self, script: str, account: str, address: str) -> Any:
        buckets = self._throttle.buckets(account, address)
        keys = [f"{PREFIX}throttle:{self._name}:{key.hex()}" for key, _ in buckets]
        limits = [part for _, limit in buckets for part in (limit.most, _milliseconds(limit.within))]
        return await self._link.call("eval", script, keys, [int(self._now().timestamp() * 1000), *limits])


def _milliseconds(time: timedelta) -> int:
    return int(time.total_seconds() * 1000)
