"""The archives of packages: for whom, built once, kept and cleaned."""

import io
import tempfile
import zipfile
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import orjson
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.adapters.database.archives import ArchiveRecords
from packeton.adapters.files import DirectoryStore
from packeton.core.access.identities import ANONYMOUS, Grant, Identity, with_implied
from packeton.errors import NotFound, UpstreamFailed
from packeton.features.packages.archives import ArchiveFailed, Archives, Order, storage_key
from packeton.features.packages.audiences import Audience
from packeton.features.packages.building import DefinitionBuilder
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.rendering import DistRules
from packeton.interfaces.archives import IArchiveRecords, IFileStore
from packeton.interfaces.packages import RepoType
from tests.support.packages import NEW_YEAR, MemoryPackages, MemoryRevisions, draft, outcome, package
from tests.support.scripted import immediately

T = TypeVar("T")
DAY = timedelta(days=1)
A, B, C, UNKNOWN = "a" * 40, "b" * 40, "c" * 40, "9" * 40
FULL = Audience(identity=Identity(name="boss", user_id=1, roles=with_implied(["ROLE_FULL_CUSTOMER"])))


def customer(*grants: Grant) -> Audience:
    return Audience(identity=Identity(name="c", user_id=7, roles=with_implied([]), grants=grants))


class SlowBuilder:
    """Builds when it is told to."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.waiting: list[Deferred[None]] = []
        self.error: Exception | None = None
        self.slow = False

    async def build(self, order: Order, destination: Path) -> None:
        self.orders.append(order)
        if self.slow:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        if self.error is not None:
            destination.write_bytes(b"half")
            raise self.error
        destination.write_bytes(f"archive of {order.reference}".encode())


class ArchivesTestCase(SynchronousTestCase):
    """A package of two tags and a branch, and a store."""

    rules = DistRules(enabled=True, replace=True)

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.memory = MemoryPackages()
        self.addCleanup(self.memory.close)
        self.packages, self.versions = self.memory.packages, self.memory.versions
        self.revisions = MemoryRevisions()
        self.package = self.ok(self.packages.create(package("acme/a.b")))
        self.apply(outcome("tag:1.0", A, self.draft("1.0", "1.0.0.0", A)), outcome("tag:2.0", B, self.draft("2.0", "2.0.0.0", B)))
        self.apply(outcome("branch:feature/x", C, self.draft("dev-feature/x", "dev-feature/x", C)))
        self.now = NEW_YEAR
        self.records = ArchiveRecords(self.memory.database)
        numbers = count()
        self.store = DirectoryStore(self.folder / "zips", lambda: f"draft{next(numbers)}")
        verifyObject(IArchiveRecords, self.records)
        verifyObject(IFileStore, self.store)
        self.builder = SlowBuilder()
        builders: dict[str, Any] = {RepoType.VCS: self.builder, RepoType.VIRTUAL: DefinitionBuilder(self.versions, immediately)}
        catalogue = Catalogue(self.packages, self.versions, self.revisions)
        self.archives = Archives(
            self.rules, catalogue, self.packages, self.versions, self.records, self.store, builders, immediately,
            lambda: self.now, 60 * DAY,
        )  # fmt: skip

    def draft(self, *facts: str, **fields: Any) -> Any:
        return draft(self.package.id, *facts, name="acme/a.b", **fields)

    def apply(self, *outcomes: Any) -> None:
        self.ok(self.versions.apply(self.package.id, outcomes, NEW_YEAR))

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def read(self, reference: str, audience: Audience = FULL, name: str = "acme/a.b") -> bytes:
        served = self.ok(self.archives.open(audience, name, reference))
        self.addCleanup(served.blob.close)
        return served.blob.read_at(0, served.blob.size)

    def absent(self, reference: str, audience: Audience = FULL, name: str = "acme/a.b") -> NotFound:
        failure = self.failureResultOf(Deferred.fromCoroutine(self.archives.open(audience, name, reference)), NotFound)
        return failure.value

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.store.root)) for path in self.store.root.rglob("*") if path.is_file())


class AccessTests(ArchivesTestCase):
    """Who gets which archive."""

    def test_by_version(self) -> None:
        """A grant of some versions is one of their archives, and of no others; commits that are no version only for all."""
        half = customer(Grant(package="acme/*", constraint="^1.0"))
        self.assertEqual(b"archive of " + A.encode(), self.read(A, half))
        for reference in (B, C, UNKNOWN):
            self.assertNotIsInstance(self.absent(reference, half), ArchiveFailed)
        self.assertEqual(b"archive of " + UNKNOWN.encode(), self.read(UNKNOWN))
        self.assertEqual(b"archive of " + UNKNOWN.encode(), self.read(UNKNOWN, customer(Grant(package="*"))))

    def test_freeze(self) -> None:
        """Nothing that was released after it, and nothing of which that is not known."""
        frozen = customer(Grant(package="acme/*", updates_until=NEW_YEAR + 2 * DAY))
        self.apply(outcome("tag:3.0", B, self.draft("3.0", "3.0.0.0", B, released_at=NEW_YEAR + 9 * DAY)))
        self.assertTrue(self.read(A, frozen))
        self.absent(UNKNOWN, frozen)

    def test_shared_reference(self) -> None:
        """A reference of several versions is given out if any of them may be seen."""
        self.apply(outcome("tag:9.0", A, self.draft("9.0", "9.0.0.0", A)))
        self.assertTrue(self.read(A, customer(Grant(package="acme/*", constraint="^9.0"))))

    def test_nobody_and_nothing(self) -> None:
        """No grant, no name, another package, no reference."""
        self.absent(A, Audience(identity=ANONYMOUS))
        self.absent(A, customer(Grant(package="acme/other")))
        self.absent(A, FULL, "acme/other")
        for reference in ("", "a" * 39, "A" * 40, "../" + "a" * 37):
            self.absent(reference)
        self.assertEqual([], self.builder.orders)

    def test_archived(self) -> None:
        """An archived package is out of metadata, and its archives are there for locks."""
        from attrs import evolve

        self.ok(self.packages.change(self.package.id, lambda held: evolve(held, archived=True)))
        self.ok(self.revisions.bump("packages"))
        self.assertTrue(self.read(A, customer(Grant(package="acme/*", constraint="^1.0"))))


class OffTests(ArchivesTestCase):
    """`archive: false`."""

    rules = DistRules()

    def test_only_own(self) -> None:
        """Nothing for a repository; a definition still has its archive."""
        self.absent(A)
        virtual = self.ok(self.packages.create(package("acme/v", repo_type=RepoType.VIRTUAL)))
        document = {"name": "acme/v", "require": {"php": "*"}, "dist": {"type": "zip", "reference": B}}
        self.ok(self.versions.apply(virtual.id, [outcome("custom:1", B, draft(virtual.id, "1.0", "1.0.0.0", B, name="acme/v", document=document))], NEW_YEAR))
        self.ok(self.revisions.bump("packages"))
        content = self.read(B, name="acme/v")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.assertEqual(["composer.json"], archive.namelist())
            manifest = orjson.loads(archive.read("composer.json"))
        self.assertEqual(("acme/v", "1.0", {"php": "*"}), (manifest["name"], manifest["version"], manifest["require"]))
        self.assertNotIn("dist", manifest)
        self.ok(self.archives.forget(virtual.id))
        self.assertEqual(content, self.read(B, name="acme/v"))


class BuildingTests(ArchivesTestCase):
    """Once for all, and kept."""

    def test_joined_and_kept(self) -> None:
        """Several who wait get one build; the next one gets the stored file, under the reference's name."""
        self.builder.slow = True
        waiting = [Deferred.fromCoroutine(self.archives.open(FULL, "acme/a.b", A)) for _ in range(3)]
        waiting[0].cancel()
        self.failureResultOf(waiting[0])
        self.assertEqual(1, len(self.builder.orders))
        self.builder.waiting[0].callback(None)
        for waiter in waiting[1:]:
            self.successResultOf(waiter).blob.close()
        self.assertEqual(b"archive of " + A.encode(), self.read(A))
        self.assertEqual((1, [f"acme/a-b/1.0-{A}.zip"]), (len(self.builder.orders), self.files()))

    def test_key(self) -> None:
        """Names and versions as the reference writes them; nothing leaves the store."""
        self.assertEqual(f"acme/a-b/dev-feature-x-{C}.zip", storage_key("acme/a.b", "dev-feature/x", C, "zip"))
        long = storage_key("acme/a", "dev-" + "ü" * 150, C, "zip")
        self.assertLess(max(len(part.encode()) for part in long.split("/")), 255)
        for key in ("../x", "a/../b", ".drafts/x", "", "a//b", "a/" + "x" * 300):
            self.assertRaises(NotFound, self.store.path, key)

    def test_checksums_of_kinds(self) -> None:
        """Where the format of archives was changed, each kind has a checksum of its own."""
        self.read(A)
        zipped = self.ok(self.records.checksums(self.package.id))
        self.archives.rules = DistRules(enabled=True, replace=True, format="tar")
        (self.store.root / f"acme/a-b/1.0-{A}.tar").write_bytes(b"a tar")
        self.read(A)
        found = self.ok(self.records.checksums(self.package.id))
        self.assertEqual({f"{A}.zip", f"{A}.tar"}, set(found))
        self.assertEqual(zipped[f"{A}.zip"], found[f"{A}.zip"])

    def test_taken_over(self) -> None:
        """A file that somebody put there is served, not built."""
        (self.store.root / "acme/a-b").mkdir(parents=True)
        (self.store.root / f"acme/a-b/1.0-{A}.zip").write_bytes(b"from before")
        self.assertEqual(b"from before", self.read(A))
        self.assertEqual(([], {f"{A}.zip"}), (self.builder.orders, set(self.ok(self.records.checksums(self.package.id)))))

    def test_failure(self) -> None:
        """It is said, leaves nothing, is remembered for half a minute, and tried again after that."""
        self.builder.error = UpstreamFailed("the server did not answer")
        for _ in range(2):
            error = self.absent(A)
            self.assertIsInstance(error, ArchiveFailed)
            self.assertEqual("the server did not answer", str(error))
        self.assertEqual((1, []), (len(self.builder.orders), self.files()))
        self.builder.error = None
        self.now += timedelta(seconds=31)
        self.assertTrue(self.read(A))

    def test_deleted_meanwhile(self) -> None:
        """Of a package that is deleted while its archive is built nothing is left, and there is none."""
        self.builder.slow = True
        asked = Deferred.fromCoroutine(self.archives.open(FULL, "acme/a.b", A))
        self.ok(self.packages.remove(self.package.id, self.now))
        self.builder.waiting[0].callback(None)
        self.failureResultOf(asked, NotFound)
        self.assertEqual([], self.files())

    def test_vanished_file(self) -> None:
        """A file that was removed behind our back is built again."""
        self.read(A)
        (self.store.root / f"acme/a-b/1.0-{A}.zip").unlink()
        self.assertEqual(b"archive of " + A.encode(), self.read(A))

    def test_cleaning(self) -> None:
        """What nobody asked for in 60 days goes; what is used stays."""
        self.read(A)
        self.read(B)
        self.now += 50 * DAY
        self.read(B)
        self.now += 11 * DAY
        self.assertEqual(1, self.ok(self.archives.clean()))
        self.assertEqual([f"acme/a-b/2.0-{B}.zip"], self.files())
        self.assertEqual(0, self.ok(self.archives.clean()))

    def test_ownerless(self) -> None:
        """What a package left that was deleted goes too, once it is old; other files stay."""
        self.read(A)
        self.ok(self.packages.remove(self.package.id, self.now))
        (self.store.root / "acme/notes.txt").write_text("mine")
        self.now = datetime.now(UTC)
        self.assertEqual(0, self.ok(self.archives.clean()))
        self.now += 61 * DAY
        self.assertEqual(1, self.ok(self.archives.clean()))
        self.assertEqual(["acme/notes.txt"], self.files())

    def test_drafts_of_a_crash(self) -> None:
        """They go once they are old."""
        draft = self.store.draft()
        draft.write_bytes(b"half")
        self.assertEqual(0, self.store.sweep(NEW_YEAR.replace(year=2000)))
        self.assertEqual(1, self.store.sweep(NEW_YEAR.replace(year=2100)))
