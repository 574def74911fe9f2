"""Everybody and everything of the access matrix, behind our routes."""

import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, cast
from unittest import TestCase

from packeton.adapters.database.archives import ArchiveRecords
from packeton.adapters.database.downloads import DownloadRecords
from packeton.adapters.database.hooks import FavouriteRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.search import LinkRecords, SearchRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.adapters.files import DirectoryStore
from packeton.core.access.accounts import Group, TokenKind
from packeton.core.access.identities import Identity
from packeton.features.advisories.own import OwnAdvisories
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.archives import Archives, Order
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.changelogs import Changelogs
from packeton.features.packages.dependents import Dependents
from packeton.features.packages.downloads import Downloads
from packeton.features.packages.editing import Editing
from packeton.features.packages.publishing import Publishing
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.repositories import Repositories, RootRules
from packeton.features.packages.scheduling import Scheduling
from packeton.features.packages.searching import Searching
from packeton.features.packages.shelf import Shelf
from packeton.features.packages.statistics import Statistics
from packeton.features.packages.viewing import Viewing
from packeton.interfaces.downloads import Install
from packeton.interfaces.packages import RepoType
from packeton.web.access import Audience, Gate
from packeton.web.api.packages import PackageApi
from packeton.web.api.search import SearchApi
from packeton.web.api.security import SecurityApi
from packeton.web.api.statistics import StatisticsApi
from packeton.web.changing import ChangeGate
from packeton.web.composer.advisories import AdvisoryRoutes
from packeton.web.composer.archives import ArchiveRoutes
from packeton.web.composer.downloads import DownloadRoutes
from packeton.web.composer.packages import PackageRoutes
from packeton.web.root import PacketonResource, Routes
from tests.support import matrix
from tests.support.access import MemoryAccess, basic
from tests.support.client import Answer
from tests.support.matrix import AUDIENCE, PACKAGES, REPOSITORIES, WHO, Who
from tests.support.packages import draft, outcome
from tests.support.packages import package as stored_package
from tests.support.scripted import immediately
from tests.support.wire import Wire

__all__ = ["SCOPES", "MatrixTestCase"]

SCOPES = ("metadata", "packages:read", "packages:all", "feeds")


class NoCookies:
    """Nobody is signed in."""

    found = cookie = None

    async def of(self, _request: object) -> "NoCookies":
        return self


class NoCounters:
    """Forgets what is counted, so that the figures of the matrix stay."""

    async def add(self, installs: Sequence[Install], day: date) -> None:
        pass


class TextBuilder:
    """Builds archives that say which version they are of."""

    async def build(self, order: Order, destination: Path) -> None:
        destination.write_bytes(f"archive of {order.reference}".encode())


class MatrixTestCase(TestCase):
    """All routes about our own packages on a database in memory, with everybody of the matrix; made once, only read."""

    access: MemoryAccess
    wire: Wire
    headers: dict[str, dict[str, str]]
    """What each caller sends."""
    limited: dict[tuple[str, str], dict[str, str]]
    """What each caller sends with a personal access token, by its scope."""
    installed: list[str]
    """What was noted of who signed in."""

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
                ids[slug] = access.add_subrepo(slug, *names, public=public, hosts=(f"{slug}.example.com",)).id
        cls.limited, cls.installed = {}, []
        cls.headers = {name: cls._sign_up(name, who, ids) for name, who in WHO.items()}

    @classmethod
    def _publish(cls, folder: Path) -> None:
        access = cls.access
        packages, versions = PackageRecords(access.database), VersionRecords(access.database)
        for name, facts in PACKAGES.items():
            stored = access.done(packages.create(stored_package(name, visible_for_all=facts.visible_for_all, archived=facts.archived)))
            outcomes = []
            for one in facts.versions:
                made = draft(stored.id, one.version, one.normalized, one.reference, name=name, released_at=one.released_at, document=matrix.document(one))
                outcomes.append(outcome(f"ref:{one.version}", one.reference, made))
            access.done(versions.apply(stored.id, outcomes, access.now()))
            access.done(packages.touch(stored.id, stable=True, dev=True, at=access.now()))
            installs = [Install(stored.id, one.normalized) for one in facts.versions]
            access.done(DownloadRecords(access.database).add(installs, access.now().date()))
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
            routes=[
                PackageRoutes(gate, publishing, repositories, gate.addresses), ArchiveRoutes(gate, archives, access.clock),
                *cls._api(gate, catalogue, rules),
            ],
            mounts={}, addresses=gate.addresses, clock=access.clock, access_log=None, on_answer=lambda *_: None,
        )  # fmt: skip
        cls.wire = Wire(resource, access.clock)
        cls.addClassCleanup(cls.wire.close)

    @classmethod
    def _api(cls, gate: Gate, catalogue: Catalogue, rules: DistRules) -> list[Routes]:
        """Return the routes of the REST interface, with what only changes need left out."""
        access, left_out = cls.access, cast("Any", None)
        packages, versions = PackageRecords(access.database), VersionRecords(access.database)
        counters, addresses, now = DownloadRecords(access.database), gate.addresses, access.now
        dependents = Dependents(catalogue, LinkRecords(access.database), immediately)

        async def ordered(_name: str) -> list[Any]:
            return [left_out]  # somebody has had each package read

        viewing = Viewing(packages, versions, counters, access.users, access.groups, rules, dependents, FavouriteRecords(access.database), immediately, now)
        changelogs = Changelogs(Accesses(packages, left_out), left_out)
        scheduling = Scheduling(packages, left_out, ordered, left_out, now, left_out)
        editing = Editing(
            packages, left_out, counters, access.revisions, left_out, left_out, scheduling, left_out, left_out, now, left_out,
            versions,
        )  # fmt: skip
        own = OwnAdvisories(catalogue, packages, access.revisions, now, lambda: "PKTN-1")
        statistics, searching = Statistics(catalogue, viewing, counters, now), Searching(catalogue, SearchRecords(access.database), dependents)

        def note(_identity: Identity, _address: str, lines: Sequence[str]) -> None:
            cls.installed = [*lines]

        return [
            PackageApi(gate, ChangeGate(gate, cast("Any", NoCookies())), addresses, left_out, editing, viewing, dependents, changelogs),
            SearchApi(gate, addresses, searching, dependents, viewing),
            SecurityApi(gate, editing, own),
            AdvisoryRoutes(gate, own),
            StatisticsApi(gate, addresses, statistics, editing, viewing),
            DownloadRoutes(gate, Downloads(catalogue, cast("Any", NoCounters()), now, note)),
        ]

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
        for scope in SCOPES:
            secret = f"pat_{sha256(f'{name} {scope}'.encode()).hexdigest()}"
            cls.access.add_token(user, secret, TokenKind.PERSONAL, scopes=frozenset({scope}))
            cls.limited[name, scope] = basic(name, secret)
        return basic(name, f"token-of-{name}")

    def at_host(self, name: str, repository: str, path: str, method: str = "GET", body: bytes = b"") -> Answer:
        """Return the answer to a request at the repository's own host."""
        host = {} if repository == "root" else {"Host": f"{repository}.example.com"}
        return self.wire.ask(method, f"/{path}", {**self.headers[name], **host}, body)

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
