"""Archives: what is in them, what is not, and that they are the same each time."""

import hashlib
import json
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from packeton.adapters.vcs.values import VcsBounds
from packeton.config.settings import Secret
from packeton.core.composer.archives import ArchiveBounds, verify_zip
from packeton.errors import Invalid, NotFound, VcsFailed, VcsReason
from packeton.interfaces.vcs import VcsAccess
from tests.adapters.vcs.scripted import CheckoutsTestCase
from tests.support.vcs import GitHttp, manifest


def names_in(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def content_of(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


class ArchiveTests(CheckoutsTestCase):
    """Of a repository over http."""

    def prepare(self, files: dict[Any, Any], **options: Any) -> tuple[str, str]:
        self.git = self.repository()
        sha = self.git.commit(files)
        self.server = self.serve(**options)
        return f"{self.server.url}/lib.git", sha

    async def test_reproducible(self) -> None:
        """Same commit, same bytes; sorted, dated by the commit, fixed modes; whole for Composer's check."""
        files = {"composer.json": manifest(), "b.php": "<?php", "a/z.php": "<?php", "a.php": "x", "bin/run": ("program", "#!/bin/sh")}
        url, sha = self.prepare({**files, "link": ("link", "a/z.php")})
        built, first = await self.archive(url, sha)
        again, second = await self.archive(url, sha, "again.zip")
        await self.checkouts.forget(VcsAccess(url=url))
        anew, third = await self.archive(url, sha, "anew.zip")
        self.assertEqual((built, built), (again, anew))
        self.assertEqual(first.read_bytes(), second.read_bytes())
        self.assertEqual(first.read_bytes(), third.read_bytes())
        data = first.read_bytes()
        digests = (len(data), hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest())
        self.assertEqual((*digests, 6, ()), (built.size, built.sha1, built.sha256, built.entries, built.warnings))
        with first.open("rb") as file:
            verify_zip(file, ArchiveBounds())
        with zipfile.ZipFile(first) as archive:
            self.assertEqual(["a.php", "a/z.php", "b.php", "bin/run", "composer.json", "link"], archive.namelist())
            modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
            self.assertEqual({(2023, 11, 14, 22, 14, 20)}, {info.date_time for info in archive.infolist()})
        self.assertEqual((0o100644, 0o100755, 0o120777), (modes["a.php"], modes["bin/run"], modes["link"]))

    async def test_left_out(self) -> None:
        """archive.exclude, export-ignore, and what the order says, like git and Composer would have it."""
        attributes = "/tests export-ignore\n*.dist export-ignore\n/docs/ export-ignore\nkeep.dist -export-ignore\n.gitattributes export-ignore\n"
        url, sha = self.prepare({
            "composer.json": manifest(archive={"exclude": ["/secret", "*.log", "!keep.log", "# comment", 7]}), ".gitattributes": attributes,
            "tests/a": "", "src/tests/a": "", "x.dist": "", "keep.dist": "", "docs/a/b": "", "docs.md": "", "secret/key": "",
            "src/secret/key": "", "a.log": "", "src/b.log": "", "src/keep.log": "", "src/.gitattributes": "local export-ignore\n",
            "src/local": "", "local": "", "extra/x": "",
        })  # fmt: skip
        _, path = await self.archive(url, sha, exclude=("/extra",))
        expected = ["composer.json", "docs.md", "keep.dist", "local", "src/keep.log", "src/secret/key", "src/tests/a"]
        self.assertEqual(expected, names_in(path))
        tar = subprocess.run(["git", "--git-dir", str(self.git.path), "archive", sha], capture_output=True, check=True)
        _, plain = await self.archive(url, self.git.commit({"composer.json": manifest()}), "plain.zip")
        listed = subprocess.run(["tar", "-t"], input=tar.stdout, capture_output=True, check=True).stdout.decode().split("\n")
        self.assertEqual(sorted(name for name in listed if name and not name.endswith("/")), sorted(names_in(plain)))

    async def test_sub_directory(self) -> None:
        """Only the directory, as root; its own composer.json decides; one that is not there is told."""
        url, sha = self.prepare({
            "composer.json": manifest(), "x": "", ".gitattributes": "/src/A/tests export-ignore\n",
            "src/A/composer.json": manifest("acme/a", archive={"exclude": ["/x"]}), "src/A/x": "", "src/A/y": "", "src/A/tests/t": "",
            "src/A/up": ("link", "../../composer.json"), "src/A/in": ("link", "y"),
        })  # fmt: skip
        built, path = await self.archive(url, sha, sub_directory="src/A")
        self.assertEqual(["composer.json", "in", "y"], names_in(path))
        self.assertEqual(("up: left out, the link leads out of the package",), built.warnings)
        self.assertIn("up: left out, the link leads out of the package", self.log)
        await self.assertFailure(Deferred.fromCoroutine(self.archive(url, sha, "no.zip", sub_directory="src/B")), NotFound)
        self.assertFalse((self.folder / "no.zip").exists())

    async def test_links_and_submodules(self) -> None:
        """Loops are only links; what leads out, submodules and impossible names stay away, with a word."""
        url, sha = self.prepare({
            "composer.json": manifest(), "loop": ("link", "loop"), "d/up": ("link", "../d"), "abs": ("link", "/etc/passwd"),
            "out": ("link", "d/../../etc"), "module": ("submodule", "1" * 40), "back\\slash": "x",
        })  # fmt: skip
        built, path = await self.archive(url, sha)
        self.assertEqual(["composer.json", "d/up", "loop"], names_in(path))
        self.assertEqual(4, len(built.warnings))
        self.assertIn("module: left out, it is a submodule", built.warnings)
        with path.open("rb") as file:
            verify_zip(file, ArchiveBounds())

    async def test_tar(self) -> None:
        """The same as a tar."""
        url, sha = self.prepare({"composer.json": manifest(), "run": ("program", "x"), "link": ("link", "run"), b"caf\xe9": "y"})
        _, first = await self.archive(url, sha, "a.tar", format="tar")
        _, second = await self.archive(url, sha, "b.tar", format="tar")
        self.assertEqual(first.read_bytes(), second.read_bytes())
        with tarfile.open(first) as archive:
            members = {member.name: member for member in archive.getmembers()}
        self.assertEqual((0o755, 0, "", 1_700_000_060), (members["run"].mode, members["run"].uid, members["run"].uname, members["run"].mtime))
        self.assertTrue(members["link"].issym())
        self.assertIn("caf\udce9", members)
        await self.assertFailure(Deferred.fromCoroutine(self.archive(url, sha, format="rar")), Invalid)

    async def test_old_commit(self) -> None:
        """A commit that no ref leads to any more is fetched by its name, where the server allows that."""
        url, sha = self.prepare({"composer.json": manifest(), "old": ""})
        self.git.commit({"composer.json": manifest(), "new": ""}, parents=[], keep=False)
        await self.crawl(url)
        self.git.git("config", "uploadpack.allowAnySHA1InWant", "true")
        _, path = await self.archive(url, sha)
        self.assertEqual(["composer.json", "old"], names_in(path))
        missing = Deferred.fromCoroutine(self.archive(url, "1" * 40))
        self.assertIn("does not give out this commit", str(await self.assertFailure(missing, NotFound)))

    async def test_new_commit(self) -> None:
        """What the copy does not hold yet is fetched; what it holds is not asked for."""
        url, sha = self.prepare({"composer.json": manifest()})
        await self.archive(url, sha)
        before = len(self.server.requests)
        await self.archive(url, sha)
        self.assertEqual(before, len(self.server.requests))
        newer = self.git.commit({"new": ""})
        _, path = await self.archive(url, newer)
        self.assertEqual(["composer.json", "new"], names_in(path))

    async def test_too_large(self) -> None:
        """Bounds on bytes and files; nothing half-written stays."""
        url, sha = self.prepare({"composer.json": manifest(), "zeros": "0" * 100_000, **{f"f{n}": "" for n in range(20)}})
        for bounds, why in (
            (VcsBounds(max_archive_bytes=50_000), "the archive is larger than 50000 bytes"),
            (VcsBounds(max_files=10), "more than 10 files"),
            (VcsBounds(max_blob_bytes=99_999), "zeros: the file is larger than 99999 bytes"),
        ):  # fmt: skip
            self.checkouts = self.make(bounds=bounds)
            failure = await self.assertFailure(Deferred.fromCoroutine(self.archive(url, sha)), VcsFailed)
            self.assertIs(VcsReason.TOO_LARGE, failure.reason)
            self.assertIn(why, str(failure))
        self.checkouts = self.make(bounds=VcsBounds(max_blob_bytes=100_000))
        self.assertEqual(22, (await self.archive(url, sha))[0].entries)
        (self.folder / "out.zip").unlink(missing_ok=True)
        self.assertEqual([], [path.name for path in self.folder.iterdir() if "zip" in path.name])


class LfsTests(CheckoutsTestCase):
    """Pointers become contents where the forge serves them."""

    CONTENT = b"a large picture" * 100

    def pointer(self, content: bytes) -> str:
        oid = hashlib.sha256(content).hexdigest()
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"

    def prepare(self, served: dict[bytes, bytes], **options: Any) -> tuple[str, str]:
        """*served*: content that a pointer means → content that the server gives."""
        repository = self.repository()
        sha = repository.commit({
            "composer.json": manifest(), ".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n",
            "a.png": self.pointer(self.CONTENT), "b.png": self.pointer(b"other"), "text.txt": self.pointer(b"no lfs here"),
        })  # fmt: skip
        server = self.serve(**options)
        asked: list[Any] = []

        def batch(handler: Any, body: bytes) -> None:
            asked.append(json.loads(body))
            objects = []
            for item in json.loads(body)["objects"]:
                known = [content for content in served if hashlib.sha256(content).hexdigest() == item["oid"]]
                actions = {"actions": {"download": {"href": f"{server.url}/object/{item['oid']}"}}} if known else {"error": {"code": 404}}
                objects.append({**item, **actions})
            GitHttp.send(handler, 200, json.dumps({"objects": objects}).encode())

        def answer(content: bytes) -> Any:
            return lambda handler, _: GitHttp.send(handler, 200, content)

        server.answers["/lib.git/info/lfs/objects/batch"] = batch
        for meant, given in served.items():
            server.answers[f"/object/{hashlib.sha256(meant).hexdigest()}"] = answer(given)
        self.asked = asked
        return f"{server.url}/lib.git", sha

    async def test_replaced(self) -> None:
        """Asked for at once, with the login; a text that looks like a pointer stays."""
        login = GitHttp.basic("bob", "pass")
        url, sha = self.prepare({self.CONTENT: self.CONTENT, b"other": b"other"}, logins=[login])
        built, path = await self.archive(VcsAccess(url=url, username="bob", password=Secret("pass")), sha)
        self.assertEqual((self.CONTENT, b"other"), (content_of(path, "a.png"), content_of(path, "b.png")))
        self.assertIn(b"git-lfs", content_of(path, "text.txt"))
        self.assertEqual(((), 1, 2), (built.warnings, len(self.asked), len(self.asked[0]["objects"])))

    async def test_not_to_be_had(self) -> None:
        """Missing or damaged contents: the pointer stays, with a warning."""
        url, sha = self.prepare({self.CONTENT: b"something else"})
        built, path = await self.archive(url, sha)
        self.assertIn(b"git-lfs", content_of(path, "a.png"))
        self.assertEqual({"a.png", "b.png"}, {warning.partition(":")[0] for warning in built.warnings})

    async def test_no_server(self) -> None:
        """A forge without LFS: one warning."""
        _, sha = self.prepare({})
        (local,) = self.folder.glob("local/*.git")
        built, _ = await self.archive(str(local), sha)
        self.assertEqual(("2 files of git LFS are only pointers: the repository is not reached over https",), built.warnings)
        self.assertTrue(stat.S_ISREG((self.folder / "out.zip").stat().st_mode))
