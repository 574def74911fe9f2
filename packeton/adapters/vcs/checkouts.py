"""ICheckouts: hands each piece of work to a child process, in its turn."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import DeferredLock, DeferredSemaphore
from zope.interface import implementer

from packeton.adapters.processes import ProcessPool
from packeton.adapters.upstream.proxies import Proxies
from packeton.adapters.vcs import ssh, work
from packeton.adapters.vcs.locks import exclusive
from packeton.adapters.vcs.values import Job, Network, VcsBounds
from packeton.config.settings import Secret
from packeton.core.composer.addresses import parse_address
from packeton.errors import ChildFailed, VcsFailed, VcsReason
from packeton.interfaces.clocks import InThread
from packeton.interfaces.vcs import (
    ArchiveOrder,
    BuiltArchive,
    Crawl,
    CrawlPlan,
    ICheckouts,
    OnBatch,
    OnLog,
    PlainManifest,
    VcsAccess,
)

__all__ = ["Checkouts", "VcsRules"]


@frozen(kw_only=True)
class VcsRules:
    """What the operator decided."""

    folder: Path
    """Where checkouts and pinned host keys live; made if missing."""
    local_paths: tuple[str, ...] = ()
    crawls: int = 1
    """Crawls at once; fewer than there are children, so that archives need not wait for a large clone."""
    per_host: int = 2
    """Pieces of work at once that may ask one host."""
    within: timedelta = timedelta(minutes=30)
    network: Network = field(factory=Network)
    proxies: Proxies | None = None
    bounds: VcsBounds = field(factory=VcsBounds)


@implementer(ICheckouts)
class Checkouts:
    """See ICheckouts."""

    def __init__(self, pool: ProcessPool, in_thread: InThread, rules: VcsRules) -> None:
        self._pool = pool
        self._in_thread = in_thread
        self._rules = rules
        self._crawls = DeferredSemaphore(max(1, rules.crawls))
        self._hosts = _Turns(lambda: DeferredSemaphore(rules.per_host))
        self._checkouts = _Turns(DeferredLock)

    async def crawl(self, access: VcsAccess, plan: CrawlPlan, on_batch: OnBatch, on_log: OnLog) -> Crawl:
        """As the port says."""
        job = self._job(access)
        async with self._changing(job), _held(self._crawls):
            crawled: Crawl = await self._run(job, work.crawl, plan, on_log=on_log, on_batch=on_batch)
            return crawled

    async def default_manifest(self, access: VcsAccess, directory: str, on_log: OnLog) -> PlainManifest:
        """As the port says."""
        job = self._job(access)
        async with self._changing(job):
            manifest: PlainManifest = await self._run(job, work.default_manifest, directory, on_log=on_log, urgent=True)
            return manifest

    async def list_files(self, access: VcsAccess, on_log: OnLog) -> Sequence[str]:
        """As the port says."""
        files: Sequence[str] = await self._run(self._job(access), work.list_files, on_log=on_log, urgent=True)
        return files

    async def changelog(self, access: VcsAccess, from_: str, to: str) -> Sequence[str]:
        """As the port says."""
        subjects: Sequence[str] = await self._run(self._job(access), work.changelog, from_, to, urgent=True)
        return subjects

    async def archive(
        self, access: VcsAccess, order: ArchiveOrder, destination: Path, on_log: OnLog
    ) -> BuiltArchive:
        """As the port says. Archives of one checkout are built at once where it holds what they need."""
        job = self._job(access)
        built: BuiltArchive = await self._run(job, work.archive, order, destination, on_log=on_log, urgent=True)
        return built

    async def forget(self, access: VcsAccess) -> None:
        """As the port says."""
        job = self._job(access)
        async with self._checkouts.turn(job.address.key):
            await self._run(job, work.forget)

    async def tidy(self, unused_for: timedelta) -> int:
        """As the port says."""
        within = self._rules.within
        removed: int = await self._pool.run(work.tidy, self._rules.folder, unused_for, within=within)
        return removed

    async def host_keys(self) -> Sequence[str]:
        """As the port says."""
        return await self._in_thread(ssh.pinned, self._rules.folder)

    async def forget_host(self, host: str) -> None:
        """As the port says."""
        await self._in_thread(_forget_host, self._rules.folder, host)

    def _job(self, access: VcsAccess) -> Job:
        address = parse_address(access.url, self._rules.local_paths)
        network = self._rules.network
        if self._rules.proxies is not None and address.scheme in {"http", "https"}:
            proxy = self._rules.proxies.for_url(address.scheme, address.host, address.port)
            if proxy is not None:
                host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
                secret = None if proxy.authorization is None else Secret(proxy.authorization)
                network = _with_proxy(network, f"http://{host}:{proxy.port}", secret)
        rules = self._rules
        return Job(
            access=access,
            address=address,
            folder=rules.folder,
            local_paths=rules.local_paths,
            network=network,
            bounds=rules.bounds,
        )

    @asynccontextmanager
    async def _changing(self, job: Job) -> AsyncIterator[None]:
        """Wait for the turn to change a checkout, and for that of its host: not in a child, which would be held up."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._checkouts.turn(job.address.key))
            if not job.address.is_local:
                await stack.enter_async_context(self._hosts.turn(job.address.host.lower()))
            yield

    async def _run(
        self,
        job: Job,
        function: Callable[..., Any],
        *arguments: object,
        on_log: OnLog | None = None,
        on_batch: OnBatch | None = None,
        urgent: bool = False,
    ) -> Any:
        try:
            return await self._pool.run(
                function,
                job,
                *arguments,
                within=self._rules.within,
                on_told=on_log,
                on_delivered=on_batch,
                urgent=urgent,
            )
        except ChildFailed as error:
            reason = VcsReason.UNREACHABLE if error.timed_out else VcsReason.OTHER
            raise VcsFailed(f"{job.address.url}: {error}", reason=reason) from error


class _Turns:
    """Locks by name, which are kept only while somebody holds or awaits them."""

    def __init__(self, make: Callable[[], DeferredLock | DeferredSemaphore]) -> None:
        self._make = make
        self._locks: dict[str, tuple[DeferredLock | DeferredSemaphore, int]] = {}

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(name) or (self._make(), 0)
        self._locks[name] = (lock, users + 1)
        try:
            async with _held(lock):
                yield
        finally:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)


@asynccontextmanager
async def _held(lock: DeferredLock | DeferredSemaphore) -> AsyncIterator[None]:
    waiting: Awaitable[Any] = lock.acquire()
    await waiting
    try:
        yield
    finally:
        lock.release()


def _with_proxy(network: Network, proxy: str, authorization: Secret | None) -> Network:
    return evolve(network, proxy=proxy, proxy_authorization=authorization)


def _forget_host(folder: Path, host: str) -> None:
    file = ssh.known_hosts_file(folder)
    with exclusive(file.with_suffix(".lock")):
        if not file.exists():
            return
        lines = [line for line in file.read_text().splitlines() if line.split(" ")[0] != host]
        fresh = file.with_name("known_hosts.new")
        fresh.write_text("".join(f"{line}\n" for line in lines))
        fresh.replace(file)
