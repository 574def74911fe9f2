"""The access matrix over HTTP: lists, metadata of both generations, zips and 304 answers say what the contract says."""

import json
import tempfile
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest import TestCase

from packeton.adapters.database.archives import ArchiveRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.adapters.files import DirectoryStore
from packeton.core.access.accounts import Group
from packeton.core.composer.minifier import expanded
from packeton.features.packages.archives import Archives, Order
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.publishing import Publishing
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.repositories import Repositories, RootRules
from packeton.features.packages.shelf import Shelf
from packeton.interfaces.packages import RepoType
from packeton.web.access import Audience
from packeton.web.composer.archives import ArchiveRoutes
from packeton.web.composer.packages import PackageRoutes
from packeton.web.root import PacketonResource
from tests.support import matrix
from tests.support.access import MemoryAccess, basic
from tests.support.client import Answer
from tests.support.matrix import AUDIENCE, PACKAGES, REPOSITORIES, WHO, Who
from tests.support.packages import draft, outcome
from tests.support.packages import package as stored_package
from tests.support.scripted import immediately
from tests.support.wire import Wire

COMPOSER_1 = "Composer/1.10.2 (Windows NT; 10.0; PHP 8.1.0)"


class TextBuilder:
    """Builds archives that say which version they are of."""

    async def build(self, order: Order, destination: Path) -> None:
        destination.write_bytes(f"archive of {order.reference}".encode())


class AccessMatrixTests(TestCase):
    """All of our own routes on a database in memory; made once, only read."""

    access: MemoryAccess
    wire: Wire
    headers: dict[str, dict[str, str]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.access = access = MemoryAccess()
        cls.addClassCleanup(access.close)
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls._publish(Path(holder.name))
        ids = {"root": 0}
        for slug, (names, public) in REPOSITORIES.items():
            if slug != "root":
                ids[slug] = access.add_subrepo(slug, *names, public=public).id
        cls.headers = {name: cls._sign_up(name, who, ids) for name, who in WHO.items()}

    @classmethod
    def _publish(cls, folder: Path) -> None:
        access = cls.access
        packages, versions = PackageRecords(access.database), VersionRecords(access.database)
        for name, facts in PACKAGES.items():
            stored = access.done(packages.create(stored_package(name, visible_for_all=facts.visible_for_all, archived=facts.archived)))
            outcomes = []
            for one in facts.versions:
                made = draft(stored.id, one.version, one.normalized, one.reference, name=name, released_at=one.released_at)
                outcomes.append(outcome(f"ref:{one.version}", one.reference, made))
            access.done(versions.apply(stored.id, outcomes, access.now()))
        catalogue, shelf, rules = Catalogue(packages, versions, access.revisions), Shelf(1 << 20), DistRules(enabled=True, replace=True, mirror=True)

        async def checksums(_: int) -> dict[str, str]:
            return {}

        publishing = Publishing(catalogue, rules, versions, immediately, shelf, checksums)
        repositories = Repositories(publishing, RootRules(), packages, versions, access.revisions, immediately, shelf, access.now)
        numbers = count()
        store = DirectoryStore(folder, lambda: f"draft{next(numbers)}")
        archives = Archives(
            rules, catalogue, packages, versions, ArchiveRecords(access.database), store, {RepoType.VCS: TextBuilder()}, immediately,
            access.now, timedelta(days=60),
        )  # fmt: skip
        grants = tuple(Group(id=0, name="g", lines=AUDIENCE.lines).grants())
        gate = access.gate_with(audience=Audience(metadata=True, dists=True, grants=grants))
        resource = PacketonResource(
            routes=[PackageRoutes(gate, publishing, repositories, gate.addresses), ArchiveRoutes(gate, archives, access.clock)],
            mounts={}, addresses=gate.addresses, clock=access.clock, access_log=None, on_answer=lambda *_: None,
        )  # fmt: skip
        cls.wire = Wire(resource, access.clock)
        cls.addClassCleanup(cls.wire.close)

    @classmethod
    def _sign_up(cls, name: str, who: Who, ids: dict[str, int]) -> dict[str, str]:
        """Make the user and its groups; return what it sends."""
        if who.anonymous:
            return {}
        groups = [
            cls.access.add_group(f"{name}-{number}", *one.lines, updates_until=one.updates_until, min_stability=one.min_stability).id
            for number, one in enumerate(who.groups)
        ]
        user = cls.access.add_user(
            name, roles=frozenset(who.roles), groups=tuple(groups), updates_until=who.updates_until,
            subrepos=tuple(ids[slug] for slug in who.subrepos), **who.fields,
        )  # fmt: skip
        cls.access.add_token(user, f"token-of-{name}")
        return basic(name, f"token-of-{name}")

    def get(self, name: str, repository: str, path: str, **headers: str) -> Answer:
        slug = "" if repository == "root" else f"/{repository}"
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.wire.ask("GET", f"{slug}/{path}", {**self.headers[name], **fields})

    def everybody(self) -> Any:
        """Give each caller in each repository that it may enter."""
        for name, who in WHO.items():
            for repository in REPOSITORIES:
                if matrix.enters(who, repository) == 200:
                    with self.subTest(who=name, repository=repository):
                        yield name, who, repository

    def test_doors(self) -> None:
        """Who may not enter is told the same on every route; a slug that is not there is 404."""
        paths = ("packages.json", "p2/acme/a.json", "p2/acme/a~dev.json", "p/acme/a.json", f"zipball/acme/a/{'a0' * 20}.zip")
        for name, who in WHO.items():
            for repository in REPOSITORIES:
                expected = matrix.enters(who, repository)
                for path in paths:
                    with self.subTest(who=name, repository=repository, path=path):
                        status = self.get(name, repository, path).status
                        self.assertEqual(expected, 200 if expected == 200 and status in {200, 404} else status)
                self.assertEqual(401 if who.refused else 404, self.get(name, "unknown", "packages.json").status)

    def test_lists(self) -> None:
        """The root lists what is there for the caller, to both generations alike."""
        for name, who, repository in self.everybody():
            expected = [one for one in PACKAGES if matrix.sees(who, repository, one)]
            root = self.get(name, repository, "packages.json").json()
            self.assertEqual(expected, root["available-packages"])
            slug = "" if repository == "root" else f"/{repository}"
            self.assertEqual(f"{slug}/p2/%package%.json", root["metadata-url"])
            old = self.get(name, repository, "packages.json", User_Agent=COMPOSER_1).json()
            digest = next(iter(old["provider-includes"].values()))["sha256"]
            providers = self.get(name, repository, f"p/providers${digest}.json").json()["providers"]
            visible = [one for one in expected if any(self.expected(who, repository, one))]
            self.assertLessEqual(set(visible), set(providers))
            self.assertLessEqual(set(providers), set(expected))

    def expected(self, who: Who, repository: str, package: str, *, dev: bool | None = None) -> list[str]:
        versions = [one for one in PACKAGES[package].versions if dev is None or (one.stability == "dev") is dev]
        return [one.version for one in versions if matrix.sees_version(who, repository, package, one)]

    def test_metadata(self) -> None:
        """Composer 2's documents and Composer 1's hold the versions that the caller sees, and no other."""
        shown = 0
        for name, who, repository in self.everybody():
            for package in PACKAGES:
                there = matrix.sees(who, repository, package)
                for dev in (False, True):
                    answer = self.get(name, repository, f"p2/{package}{'~dev' if dev else ''}.json")
                    self.assertEqual(200 if there else 404, answer.status, package)
                    if there:
                        found = [one["version"] for one in expanded(answer.json()["packages"][package])]
                        self.assertEqual(sorted(self.expected(who, repository, package, dev=dev)), sorted(found), package)
                        shown += len(found)
                every = self.expected(who, repository, package)
                old = self.get(name, repository, f"p/{package}.json")
                self.assertEqual(200 if every else 404, old.status, package)
                if every:
                    self.assertEqual(sorted(every), sorted(old.json()["packages"][package]), package)
        self.assertGreater(shown, 300)

    def test_not_modified(self) -> None:
        """Validators of who sees everything are never good for who sees less; one's own are."""
        package = "acme/a"
        for name, who, repository in self.everybody():
            path = f"p2/{package}.json"
            full = self.get("admin", repository, path)
            theirs = {"If_None_Match": full.headers["etag"], "If_Modified_Since": full.headers["last-modified"]}
            answer = self.get(name, repository, path, **theirs)
            everything = self.expected(who, repository, package, dev=False) == self.expected(WHO["admin"], repository, package, dev=False)
            if not matrix.sees(who, repository, package):
                self.assertEqual(404, answer.status)
                continue
            if not everything:
                self.assertEqual(200, answer.status)
            own = self.get(name, repository, path)
            again = self.get(name, repository, path, If_None_Match=own.headers["etag"])
            self.assertEqual((304, b""), (again.status, again.body))
            self.assertIn("private", own.headers["cache-control"])

    def test_zips(self) -> None:
        """An archive is for who sees a version with its reference; of no version, for who sees everything."""
        for name, who, repository in self.everybody():
            for package, facts in PACKAGES.items():
                for one in facts.versions:
                    answer = self.get(name, repository, f"zipball/{package}/{one.reference}.zip")
                    seen = matrix.sees_version(who, repository, package, one, archived=True)
                    self.assertEqual(200 if seen else 404, answer.status, f"{package} {one.version}")
                    if seen:
                        self.assertEqual(f"archive of {one.reference}".encode(), answer.body)
                answer = self.get(name, repository, f"zipball/{package}/{'9' * 40}.zip")
                free = matrix.sees(who, repository, package, archived=True) and (who.full or REPOSITORIES[repository][1])
                if free or not matrix.sees(who, repository, package, archived=True):
                    self.assertEqual(200 if free else 404, answer.status, package)

    def test_answers_of_others(self) -> None:
        """What one caller fetched is not what the next one gets: asked in any order, the answers are the same."""
        def documents(names: list[str]) -> dict[str, str]:
            return {name: json.dumps(list(expanded(self.get(name, "root", "p2/acme/a.json").json()["packages"]["acme/a"]))) for name in names}

        names = [name for name, who in WHO.items() if not who.refused and matrix.sees(who, "root", "acme/a")]
        self.assertEqual(documents(names), documents(names[::-1]))
        self.assertGreater(len(set(documents(names).values())), 4)
