"""
`python -m tests.bench.private`: the metadata of our own packages, for callers who see a part of it.

CPU of one answer, in this process, without HTTP and with the database in memory: cold (nothing is remembered), for an
audience that sees versions in a choice that nobody saw before, for one with new rights that see what others see, and
warm. The peer is what a server does that remembers nothing: it reads the
stored document, leaves out what the caller does not see, and renders the rest, at each request.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any

import orjson
from attrs import define, evolve
from twisted.internet.defer import Deferred

from packeton.core.access.identities import Grant, Identity, with_implied
from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.minifier import minified
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.publishing import Publishing, finish
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.repositories import Repositories, RootRules
from packeton.features.packages.shelf import Shelf
from packeton.interfaces.packages import VersionDraft
from tests.support.packages import NEW_YEAR, MemoryPackages, MemoryRevisions, draft, outcome, package
from tests.support.scripted import immediately

__all__ = ["Site", "main"]

BASE = "https://repo.example.com"
BIG = "acme/big"
MINORS, PATCHES = 100, 10
VERSION_BYTES = 3_800
PACKAGES, VERSIONS = 1_010, 20
FULL = Identity(name="root", user_id=1, roles=with_implied(["ROLE_ADMIN"]))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what *work* returns; nothing in it waits."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    return results[0]


def _now() -> datetime:
    return NEW_YEAR


def customer(constraint: str | None, user_id: int = 2) -> Audience:
    """Return somebody who sees what *constraint* allows of every package."""
    grant = Grant(package="*", constraint=constraint)
    return Audience(identity=Identity(name="c", user_id=user_id, roles=with_implied([]), grants=(grant,)))


@define
class Site:
    """A repository in memory; `forget` makes it as after a start."""

    memory: MemoryPackages
    publishing: Publishing
    repositories: Repositories

    @classmethod
    def make(cls) -> "Site":
        """Return an empty one."""
        return cls._on(MemoryPackages())

    def forget(self) -> "Site":
        """Return the same repository with nothing remembered."""
        return self._on(self.memory)

    @classmethod
    def _on(cls, memory: MemoryPackages) -> "Site":
        revisions, shelf = MemoryRevisions(), Shelf(256 << 20)
        catalogue = Catalogue(memory.packages, memory.versions, revisions)
        publishing = Publishing(catalogue, DistRules(enabled=True), memory.versions, immediately, shelf)
        repositories = Repositories(
            publishing, RootRules(), memory.packages, memory.versions, revisions, immediately, shelf, _now
        )
        return cls(memory, publishing, repositories)

    def add(self, name: str, versions: Iterable[tuple[str, str]], padding: int) -> None:
        """Store a package with these (pretty, normalised) versions, each of about *padding* bytes."""
        made = run(self.memory.packages.create(package(name)))
        drafts = [_draft(made.id, name, number, *version, padding) for number, version in enumerate(versions)]
        outcomes = [outcome(f"tag:{one.version}", str(one.reference), one) for one in drafts]
        run(self.memory.versions.apply(made.id, outcomes, NEW_YEAR))

    def p2(self, audience: Audience) -> bytes:
        """Return the big package's metadata."""

        async def work() -> bytes:
            published = await self.publishing.p2(audience, BIG, BASE, dev=False)
            body: bytes = (await published.content()).body
            return body

        body = run(work())
        assert isinstance(body, bytes), body
        return body

    def root(self, audience: Audience, generation: int) -> bytes:
        """Return packages.json."""

        async def work() -> bytes:
            published = await self.repositories.root(audience, BASE, "", generation)
            body: bytes = (await published.content()).body
            return body

        body = run(work())
        assert isinstance(body, bytes), body
        return body

    def filtered_each_time(self, constraint: str) -> bytes:
        """Return what a server without a memory would answer for the big package."""
        allowed = parse_constraints(constraint)
        stored = run(self.memory.versions.of_package(1))
        seen = [orjson.loads(one.document) for one in stored if allowed.allows(one.normalized)]
        return finish(orjson.dumps({"packages": {BIG: minified(seen)}, "minified": "composer/2.0"})).body


def _draft(package_id: int, name: str, number: int, pretty: str, normalized: str, padding: int) -> VersionDraft:
    reference = f"{package_id:020x}{number:020x}"
    document = {
        "description": f"{name} {pretty}",
        "require": {f"acme/{pretty}-{index}": f"^{index}.{number}" for index in range(padding // 60)},
    }
    return evolve(draft(package_id, pretty, normalized, reference, name=name, document=document))


def _versions(minors: int, patches: int) -> list[tuple[str, str]]:
    return [
        (f"{major}.{minor}.{patch}", f"{major}.{minor}.{patch}.0")
        for major in range(1, 6)
        for minor in range(minors // 5)
        for patch in range(patches)
    ]


def cost(work: Callable[[], object], rounds: int) -> float:
    """Return the median CPU time of *work* in milliseconds."""
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.private", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"CPU of one answer in ms, medians of {rounds}.\n")
    print("| answer | cold | new choice | new rights | warm | peer | warm/peer |\n|---|--:|--:|--:|--:|--:|--:|", flush=True)
    _print_p2(rounds)
    _print_roots(rounds)


def _print_p2(rounds: int) -> None:
    site = Site.make()
    site.add(BIG, _versions(MINORS, PATCHES), VERSION_BYTES)
    whole, part = len(site.p2(Audience(identity=FULL))), len(site.p2(customer("^3.0")))
    cold = cost(lambda: site.forget().p2(customer("^3.0")), rounds)
    audiences = iter([customer(f"^3.0 || 1.0.{number}") for number in range(rounds)])
    choice = cost(lambda: site.p2(next(audiences)), rounds)
    equals = iter([customer(f"^3.0 || 9.{number}") for number in range(rounds)])
    rights = cost(lambda: site.p2(next(equals)), rounds)
    warm = cost(lambda: [site.p2(customer("^3.0")) for _ in range(100)], rounds) / 100
    peer = cost(lambda: site.filtered_each_time("^3.0"), rounds)
    name = f"p2 of {whole / 1e6:.1f} MB, {part / whole:.0%} of it seen"
    print(f"| {name} | {cold:.1f} | {choice:.1f} | {rights:.1f} | {warm:.3f} | {peer:.1f} | 1/{peer / warm:.0f} |", flush=True)


def _print_roots(rounds: int) -> None:
    site = Site.make()
    for number in range(PACKAGES):
        site.add(f"acme/package-{number}", _versions(10, 2)[:VERSIONS], 600)
    for generation in (2, 1):
        cold = cost(lambda generation=generation: site.forget().root(customer("^1.0"), generation), rounds)  # type: ignore[misc]
        site.root(customer("^1.0"), generation)
        choices = iter([customer(f"^1.0 || {number // 4 % 4 + 2}.{number // 2 % 2}.{number % 2}") for number in range(rounds)])
        choice = cost(lambda new=choices, generation=generation: site.root(next(new), generation), rounds)  # type: ignore[misc]
        equals = iter([customer(f"^1.0 || 9.{number}") for number in range(rounds)])
        rights = cost(lambda new=equals, generation=generation: site.root(next(new), generation), rounds)  # type: ignore[misc]
        warm = (
            cost(lambda generation=generation: [site.root(customer("^1.0"), generation) for _ in range(50)], rounds) / 50  # type: ignore[misc]
        )
        peer = "10" if generation == 2 else "3,000"
        name = f"root for Composer {generation}, {PACKAGES:,} packages, {PACKAGES * VERSIONS:,} versions"
        ratio = float(peer.replace(",", "")) / warm
        print(f"| {name} | {cold:.0f} | {choice:.1f} | {rights:.1f} | {warm:.2f} | {peer} (reference) | 1/{ratio:.0f} |", flush=True)


if __name__ == "__main__":
    main()
