"""
Keeping one mirror up to date: what clients use, and for a full mirror everything.

Theory of operation: a run goes through phases, and the records know which one and how far: whoever comes after a kill
goes on there. First upstream's root is fetched; nothing is forgotten before that worked. Then what clients use is asked
for anew, narrowed down by upstream's feed of changes where there is one. For a full mirror upstream's names are then
written down with the digests that it tells, a thousand at a time, and those whose digest is not the fetched one are
fetched, some at once; names without a digest are fetched once a run. Memory does not grow with the number of names.

One process at a time runs a mirror, by a lock with a lease. Single failures are skipped and counted; upstream saying
that we may not (401, 403), a store that takes nothing, many strange answers, or a long row of failures end the run, and
the next one goes on.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from packeton.core.caching.decisions import Listed, Phase, SyncState, Wish
from packeton.core.caching.modes import Mode, interval_of
from packeton.errors import (
    BadContent,
    Conflict,
    NotFound,
    PacketonError,
    StorageFailed,
    UpstreamFailed,
    UpstreamRefused,
)
from packeton.features.mirroring.policy import Policy
from packeton.interfaces.clocks import Now, now_of
from packeton.interfaces.mirrors import IMirrorRecords, ISyncRecords, Which

__all__ = ["Changes", "Source", "SourceRoot", "Synchroniser", "each"]

log = Logger()

T = TypeVar("T")

LEASE = timedelta(seconds=60)
RETRY = timedelta(minutes=5)
"""When a run that failed is tried again, unless the interval is shorter."""
PAGE = 100
MAX_TOLD = 11
"""So many failures of a kind are logged one by one; more unexpected ones end the run."""
MAX_IN_A_ROW = 100
"""So many failures without a success between them mean that upstream is away."""
LOG_EVERY = timedelta(seconds=30)


@frozen(kw_only=True)
class SourceRoot:
    """What matters here of upstream's root."""

    digest: str
    v2: bool
    changes: bool
    """There is a feed of changes."""
    hashed: bool
    """Names are listed with digests: an unchanged root means that nothing changed."""


@frozen(kw_only=True)
class Changes:
    """What upstream's feed tells."""

    timestamp: int
    """Where to go on next time."""
    names: frozenset[str] | None
    """Names that changed; None: anything may have."""


class Source(Protocol):
    """Upstream, as a synchronisation sees it."""

    async def root(self, *, refresh: bool = True) -> SourceRoot:
        """Return its root, asked for now or as it is at hand. Raises UpstreamFailed and its kinds."""

    def listed(self) -> AsyncIterator[Sequence[Listed]]:
        """Yield its names, some thousand at once at most. Raises NotFound when it does not tell, UpstreamFailed."""

    async def fetch(self, one: Listed) -> bool:
        """Fetch a package's metadata; return if it changed. Raises NotFound, UpstreamFailed and its kinds."""

    async def changes(self, since: int) -> Changes:
        """Ask its feed. Raises UpstreamFailed and its kinds."""

    async def forget(self) -> None:
        """Forget the stored metadata, but for the root."""


class _Stopped(PacketonError):
    """Somebody asked the run to stop; the next one goes on where it is."""


@define
class Synchroniser:
    """Runs the synchronisation of one mirror."""

    alias: str
    mode: Mode
    _interval: timedelta | None
    """None: by what upstream offers."""
    _source: Source
    _records: ISyncRecords
    _packages: IMirrorRecords
    _policy: Policy
    _clock: IReactorTime
    _owner: str
    _at_once: int = 8
    state: SyncState = field(factory=SyncState, init=False)
    """The last state this process knows of; `running` says if it is of now."""
    running: bool = field(default=False, init=False)
    _stopping: bool = field(default=False, init=False)
    _on_progress: Callable[[SyncState], None] = field(default=lambda _: None, init=False)
    _logged: float = field(default=0, init=False)
    _in_a_row: int = field(default=0, init=False)
    _told: Counter[str] = field(factory=Counter, init=False)

    @property
    def _now(self) -> Now:
        return now_of(self._clock)

    async def run(self, wish: Wish = Wish.NONE, on_progress: Callable[[SyncState], None] = lambda _: None) -> SyncState:
        """
        Synchronise now; return the state at the end.

        Raises:
            Conflict: it is being synchronised, here or by another process.
            PacketonError: it ended before its time; the state holds the reason.
        """
        holder = self._owner if self.running else await self._claim()
        if holder is not None:
            raise Conflict(f"mirror {self.alias} is being synchronised by {holder.rpartition(':')[0]}")
        self.running, self._stopping, self._on_progress = True, False, on_progress
        self._in_a_row, self._told, self._logged = 0, Counter(), self._clock.seconds()
        beat = LoopingCall(lambda: Deferred.fromCoroutine(self._renew()))
        beat.clock = self._clock
        beaten = beat.start(LEASE.total_seconds() / 4, now=False)
        try:
            await self._begin(wish)
            return await self._guarded()
        finally:
            beat.stop()
            await beaten
            self.running = False
            await self._records.release(self.alias, self._owner)

    def stop(self) -> None:
        """End the run after the requests under way."""
        self._stopping = True

    async def is_due(self) -> bool:
        """Say if it is time for a run."""
        if self.running:
            return False
        await self._policy.prepare()
        if self._policy.frozen:
            return False
        state = self.state = await self._records.state(self.alias)
        if state.ended_at is None or (state.began_at is not None and state.ended_at < state.began_at):
            return True
        interval = await self.interval()
        if state.error is not None:
            interval = min(interval, RETRY)
        return self._now() - state.ended_at >= interval

    async def interval(self) -> timedelta:
        """Return how often it runs by itself."""
        if self._interval:
            return self._interval
        try:
            root = await self._source.root(refresh=False)
        except PacketonError:
            return interval_of(self.mode, changes=False, v2=True)
        return interval_of(self.mode, changes=root.changes, v2=root.v2)

    async def _claim(self) -> str | None:
        return await self._records.claim(self.alias, self._owner, self._now(), LEASE)

    async def _renew(self) -> None:
        try:
            holder = await self._claim()
        except PacketonError as error:
            log.warn("{alias}: the lock could not be kept: {why}", alias=self.alias, why=str(error))
        else:
            if holder is not None:
                log.warn("{alias}: {holder} took over the synchronisation", alias=self.alias, holder=holder)
                self.stop()

    async def _begin(self, wish: Wish) -> None:
        """Go on with a run that did not come to its end, unless more is wanted than it was to do; else begin one."""
        state = await self._records.state(self.alias)
        goes_on = state.phase is not Phase.IDLE and WEIGHT[wish] <= WEIGHT[state.wish]
        if goes_on:
            log.info("{alias}: going on with {phase}", alias=self.alias, phase=state.phase.value)
            # Which names were fetched stands beside them; those that failed are tried again.
            cursor = "" if state.phase is Phase.FETCHING else state.cursor
            await self._keep(evolve(state, began_at=self._now(), cursor=cursor, failed=0))
            return
        first = Phase.FORGETTING if wish is Wish.RESET else Phase.REFRESHING
        fresh = evolve(state, run=state.run + 1, phase=first, wish=wish, cursor="", began_at=self._now())
        await self._keep(evolve(fresh, total=0, done=0, changed=0, failed=0))

    async def _guarded(self) -> SyncState:
        try:
            await self._policy.prepare()
            await self._phases()
        except _Stopped:
            log.info("{alias}: synchronisation stopped; it goes on with the next one", alias=self.alias)
            await self._records.save(self.alias, self.state)
            raise
        except PacketonError as error:
            log.warn("{alias}: synchronisation ended early: {why}", alias=self.alias, why=str(error))
            await self._keep(evolve(self.state, ended_at=self._now(), error=str(error)))
            raise
        state = self.state
        log.info(
            "{alias}: synchronised; {changed} packages changed, {failed} could not be had",
            alias=self.alias, changed=state.changed, failed=state.failed,
        )  # fmt: skip
        return state

    async def _phases(self) -> None:
        root = await self._source.root()
        if self.state.phase is Phase.FORGETTING:
            await self._source.forget()
            await self._records.forget(self.alias)
            await self._keep(evolve(self.state, phase=Phase.REFRESHING, root="", listing="", changes_since=0))
        if self.state.phase is Phase.REFRESHING:
            await self._refresh_used(root)
            if self.mode is Mode.FULL and not self._nothing_new(root):
                await self._keep(evolve(self.state, phase=Phase.LISTING, cursor="", total=0, done=0))
        if self.state.phase in {Phase.LISTING, Phase.FETCHING}:
            await self._fetch_everything(root)
        now = self._now()
        seen = root.digest if not self.state.failed else ""  # what failed is tried again, also if the root stays
        ended = evolve(self.state, phase=Phase.IDLE, wish=Wish.NONE, cursor="", root=seen)
        await self._keep(evolve(ended, ended_at=now, synced_at=now, error=None))

    def _nothing_new(self, root: SourceRoot) -> bool:
        return root.hashed and root.digest == self.state.root and self.state.wish is Wish.NONE

    async def _refresh_used(self, root: SourceRoot) -> None:
        changes = await self._changes() if root.changes else None
        counts = await self._packages.counts(self.alias)
        known = None if changes is None or self._wants_all else changes.names
        self.state = evolve(self.state, total=counts.enabled if known is None else len(known))
        while some := await self._packages.packages(self.alias, Which.ENABLED, self.state.cursor, PAGE):
            wanted = await self._policy.allowed([one.name for one in some if known is None or one.name in known])
            await self._fetch_some([Listed(name=name) for name in wanted], [])
            await self._keep(evolve(self.state, cursor=some[-1].name))
        if changes is not None:
            await self._keep(evolve(self.state, changes_since=changes.timestamp))

    @property
    def _wants_all(self) -> bool:
        """Say if what the feed leaves out is wanted as well: it was forgotten, or the feed was never asked."""
        return self.state.wish is Wish.RESET or not self.state.changes_since

    async def _changes(self) -> Changes | None:
        """Ask the feed; None: it did not answer, so anything may have changed."""
        try:
            return await self._source.changes(self.state.changes_since)
        except PacketonError as error:
            if _is_final(error):
                raise
            log.warn("{alias}: the feed of changes was not had: {why}", alias=self.alias, why=str(error))
            return None

    async def _fetch_everything(self, root: SourceRoot) -> None:
        run = self.state.run
        if self.state.phase is Phase.LISTING or self.state.listing != root.digest:
            try:
                await self._write_names(run)
            except NotFound as error:
                log.warn("{alias}: {why}; only what clients use is kept fresh", alias=self.alias, why=str(error))
                return
            await self._keep(evolve(self.state, phase=Phase.FETCHING, listing=root.digest, cursor=""))
        total, due = await self._records.totals(self.alias, run)
        self.state = evolve(self.state, total=total, done=total - due)
        while some := await self._records.due(self.alias, run, self.state.cursor, PAGE):
            done: list[Listed] = []
            try:
                await self._fetch_some(some, done)
            finally:  # also when the run ends here
                await self._records.fetched(self.alias, run, done)
            await self._keep(evolve(self.state, cursor=some[-1].name))

    async def _write_names(self, run: int) -> None:
        total = 0
        async for some in self._source.listed():
            allowed = frozenset(await self._policy.allowed([one.name for one in some]))
            names = [one for one in some if one.name in allowed]
            await self._records.listed(self.alias, run, names)
            total += len(names)
            self._progress(evolve(self.state, total=total))
            self._obey()
        gone = await self._records.drop_unlisted(self.alias, run)
        log.info("{alias}: upstream lists {total} packages, {gone} less", alias=self.alias, total=total, gone=gone)

    async def _fetch_some(self, names: Sequence[Listed], done: list[Listed]) -> None:
        """Fetch these, some at once; those that need not be asked for again are added to *done*."""

        async def work(one: Listed) -> None:
            if await self._fetch_one(one):
                done.append(one)

        await each(names, work, self._at_once)

    async def _fetch_one(self, one: Listed) -> bool:
        self._obey()
        try:
            changed = await self._source.fetch(one)
        except NotFound as error:
            self._tell("not found", one, error)
            changed = False
        except PacketonError as error:
            self._note_failure(one, error)
            return False
        self._in_a_row = 0
        self._progress(evolve(self.state, done=self.state.done + 1, changed=self.state.changed + changed))
        return True

    def _note_failure(self, one: Listed, error: PacketonError) -> None:
        """Count a failure. Raises what ends the run."""
        if _is_final(error) or isinstance(error, StorageFailed):
            raise error
        self._in_a_row += 1
        kind = type(error).__name__
        self._tell(kind, one, error)
        self._progress(evolve(self.state, done=self.state.done + 1, failed=self.state.failed + 1))
        if self._in_a_row > MAX_IN_A_ROW:
            raise UpstreamFailed(f"upstream seems to be away: {self._in_a_row} failures in a row, the last: {error}")
        unexpected = isinstance(error, BadContent) or not isinstance(error, UpstreamFailed)
        if unexpected and self._told[kind] > MAX_TOLD:
            raise UpstreamFailed(f"upstream's answers are strange: {self._told[kind]} times such as {error}")

    def _tell(self, kind: str, one: Listed, error: PacketonError) -> None:
        self._told[kind] += 1
        if self._told[kind] <= MAX_TOLD:
            log.info("{alias}: {name}: {why}", alias=self.alias, name=one.name, why=str(error))

    def _obey(self) -> None:
        if self._stopping:
            raise _Stopped("the synchronisation was stopped")

    async def _keep(self, state: SyncState) -> None:
        self._progress(state)
        await self._records.save(self.alias, state)

    def _progress(self, state: SyncState) -> None:
        self.state = state
        self._on_progress(state)
        now = self._clock.seconds()
        if now - self._logged >= LOG_EVERY.total_seconds():
            self._logged = now
            log.info(
                "{alias}: {phase}, {done} of {total}, {changed} changed, {failed} failed",
                alias=self.alias, phase=state.phase.value, done=state.done, total=state.total,
                changed=state.changed, failed=state.failed,
            )  # fmt: skip


WEIGHT = {Wish.NONE: 0, Wish.UPDATE: 1, Wish.RESET: 2}


def _is_final(error: PacketonError) -> bool:
    """Say if upstream will not let us at all: a login is missing or wrong."""
    return isinstance(error, UpstreamRefused) and error.status in {401, 403}


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Do *work* for all items, at most *at_once* at a time. Raises the first error once all under way have ended."""
    waiting = iter(items)
    failures: list[Failure] = []

    async def worker() -> None:
        for item in waiting:
            if failures:
                return
            try:
                await work(item)
            except Exception:
                failures.append(Failure())

    await DeferredList([Deferred.fromCoroutine(worker()) for _ in range(at_once)])
    if failures:
        failures[0].raiseException()
