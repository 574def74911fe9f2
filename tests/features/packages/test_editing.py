"""Editing packages and pushing archives to them, by two at once."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Coroutine
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.archives import UploadRecords
from packeton.adapters.database.credentials import CredentialRecords
from packeton.adapters.database.downloads import DownloadRecords
from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.files import DirectoryStore
from packeton.config.settings import Secret
from packeton.core.access.identities import Identity, Role, Scope, with_implied
from packeton.core.access.sealing import Sealer
from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.submissions import uploads_of
from packeton.errors import Conflict, Invalid, InvalidFields, NotFound
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.editing import Editing
from packeton.features.packages.folders import Folders
from packeton.features.packages.pushing import Push, Pushing
from packeton.features.packages.removals import Removals
from packeton.features.packages.scheduling import Scheduling
from packeton.features.packages.submitting import Checks, Submitting
from packeton.features.packages.uploads import Received, Uploads
from packeton.interfaces.credentials import Credential
from packeton.interfaces.packages import ChangeKind, Package, RefOutcome, RepoType, VersionDraft
from packeton.interfaces.queues import JobStatus, Priority
from packeton.interfaces.sources import EventKind, PackageEvent
from tests.support.packages import NEW_YEAR, MemoryPackages, package
from tests.support.scripted import immediately

T = TypeVar("T")
ADMIN = Identity(name="root", user_id=1, roles=with_implied([Role.ADMIN]), method="token")


class Late:
    """Records of packages, but before it creates one something else may happen."""

    def __init__(self, packages: PackageRecords, before: Callable[[], None]) -> None:
        self._packages, self._before = packages, before

    async def create(self, made: Package) -> Package:
        self._before()
        return await self._packages.create(made)


class EditingTests(SynchronousTestCase):
    """On a database in memory. `meanwhile` is called once, where a caller waits for something."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.memory = MemoryPackages()
        self.addCleanup(self.memory.close)
        self.meanwhile: Callable[[], object] | None = None
        self.pauses = True
        self.folder = Path(holder.name)
        self.events: list[PackageEvent] = []
        database, numbers = self.memory.database, count(1)
        self.packages, revisions = self.memory.packages, Revisions(database)
        self.credentials = CredentialRecords(database, lambda: Sealer(["key"], lambda size: b"n" * size))
        self.records = UploadRecords(database)
        self.store = DirectoryStore(Path(holder.name), lambda: f"draft{next(numbers)}")
        self.uploads = Uploads(
            self.records, self.store, frozenset({"zip"}), ArchiveBounds(max_entries=9, max_unpacked_bytes=1 << 20), self.in_thread,
            lambda: NEW_YEAR, lambda: f"{next(numbers):040x}",
        )  # fmt: skip
        checks = Checks(self, self.uploads, Folders((holder.name,), ArchiveBounds(), self.in_thread))  # type: ignore[arg-type]  # of the credentials it wants `get` only
        jobs = JobRecords(database, lambda: f"job{next(numbers)}")
        self.jobs = jobs
        scheduling = Scheduling(self.packages, lambda order: jobs.put(order, NEW_YEAR), jobs.latest, lambda: 0.0, lambda: NEW_YEAR, timedelta(hours=1))
        accesses = Accesses(self.packages, self.credentials)
        nowhere: Any = None
        self.editing = Editing(
            self.packages, Removals(self.packages, self.memory.versions, revisions, self.listen, lambda: NEW_YEAR), DownloadRecords(database), revisions,
            checks, self.uploads, scheduling, accesses, nowhere, lambda: NEW_YEAR, nowhere, self.memory.versions,
        )
        late: Any = Late(self.packages, self.pause)
        self.submitting = Submitting(
            late, SubrepoRecords(database, revisions), revisions, accesses, nowhere, checks, self.uploads, scheduling, lambda: NEW_YEAR, nowhere
        )
        self.pushing = Pushing(self.packages, self.editing, self.submitting, self.uploads)

    def make_mono(self) -> Package:
        """Return acme/mono, whose tag 1.0 has acme/child."""
        mono = self.ok(self.packages.create(package("acme/mono", repo_type=RepoType.MONO_REPO)))
        child = self.ok(self.packages.create(package("acme/child", parent_id=mono.id)))
        draft = VersionDraft(
            package_id=child.id, version="1.0", normalized="1.0.0.0", is_dev=False, reference=None, dist_reference=None,
            released_at=None, document=b"{}",
        )  # fmt: skip
        self.ok(self.memory.versions.apply(mono.id, [RefOutcome(ref="tag:1.0", commit="a", versions=(draft,))], NEW_YEAR))
        return mono

    def test_removed(self) -> None:
        """A package and its children are gone, and each is told of with the versions that it had."""
        self.make_mono()
        self.assertEqual({"acme/mono", "acme/child"}, set(self.ok(self.editing.remove("acme/mono", ADMIN, None))))
        told = [(event.kind, event.package.name, [(one.version, one.document) for one in event.versions]) for event in self.events]
        self.assertEqual([(EventKind.REMOVED, "acme/mono", []), (EventKind.REMOVED, "acme/child", [("1.0", b"{}")])], told)

    def test_removed_child(self) -> None:
        """A package of a mono-repo may be removed, and its name used anew, once the mono-repo has nothing of it."""
        mono = self.make_mono()
        self.failureResultOf(ensureDeferred(self.editing.remove("acme/child", ADMIN, None)), Invalid)
        self.ok(self.memory.versions.retain(mono.id, (), NEW_YEAR))
        self.assertEqual(["acme/child"], list(self.ok(self.editing.remove("acme/child", ADMIN, None))))
        self.assertIsNotNone(self.ok(self.packages.find("acme/mono")))

    def test_removed_version(self) -> None:
        """A version that is removed by hand is told of once, as one that an update finds gone."""
        held = self.ok(self.packages.create(package("acme/lib")))
        drafts = [
            VersionDraft(
                package_id=held.id, version=version, normalized=normalized, is_dev=is_dev, reference="f", dist_reference="f" * 40,
                released_at=None, document=b"{}",
            )
            for version, normalized, is_dev in (("1.0", "1.0.0.0", False), ("dev-main", "dev-main", True))
        ]  # fmt: skip
        self.ok(self.memory.versions.apply(held.id, [RefOutcome(ref=draft.version, commit="a", versions=(draft,)) for draft in drafts], NEW_YEAR))
        for version in self.ok(self.memory.versions.index(held.id)):
            self.ok(self.editing.remove_version(version.id, ADMIN, None))
            self.assertIsInstance(self.failureResultOf(ensureDeferred(self.editing.remove_version(version.id, ADMIN, None))).value, NotFound)
        self.assertEqual({(EventKind.REFRESHED, "acme/lib")}, {(event.kind, event.package.name) for event in self.events})
        told = [(one.kind, one.version, one.old_reference, one.document) for event in self.events for one in event.changes]
        self.assertCountEqual(
            [(ChangeKind.REMOVED, "1.0", "f" * 40, b"{}"), (ChangeKind.REMOVED, "dev-main", "f" * 40, None)], told
        )

    def test_looked_at(self) -> None:
        """A package that was never read is read when an editor first looks at it: once, and for nobody else."""
        made = self.ok(self.packages.create(package("acme/new", maintainers=frozenset({1}))))
        customer = Identity(name="x", user_id=2, roles=frozenset({Role.FULL_CUSTOMER}))
        stranger = Identity(name="y", user_id=3, roles=frozenset({Role.USER}))
        reading = Identity(name="z", user_id=1, roles=with_implied(["ROLE_MAINTAINER"]), scopes=frozenset({Scope.PACKAGES_READ}))
        for identity in (customer, reading):
            self.ok(self.editing.looked_at("acme/new", identity, None))
        failed = self.failureResultOf(ensureDeferred(self.editing.looked_at("acme/new", stranger, None)))
        self.assertIsInstance(failed.value, NotFound)
        self.assertEqual([], self.ok(self.jobs.latest("acme/new")))
        self.ok(self.editing.looked_at("acme/new", ADMIN, None))
        job = self.ok(self.jobs.claim("w", NEW_YEAR, types=["package:updates"], per_host=1))
        self.assertEqual(({"id": made.id, "update_equal_refs": True}, Priority.NOW), (job.payload, job.priority))
        self.ok(self.editing.looked_at("acme/new", ADMIN, None))  # while it is read
        self.ok(self.jobs.finish(job.id, JobStatus.FAILED, {}, NEW_YEAR))
        self.ok(self.editing.looked_at("acme/new", ADMIN, None))  # and when that went wrong
        self.ok(self.packages.create(evolve(package("acme/old"), crawled_at=NEW_YEAR)))
        self.ok(self.editing.looked_at("acme/old", ADMIN, None))
        self.assertEqual([1, 0], [len(self.ok(self.jobs.latest(name, 9))) for name in ("acme/new", "acme/old")])

    def test_folder_of_archives(self) -> None:
        """The name comes from the first archive; a directory that must not be used, or has none, is said by field."""
        fields = {"repoType": "artifact", "repositoryPath": str(self.folder / "archives")}
        with self.assertRaises(InvalidFields) as caught:
            self.ok_or_raise(self.submitting.submit(fields, ADMIN, None))
        self.assertIn("not there", caught.exception.fields["repositoryPath"])
        (self.folder / "archives").mkdir()
        for content, why in ((None, "no archive in the directory"), (b"PK", "a.zip: ")):
            if content is not None:
                (self.folder / "archives" / "a.zip").write_bytes(content)
            with self.assertRaises(InvalidFields) as caught:
                self.ok_or_raise(self.submitting.submit(fields, ADMIN, None))
            self.assertIn(why, caught.exception.fields["repositoryPath"])
        with zipfile.ZipFile(self.folder / "archives" / "b.zip", "w") as archive:
            archive.writestr("composer.json", json.dumps({"name": "acme/in-folder", "version": "1.0.0"}))
        made, _ = self.ok(self.submitting.submit(fields, ADMIN, None))
        self.assertEqual("acme/in-folder", made.name)
        with self.assertRaises(InvalidFields):
            self.ok_or_raise(self.editing.edit(made.name, {"repositoryPath": "/etc"}, ADMIN, None))

    def ok_or_raise(self, coroutine: Coroutine[Any, Any, T]) -> T:
        found: Deferred[T] = Deferred.fromCoroutine(coroutine)
        results: list[Any] = []
        found.addBoth(results.append)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]  # type: ignore[no-any-return]

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    async def listen(self, event: PackageEvent) -> None:
        self.events.append(event)

    def pause(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    async def get(self, credential_id: int) -> Credential | None:
        """Look a credential up, during which something else may happen."""
        found = await self.credentials.get(credential_id)
        self.pause()
        return found

    async def in_thread(self, work: Any, /, *args: Any, **options: Any) -> Any:
        result = await immediately(work, *args, **options)
        if getattr(work, "__name__", "") == "read_manifest_of" and self.pauses:
            self.pause()
        return result

    def edit(self, name: str, **fields: Any) -> Package:
        return self.ok(self.editing.edit(name, fields, ADMIN, None))[0]

    def push(self, version: str, name: str = "acme/a") -> None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("composer.json", json.dumps({"name": name}))
        draft = self.store.draft()
        draft.write_bytes(content.getvalue())
        self.ok(self.pushing.push(Push(name=name, version=version), Received(draft=draft, name="a.zip"), ADMIN, None))

    def versions(self, name: str = "acme/a") -> list[str]:
        found = self.ok(self.packages.find(name))
        assert found is not None
        return [entry["version"] for entry in found.settings["customVersions"]]

    def test_two_editors(self) -> None:
        """What an update or another editor stored while a form was checked stays."""
        self.ok(self.packages.create(package(url="https://x.example/a.git")))
        key = self.ok(self.credentials.create(Credential(name="k", ssh_key=Secret("s"), shared=True, created_at=NEW_YEAR)))

        def others() -> None:
            made = self.ok(self.packages.find("acme/a"))
            assert made is not None
            self.ok(self.packages.change(made.id, lambda held: evolve(held, description="crawled", settings={"_renderedWith": "x"})))
            self.edit("acme/a", visibleForAll=True)

        self.meanwhile = others
        saved = self.edit("acme/a", credentials=key.id, disabledUpdate=True)
        self.assertEqual(("crawled", True, key.id), (saved.description, saved.visible_for_all, saved.credential_id))
        self.assertEqual({"_renderedWith": "x", "disabledUpdate": True}, saved.settings)

    def test_two_pushes(self) -> None:
        """Two pushes at once both become versions, also when both find that there is no such package yet."""
        self.meanwhile = lambda: self.push("1.0.0")
        self.push("2.0.0")
        self.assertEqual({"1.0.0", "2.0.0"}, set(self.versions()))
        self.meanwhile = lambda: self.push("3.0.0")
        self.push("4.0.0")
        self.assertEqual({"1.0.0", "2.0.0", "3.0.0", "4.0.0"}, set(self.versions()))
        self.assertEqual([], self.ok(self.uploads.listed()))

    def test_first_of_two(self) -> None:
        """The same, where the package comes into being between the look and the insert."""
        self.pauses = False
        self.meanwhile = lambda: self.push("1.0.0")
        self.push("2.0.0")
        self.assertEqual({"1.0.0", "2.0.0"}, set(self.versions()))

    def test_shared_upload(self) -> None:
        """An archive that two packages have is in use until both have let it go."""
        self.push("1.0.0")
        found = self.ok(self.packages.find("acme/a"))
        assert found is not None
        [number] = uploads_of(found.settings)
        self.ok(self.packages.create(package("acme/b", repo_type=RepoType.CUSTOM, settings=found.settings)))
        self.ok(self.editing.remove("acme/a", ADMIN, None))
        self.failureResultOf(Deferred.fromCoroutine(self.uploads.remove(number)), Conflict)
        self.ok(self.editing.remove("acme/b", ADMIN, None))
        self.ok(self.uploads.remove(number))
