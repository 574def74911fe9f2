"""Packages out of archives and definitions, and the library of uploads."""

import gzip
import io
import json
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.adapters.database.archives import UploadRecords
from packeton.adapters.files import DirectoryStore
from packeton.core.composer.archives import ArchiveBounds
from packeton.errors import BadContent, Conflict, Invalid, NotFound, StorageFailed
from packeton.features.packages.folders import Folders
from packeton.features.packages.sources_files import ArtifactSource, DefinitionSource
from packeton.features.packages.uploads import Received, Uploads
from packeton.interfaces.archives import IUploadRecords, Upload
from packeton.interfaces.packages import Package, RepoType
from packeton.interfaces.sources import Finding, ISource
from tests.support.packages import NEW_YEAR, MemoryPackages, package
from tests.support.scripted import immediately

T = TypeVar("T")


def zipped(version: str = "1.0.0", top: str = "", package: str = "acme/a", **files: bytes) -> bytes:
    """Return a zip with a composer.json."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{top}composer.json", json.dumps({"name": package, "version": version}))
        for name, data in files.items():
            archive.writestr(top + name, data)
    return content.getvalue()


def tarred(*entries: tuple[str, bytes | str], compress: bool = True) -> bytes:
    """Return a tar: text is a link's target."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(data, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, data
                archive.addfile(entry)
            else:
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(content.getvalue()) if compress else content.getvalue()


MANIFEST = json.dumps({"name": "acme/a", "version": "2.0.0"}).encode()


class FilesTestCase(SynchronousTestCase):
    """A library that takes everything."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.memory = MemoryPackages()
        self.addCleanup(self.memory.close)
        self.records = UploadRecords(self.memory.database)
        verifyObject(IUploadRecords, self.records)
        numbers = count(1)
        self.store = DirectoryStore(self.folder / "library", lambda: f"draft{next(numbers)}")
        self.bounds = ArchiveBounds(max_entries=50, max_unpacked_bytes=1 << 20)
        self.uploads = Uploads(
            self.records, self.store, frozenset({"zip", "tar", "gz", "tgz"}), self.bounds, immediately,
            lambda: NEW_YEAR, lambda: f"{next(numbers):040x}",
        )  # fmt: skip

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, kind: type[Exception], coroutine: Coroutine[Any, Any, T]) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), kind).value)

    def received(self, content: bytes, name: str | None = None) -> Received:
        draft = self.store.draft()
        draft.write_bytes(content)
        return Received(draft=draft, name=name)

    def add(self, content: bytes, name: str | None = None) -> Upload:
        return self.ok(self.uploads.add(self.received(content, name)))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.store.root.rglob("*") if path.is_file())

    def read(self, source: Any, found: Package, known: dict[str, str] | None = None) -> tuple[list[Finding], frozenset[str]]:
        verifyObject(ISource, source)
        findings: list[Finding] = []

        async def deliver(some: Any) -> None:
            findings.extend(some)

        report = self.ok(source.read(found, known or {}, deliver, lambda _: None))
        return findings, report.refs


class UploadTests(FilesTestCase):
    """What is taken into the library."""

    def test_kinds(self) -> None:
        """By their content; the name says only how it was called."""
        for content, name, extension in (
            (zipped(), "x.zip", "zip"),
            (zipped(), "whatever.bin", "zip"),
            (tarred(("composer.json", MANIFEST)), "a.tar.gz", "tgz"),
            (tarred(("top/composer.json", MANIFEST), ("top/src/x", b"1")), "a.gz", "gz"),
            (tarred(("./composer.json", MANIFEST), compress=False), None, "tar"),
        ):
            upload = self.add(content, name)
            self.assertEqual((extension, len(content), f"{upload.reference}.{extension}"), (upload.extension, upload.size, upload.filename))
            self.assertEqual("acme/a", json.loads(self.ok(self.uploads.manifest(upload)))["name"])
        self.assertEqual(5, len(self.files()))

    def test_refused(self) -> None:
        """Damage, bombs, links that lead out, names that lead out, no composer.json: said, and nothing is kept."""
        bomb = zipped(x=b"\0" * (2 << 20))
        for content, kind, message in (
            (b"", BadContent, "no zip or tar"),
            (b"<html>", BadContent, "no zip or tar"),
            (zipped()[:-30], BadContent, "damaged"),
            (bomb, BadContent, "unpacks to"),
            (tarred(("composer.json", MANIFEST), ("x", b"\0" * (2 << 20))), BadContent, "unpacks to"),
            (tarred(("composer.json", MANIFEST), ("x", b"1" * 9000))[:-40], BadContent, "damaged"),
            (tarred(("composer.json", MANIFEST), ("../x", b"1")), BadContent, "outside"),
            (tarred(("composer.json", MANIFEST), ("a/x", "../../etc/passwd")), BadContent, "outside"),
            (tarred(("composer.json", MANIFEST), ("x", "/etc/passwd")), BadContent, "outside"),
            (tarred(*((f"f{number}", b"") for number in range(60))), BadContent, "entries"),
            (tarred(("a/x", b"1"), ("b/y", b"2")), Invalid, "more than one top level"),
            (zipped(top="a/b/"), Invalid, "No composer.json found"),
        ):
            self.assertIn(message, self.refused(kind, self.uploads.add(self.received(content))))
        self.assertEqual(([], []), (self.files(), list(self.ok(self.uploads.listed()))))

    def test_types_of_the_settings(self) -> None:
        """Only what `support_types` says."""
        only = Uploads(self.records, self.store, frozenset({"zip"}), self.bounds, immediately, lambda: NEW_YEAR, lambda: "0" * 40)
        self.assertIn("(zip are)", self.refused(Invalid, only.add(self.received(tarred(("composer.json", MANIFEST))))))

    def test_library(self) -> None:
        """Unused ones are listed and can be removed; used ones cannot."""
        one, two = self.add(zipped("1.0")), self.add(zipped("2.0"))
        self.ok(self.uploads.take([one.id]))
        self.assertEqual([two.id], [upload.id for upload in self.ok(self.uploads.listed())])
        self.assertEqual([two.id, one.id], [upload.id for upload in self.ok(self.uploads.listed([one.id]))])
        self.refused(Conflict, self.uploads.remove(one.id))
        self.ok(self.uploads.remove(two.id))
        self.refused(NotFound, self.uploads.get(two.id))
        self.assertEqual([one.filename], self.files())

    def test_not_recorded(self) -> None:
        """Of a file that cannot be written down nothing is left."""

        class Full(UploadRecords):
            async def create(self, upload: Upload) -> Upload:
                raise StorageFailed("full")

        self.uploads = evolve(self.uploads, records=Full(self.memory.database))
        draft = self.store.draft()
        draft.write_bytes(zipped())
        self.refused(StorageFailed, self.uploads.add(Received(draft=draft, name="a.zip")))
        self.assertEqual([], self.files())


class ArtifactTests(FilesTestCase):
    """Packages of type artifact."""

    def source(self) -> ArtifactSource:
        return ArtifactSource(self.records, self.store, self.folders(), self.bounds, immediately)

    def folders(self) -> Folders:
        return Folders((str(self.folder / "artifacts"),), self.bounds, immediately)

    def test_uploads(self) -> None:
        """A version an archive, with its checksum; an override counts; a missing one and a broken one stand alone."""
        one, two = self.add(zipped("1.0.0")), self.add(zipped("oops"))
        found = package(repo_type=RepoType.ARTIFACT, settings={"archives": [one.id, two.id, 99]})
        findings, refs = self.read(self.source(), found)
        self.assertEqual({f"upload:{one.reference}", f"upload:{two.reference}"}, set(refs))
        version = findings[0].versions[0]
        self.assertEqual({"type": "zip", "shasum": one.sha1, "reference": one.reference}, version.version["dist"])
        self.assertEqual((one.reference, "1.0.0.0"), (version.dist_reference, version.version["version_normalized"]))
        self.assertNotIn("source", version.version)
        self.assertEqual(1, len(findings[1].problems))
        known = {finding.ref: finding.commit for finding in findings}
        self.assertEqual([], self.read(self.source(), found, known)[0])
        source = {"type": "git", "url": "https://x.example/a.git", "reference": "f" * 40}
        override = {str(two.id): {"version": "3.0.0", "source": source}}
        findings, _ = self.read(self.source(), evolve(found, settings={**found.settings, "archiveOverrides": override}), known)
        self.assertEqual(["3.0.0"], [finding.versions[0].version["version"] for finding in findings])
        self.assertEqual(source, findings[0].versions[0].version["source"])

    def test_one_version_twice(self) -> None:
        """The first archive counts, at every update; when it goes, the other one takes its turn."""
        root = self.folder / "artifacts"
        root.mkdir()
        (root / "a.zip").write_bytes(zipped("1.0.0"))
        (root / "b.zip").write_bytes(zipped("v1.0"))
        (root / "c.zip").write_bytes(zipped("1.1.0"))
        (root / "d.zip").write_bytes(zipped("1.2.0", package="acme/other"))
        found = package(repo_type=RepoType.ARTIFACT, settings={"repositoryPath": str(root)})
        findings, _ = self.read(self.source(), found)
        versions = [[one.version["version"] for one in finding.versions] for finding in findings]
        self.assertEqual([["1.0.0"], [], ["1.1.0"], []], versions)
        why = "Skipped b.zip, it conflicts with another one (a.zip) as both resolve to 1.0.0.0 internally"
        self.assertEqual(((why,), ()), (findings[1].skipped, findings[1].problems))
        self.assertEqual(("d.zip: composer.json names acme/other, and this package is acme/a",), findings[3].problems)
        known = {finding.ref: finding.commit for finding in findings}
        self.assertEqual([], self.read(self.source(), found, known)[0])
        (root / "a.zip").unlink()
        findings, _ = self.read(self.source(), found, known)
        self.assertEqual(["v1.0"], [one.version["version"] for finding in findings for one in finding.versions])
        known |= {finding.ref: finding.commit for finding in findings}
        (root / "0.zip").write_bytes(zipped("1.0.0"))
        findings, _ = self.read(self.source(), found, known)
        self.assertEqual([["1.0.0"], []], [[one.version["version"] for one in finding.versions] for finding in findings])

    def test_directory(self) -> None:
        """Recursive, through links, loops end; a changed file is read again; other directories are refused."""
        root = self.folder / "artifacts"
        (root / "deep").mkdir(parents=True)
        (root / "a-1.0.zip").write_bytes(zipped("1.0"))
        (root / "deep/a-2.tgz").write_bytes(tarred(("composer.json", MANIFEST)))
        (root / "deep/broken.zip").write_bytes(b"PK")
        (root / "readme.txt").write_text("no archive")
        (root / "deep/loop").symlink_to(root)
        found = package(repo_type=RepoType.ARTIFACT, settings={"repositoryPath": str(root)})
        findings, refs = self.read(self.source(), found)
        self.assertEqual(3, len(refs))
        self.assertEqual({"1.0", "2.0.0"}, {version.version["version"] for finding in findings for version in finding.versions})
        self.assertEqual(["zip", "tar"], [version.version["dist"]["type"] for finding in findings for version in finding.versions])
        self.assertEqual("1.0", json.loads(self.ok(self.folders().first_manifest(str(root))))["version"])
        (root / "0.zip").write_bytes(b"PK")
        self.assertEqual("1.0", json.loads(self.ok(self.folders().first_manifest(str(root))))["version"])
        (root / "0.zip").unlink()
        known = {finding.ref: finding.commit for finding in findings}
        (root / "a-1.0.zip").write_bytes(zipped("1.1"))
        os.utime(root / "a-1.0.zip", (1, 1))
        self.assertEqual(["1.1"], [finding.versions[0].version["version"] for finding in self.read(self.source(), found, known)[0]])
        for path in ("/etc", str(root / "../library"), "artifacts", str(root / "nope")):
            bad = evolve(found, settings={"repositoryPath": path})
            message = self.refused(Invalid, self.source().read(bad, {}, None, lambda _: None))  # type: ignore[arg-type]
            self.assertNotIn(str(self.folder), message)


class DefinitionTests(FilesTestCase):
    """Packages of types custom and virtual."""

    def versions(self, *entries: dict[str, Any], dists: bool = True) -> list[Finding]:
        found = package(repo_type=RepoType.CUSTOM if dists else RepoType.VIRTUAL, settings={"customVersions": list(entries)})
        return self.read(DefinitionSource(self.records, dists), found)[0]

    def test_custom(self) -> None:
        """The definition with an upload, or with a dist or source of its own; never a local path."""
        upload = self.add(zipped())
        good, foreign, bare, local, broken = self.versions(
            {"version": "1.0.0", "dist": upload.id, "definition": '{"require": {"php": ">=8"}}'},
            {"version": "1.1.0", "definition": {"dist": {"type": "zip", "url": "https://x.example/a.zip"}}},
            {"version": "1.2.0", "definition": "{}"},
            {"version": "1.3.0", "definition": {"dist": {"type": "path", "url": "/etc"}}},
            {"version": "1.4.0", "definition": "{"},
        )
        version = good.versions[0]
        self.assertEqual(({"php": ">=8"}, upload.reference, upload.sha1), (version.version["require"], version.dist_reference, version.version["dist"]["shasum"]))
        self.assertEqual(("https://x.example/a.zip", None), (foreign.versions[0].version["dist"]["url"], foreign.versions[0].dist_reference))
        for finding, message in ((bare, "needs an uploaded archive"), (local, "local paths are not allowed"), (broken, "valid JSON")):
            self.assertIn(message, finding.problems[0])

    def test_one_version_twice(self) -> None:
        """The first entry counts."""
        entries = ({"version": "1.0", "definition": "{}"}, {"version": "v1.0.0", "definition": "{}"}, {"version": "1.0", "definition": "{}"})
        findings = self.versions(*entries, dists=False)
        self.assertEqual([["1.0"], []], [[one.version["version"] for one in finding.versions] for finding in findings])
        self.assertIn("conflicts with another one (1.0)", findings[1].skipped[0])

    def test_virtual(self) -> None:
        """The reference follows from the definition."""
        one, two = self.versions({"version": "1.0", "definition": '{"require": {"a/b": "*"}}'}, {"version": "2.0", "definition": "{}"}, dists=False)
        again = self.versions({"version": "1.0", "definition": '{"require": {"a/b": "*"}}'}, dists=False)[0]
        self.assertEqual(one.versions[0].dist_reference, again.versions[0].dist_reference)
        self.assertNotEqual(one.versions[0].dist_reference, two.versions[0].dist_reference)
        self.refused(Invalid, DefinitionSource(self.records, False).read(package(), {}, None, lambda _: None))  # type: ignore[arg-type]
