"""Checkouts with real children and what the tests of this folder share."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import SkipTest

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from packeton.adapters.processes import PoolLimits, ProcessPool
from packeton.adapters.threads import Threads
from packeton.adapters.vcs.checkouts import Checkouts, VcsRules
from packeton.errors import VcsFailed
from packeton.interfaces.vcs import ArchiveOrder, BuiltArchive, Crawl, CrawlPlan, RefReading, VcsAccess
from tests.support.vcs import GitHttp, GitRepository, SshServer

__all__ = ["CheckoutsTestCase"]


@frozen(kw_only=True)
class Ssh:
    """An sshd that runs, as whom it is reached, and a key that it knows and one that it does not."""

    server: SshServer
    host: str
    good: Path
    bad: Path


class CheckoutsTestCase(TestCase):
    """A folder, a pool, and a `Checkouts` on both."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vcs-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = self.folder / "data"
        self.temporary = self.folder / "t"
        self.temporary.mkdir()
        self.log: list[str] = []
        self.pool = ProcessPool(reactor, {"PATH": self.path(), "TMPDIR": str(self.temporary)}, PoolLimits(niceness=0))
        self.pool.startService()
        self.addCleanup(self.pool.stopService)
        threads = Threads(reactor, "files", 2)
        threads.startService()
        self.addCleanup(threads.stopService)
        self.threads = threads
        self.checkouts = self.make()

    @staticmethod
    def path() -> str:
        return os.environ["PATH"]

    def make(self, *, within: timedelta = timedelta(seconds=60), crawls: int = 2, **options: Any) -> Checkouts:
        local = (str(self.folder / "local"),)
        rules = VcsRules(folder=self.data, local_paths=local, within=within, crawls=crawls, **options)
        return Checkouts(self.pool, self.threads, rules)

    def repository(self, name: str = "lib.git", **options: Any) -> GitRepository:
        return GitRepository.make(self.folder / "local" / name, **options)

    def serve(self, **options: Any) -> GitHttp:
        server = GitHttp(self.folder / "local", **options).start()
        self.addCleanup(server.stop)
        return server

    def serve_ssh(self) -> Ssh:
        """Start a real sshd that lets in who has the one of two keys; skips where there is none."""
        missing = SshServer.missing()
        if missing is not None:
            raise SkipTest(missing)
        server = SshServer(self.folder / "sshd")
        good, bad = server.key("good"), server.key("bad")
        server.start(good)
        self.addCleanup(server.stop)
        user = subprocess.run(["id", "-un"], capture_output=True, check=True, text=True).stdout.strip()
        return Ssh(server=server, host=f"{user}@127.0.0.1:{server.port}", good=good, bad=bad)

    async def crawl(self, access: VcsAccess | str, **plan: Any) -> tuple[Crawl, list[RefReading]]:
        readings: list[RefReading] = []
        self.batches: list[int] = []

        async def take(batch: Sequence[RefReading]) -> None:
            self.batches.append(len(batch))
            readings.extend(batch)

        if isinstance(access, str):
            access = VcsAccess(url=access)
        crawl = await self.checkouts.crawl(access, CrawlPlan(**plan), take, self.log.append)
        return crawl, readings

    async def versions(self, access: VcsAccess | str, **plan: Any) -> dict[str, str]:
        """Crawl, and return what each ref came to: its version, or why there is none."""
        _, readings = await self.crawl(access, **plan)
        return {reading.ref.key: self.told(reading) for reading in readings}

    @staticmethod
    def told(reading: RefReading) -> str:
        if reading.unchanged:
            return "unchanged"
        if reading.skipped:
            return reading.skipped
        first = reading.readings[0] if reading.readings else None
        if first is None:
            return "nothing"
        return first.version["version"] if first.version is not None else (first.skipped or first.invalid or "?")

    async def failure(self, access: VcsAccess | str) -> VcsFailed:
        return await self.assertFailure(Deferred.fromCoroutine(self.crawl(access)), VcsFailed)

    async def archive(self, access: VcsAccess | str, reference: str, name: str = "out.zip", **order: Any) -> tuple[BuiltArchive, Path]:
        if isinstance(access, str):
            access = VcsAccess(url=access)
        destination = self.folder / name
        built = await self.checkouts.archive(access, ArchiveOrder(reference=reference, **order), destination, self.log.append)
        return built, destination

    async def listening(self, port: int) -> None:
        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        await self.until(listens)

    async def until(self, condition: Any) -> None:
        for _ in range(2000):
            if condition():
                return
            await deferLater(reactor, 0.01)
        self.fail("it did not happen")
