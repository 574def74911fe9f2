"""How often tokens are used: counted in memory, written together."""

from collections.abc import Mapping
from typing import Final

from attrs import define, evolve, field
from twisted.logger import Logger

from packeton.errors import StorageFailed
from packeton.interfaces.accounts import ITokenRecords, TokenUse
from packeton.interfaces.clocks import Now

__all__ = ["TokenUsage"]

log = Logger()

MAX_TOKENS: Final = 10_000


@define
class TokenUsage:
    """Holds what is not written yet, of at most 10 000 tokens; call `flush` from time to time and at the end."""

    _records: ITokenRecords
    _now: Now
    _waiting: dict[int, TokenUse] = field(factory=dict, init=False)

    def note(self, token_id: int, address: str, agent: str) -> None:
        """Count one use."""
        before = self._waiting.get(token_id)
        if before is None and len(self._waiting) >= MAX_TOKENS:
            return
        count = 1 if before is None else before.count + 1
        self._waiting[token_id] = TokenUse(
            token_id=token_id, count=count, at=self._now(), address=address[:64], agent=agent[:512]
        )

    async def flush(self) -> None:
        """Write what was counted; what cannot be written waits for the next time."""
        told, self._waiting = self._waiting, {}
        if not told:
            return
        try:
            await self._records.used(told.values())
        except StorageFailed:
            self._waiting = _added(told, self._waiting)
            raise


def _added(old: Mapping[int, TokenUse], new: Mapping[int, TokenUse]) -> dict[int, TokenUse]:
    merged = dict(old)
    for token_id, use in new.items():
        before = merged.get(token_id)
        merged[token_id] = use if before is None else evolve(use, count=use.count + before.count)
    return merged
