"""
The feed of `metadata-changes-url`: which packages changed since a client last asked.

Time is counted in ticks, of which a second has ten thousand, but told in whole seconds. What changed in the second of
an answer is told again in the next one: more can have changed in it after the answer was made.
Source: contract of the reference; packagist.org's ApiController::metadataChanges().
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from packeton.core.composer.metadata import JsonObject

__all__ = ["ChangesAnswer", "FeedChange", "feed_answer", "needed_since", "since_of", "ticks"]

TICKS_PER_SECOND: Final = 10_000
FIRST_SECOND: Final = 1_585_061_224
"""The feed's own beginning: what is not later cannot have been given out."""
FIRST_TICK: Final = FIRST_SECOND * TICKS_PER_SECOND
KEPT: Final = timedelta(days=30)
MAX_DIGITS: Final = 18


@frozen(kw_only=True)
class FeedChange:
    """The newest change of the stable or the development versions of one package."""

    package: str
    is_dev: bool
    at: datetime
    """Aware."""
    deleted: bool = False
    """The package is not there any more, or archived."""


@frozen(kw_only=True)
class ChangesAnswer:
    """What the client is told."""

    is_good: bool
    """False: the question was wrong, the document holds an `error`."""
    document: JsonObject


def ticks(moment: datetime) -> int:
    """Return an instant in ticks, to the second."""
    return int(moment.timestamp()) * TICKS_PER_SECOND


def since_of(text: str | None) -> int | None:
    """
    Return `since` in ticks; None where it is missing or cannot be one.

    A number that is a time in seconds counts as such, because clients send that.
    """
    if not text or not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        return None
    since = int(text)
    if FIRST_SECOND < since < FIRST_TICK:
        since *= TICKS_PER_SECOND
    return since if since >= FIRST_TICK else None


def needed_since(text: str | None, now: datetime) -> datetime | None:
    """Return from when on changes are needed to answer `?since=`; None where the answer needs none."""
    since = since_of(text)
    if since is None or _is_too_old(since, now):
        return None
    return datetime.fromtimestamp(min(since, ticks(now)) // TICKS_PER_SECOND, UTC)


def _is_too_old(since: int, now: datetime) -> bool:
    """Say if a client that asks for the time after *since* has to read all again."""
    return since < ticks(now - KEPT)


def _since(changes: Iterable[FeedChange], since: int, now: datetime) -> list[FeedChange]:
    """Return the newest change of each package and kind in the second *since* or later; development first."""
    newest: dict[tuple[str, bool], FeedChange] = {}
    first = since - since % TICKS_PER_SECOND
    for change in changes:
        if first <= ticks(change.at) <= ticks(now):
            held = newest.get((change.package, change.is_dev))
            if held is None or held.at < change.at:
                newest[change.package, change.is_dev] = change
    return sorted(newest.values(), key=lambda change: (not change.is_dev, change.at, change.package))


def feed_answer(text: str | None, changes: Iterable[FeedChange], *, now: datetime, url: str) -> ChangesAnswer:
    """
    Answer `?since=`.

    Args:
        text: The parameter as it came.
        changes: At least those that `needed_since` asks for; not read where it asks for none.
        url: The feed's own address, for the hint.
    """
    timestamp = ticks(now)
    since = since_of(text)
    if since is None:
        hint = (
            'Invalid or missing "since" query parameter, make sure you store the timestamp of each answer, and pass it'
            f" for every subsequent request. To begin, call {url}?since={timestamp}"
        )
        return ChangesAnswer(is_good=False, document={"error": hint, "timestamp": timestamp})
    if _is_too_old(since, now):
        actions = [{"type": "resync", "time": timestamp // TICKS_PER_SECOND, "package": "*"}]
    else:
        actions = [_action(change) for change in _since(changes, since, now)]
    return ChangesAnswer(is_good=True, document={"actions": actions, "timestamp": timestamp})


def _action(change: FeedChange) -> JsonObject:
    name = f"{change.package}~dev" if change.is_dev else change.package
    return {"type": "delete" if change.deleted else "update", "package": name, "time": int(change.at.timestamp())}
