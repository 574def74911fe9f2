"""
CPU time of roots and documents of our own packages: `python -m tests.bench.roots [PACKAGES] [VERSIONS_EACH]`.

The goal for 1,010 packages of 20,000 versions: a root for Composer 2 in 2 ms, one for Composer 1 in 20 ms, in steady state
as well as after one package changed. What is made with nothing in memory is shown beside it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import frozen

from packeton.adapters.database.connection import Database, sqlite_engine
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.core.access.identities import Grant, Identity, with_implied
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.publishing import Publishing
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.repositories import Repositories, RootRules
from packeton.features.packages.shelf import Shelf
from tests.support.packages import NEW_YEAR, MemoryRevisions, draft, outcome, package
from tests.support.scripted import immediately

__all__ = ["Bench", "Measured", "measure"]

BASE = "https://packages.example.com"
FULL = Audience(identity=Identity(name="boss", user_id=1, roles=with_implied(["ROLE_FULL_CUSTOMER"])))
CUSTOMER = Audience(
    identity=Identity(name="c", user_id=2, roles=with_implied([]), grants=(Grant(package="vendor1/*", constraint="^1.0"),))
)
LINKS = {f"vendor/dependency-{number}": "^1.0 || ^2.0" for number in range(12)}


@frozen
class Measured:
    """What a thing costs."""

    name: str
    milliseconds: float


class Bench:
    """A repository of so many packages with so many versions each."""

    def __init__(self, folder: Path, packages: int, versions: int) -> None:
        self.engine = sqlite_engine(folder / "bench.db")
        self.database = Database(self.engine, immediately)
        self.packages, self.versions = PackageRecords(self.database), VersionRecords(self.database)
        self.revisions = MemoryRevisions()
        self.count = versions
        self.ids = [asyncio.run(self._fill(number)) for number in range(packages)]
        self.forget()

    def forget(self) -> None:
        """Begin with nothing in memory."""
        catalogue = Catalogue(self.packages, self.versions, self.revisions)
        shelf = Shelf(256 << 20)
        self.publishing = Publishing(
            catalogue, DistRules(enabled=True, replace=True, mirror=True), self.versions, immediately, shelf
        )
        self.repositories = Repositories(
            self.publishing, RootRules(), self.packages, self.versions, self.revisions, immediately, shelf,
            lambda: NEW_YEAR,
        )  # fmt: skip

    async def _fill(self, number: int) -> int:
        name = f"vendor{number % 20}/package-{number}"
        made = await self.packages.create(package(name))
        outcomes = []
        for version in range(self.count):
            pretty, reference = f"1.{version}.0", f"{number:020x}{version:020x}"
            document = {"require": LINKS, "license": ["MIT"], "type": "library", "description": "What it is " * 5}
            outcomes.append(outcome(f"tag:{pretty}", reference, draft(made.id, pretty, f"{pretty}.0", reference, name=name, document=document)))
        await self.versions.apply(made.id, outcomes, NEW_YEAR)
        return made.id

    async def change(self, package_id: int) -> None:
        """Change one package."""
        await self.packages.touch(package_id, stable=True, dev=False, at=NEW_YEAR + timedelta(days=1))
        await self.revisions.bump("packages")

    async def root(self, audience: Audience, generation: int) -> int:
        """Make a root as for a request."""
        published = await self.repositories.root(audience, BASE, "", generation)
        return len((await published.content()).body)

    def run(self) -> list[Measured]:
        """Measure everything."""
        found = []
        for who, audience in (("full", FULL), ("customer", CUSTOMER)):
            for generation in (2, 1):
                name = f"root for Composer {generation}, {who}"
                self.forget()
                found.append(measure(f"{name}, nothing in memory", lambda: self.root(audience, generation), 1))  # noqa: B023
                found.append(measure(name, lambda: self.root(audience, generation), 200))  # noqa: B023
                found.append(self._after_changes(f"{name}, after a change", audience, generation))
        self.forget()
        name = "vendor1/package-1"
        found.append(measure("p2 document, nothing in memory", lambda: self.publishing.p2(FULL, name, BASE, dev=False), 1))
        found.append(measure("p2 document", lambda: self.publishing.p2(FULL, name, BASE, dev=False), 1000))
        return found

    def _after_changes(self, name: str, audience: Audience, generation: int) -> Measured:
        """Measure the root after one package changed, with reading that change."""
        spent = []
        for package_id in self.ids[1:8]:
            asyncio.run(self.change(package_id))
            spent.append(measure(name, lambda: self.root(audience, generation), 1).milliseconds)
        return Measured(name, sorted(spent)[len(spent) // 2])


def measure(name: str, work: Callable[[], Coroutine[Any, Any, Any]], times: int) -> Measured:
    """Return the CPU time of one call, of so many."""

    async def repeat() -> float:
        began = time.process_time()
        for _ in range(times):
            await work()
        return time.process_time() - began

    return Measured(name, asyncio.run(repeat()) / times * 1000)


def main() -> None:
    """Print a table."""
    packages, versions = (int(text) for text in (*sys.argv[1:], "1010", "20")[:2])
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), packages, versions)
        for measured in bench.run():
            print(f"{measured.milliseconds:10.3f} ms  {measured.name}")
        bench.engine.dispose()


if __name__ == "__main__":
    main()
