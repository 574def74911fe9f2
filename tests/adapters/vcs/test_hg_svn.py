"""Mercurial and Subversion, through their real programs."""

import os
import shutil
import subprocess
import zipfile
from unittest import SkipTest

from twisted.internet.defer import Deferred

from packeton.config.settings import Secret
from packeton.core.composer.sources import dist_reference
from packeton.errors import NotFound, VcsReason
from packeton.interfaces.vcs import VcsAccess, VcsKind
from tests.adapters.vcs.scripted import CheckoutsTestCase
from tests.support.server import free_port
from tests.support.vcs import manifest


def needs(*programs: str) -> None:
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        raise SkipTest(f"not installed: {', '.join(absent)}")


class HgTests(CheckoutsTestCase):
    """Named branches and tags; a copy that is pulled into."""

    def setUp(self) -> None:
        needs("hg")
        super().setUp()
        self.path_ = self.folder / "local" / "lib"
        self.path_.mkdir(parents=True)
        self.hg("init")
        self.commit({"composer.json": manifest(), "README.md": "hg"}, "first")
        self.hg("tag", "1.0.0")
        self.hg("branch", "2.x")
        self.commit({"composer.json": manifest(description="two"), "src/run": "x"}, "second")

    def hg(self, *arguments: str) -> str:
        environment = {**os.environ, "HGRCPATH": os.devnull, "HGPLAIN": "1", "HGUSER": "test"}
        command = ["hg", "--cwd", str(self.path_), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def commit(self, files: dict[str, str], message: str) -> None:
        for name, content in files.items():
            (self.path_ / name).parent.mkdir(exist_ok=True)
            (self.path_ / name).write_text(content)
        self.hg("addremove", "--quiet")
        self.hg("commit", "-m", message, "-d", "1700000000 -7200")

    async def test_crawl(self) -> None:
        """Tags and branches become versions; a second crawl sees what is new."""
        url = str(self.path_)
        crawl, readings = await self.crawl(url)
        versions = {reading.ref.key: reading.readings[0].version or {} for reading in readings}
        expected = {"tag:1.0.0": "1.0.0", "branch:default": "dev-default", "branch:2.x": "2.x-dev"}
        self.assertEqual(expected, {key: version["version"] for key, version in versions.items()})
        node = self.hg("log", "-r", "1.0.0", "-T", "{node}")
        self.assertEqual({"type": "hg", "url": url, "reference": node}, versions["tag:1.0.0"]["source"])
        self.assertEqual("2023-11-14T22:13:20+00:00", versions["tag:1.0.0"]["time"])
        self.assertEqual((VcsKind.HG, "default", b"hg"), (crawl.kind, crawl.default_branch, crawl.readmes[""].content))
        self.hg("tag", "2.0.0")
        told = await self.versions(url, known=crawl.refs, known_default="default")
        self.assertEqual(("unchanged", "2.0.0"), (told["tag:1.0.0"], told["tag:2.0.0"]))

    async def test_archive(self) -> None:
        """An archive of a tag, from the copy, the same each time."""
        (self.path_ / "link").symlink_to("src/run")
        (self.path_ / "src/run").chmod(0o755)
        self.commit({}, "third")
        node = self.hg("log", "-r", ".", "-T", "{node}")
        built, path = await self.archive(str(self.path_), node)
        again, _ = await self.archive(str(self.path_), node, "again.zip")
        self.assertEqual(built, again)
        with zipfile.ZipFile(path) as archive:
            modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        self.assertEqual({"README.md": 0o100644, "composer.json": 0o100644, "link": 0o120777, "src/run": 0o100755, ".hgtags": 0o100644}, modes)
        await self.assertFailure(Deferred.fromCoroutine(self.archive(str(self.path_), "1" * 40)), NotFound)

    async def test_over_http(self) -> None:
        """`hg serve`: the kind is found out by asking; a wrong path is told."""
        port = free_port()
        command = ["hg", "serve", "-R", str(self.path_), "-a", "127.0.0.1", "-p", str(port)]
        environment = {**os.environ, "HGRCPATH": os.devnull}
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.kill)
        await self.listening(port)
        told = await self.versions(f"http://127.0.0.1:{port}/")
        self.assertEqual({"tag:1.0.0", "branch:default", "branch:2.x"}, set(told))

    async def test_over_ssh(self) -> None:
        """With a key in an agent, as git has it."""
        ssh = self.serve_ssh()
        access = {"url": f"ssh://{ssh.host}/{self.path_}", "kind": VcsKind.HG}
        told = await self.versions(VcsAccess(**access, ssh_key=Secret(ssh.good.read_text())))
        self.assertEqual(3, len(told))
        failure = await self.failure(VcsAccess(**access, ssh_key=Secret(ssh.bad.read_text())))
        self.assertIs(VcsReason.LOGIN, failure.reason, str(failure))

    async def test_trouble(self) -> None:
        """Nothing there; empty; vanished."""
        empty = self.folder / "local" / "empty"
        subprocess.run(["hg", "init", str(empty)], check=True, env={**os.environ, "HGRCPATH": os.devnull})
        self.assertIs(VcsReason.EMPTY, (await self.failure(str(empty))).reason)
        self.assertIs(VcsReason.GONE, (await self.failure(str(self.folder / "local/none"))).reason)
        (self.folder / "local/plain").mkdir()
        self.assertIs(VcsReason.NOT_A_REPOSITORY, (await self.failure(str(self.folder / "local/plain"))).reason)
        failure = await self.failure(VcsAccess(url="http://127.0.0.1:9/hg/x", kind=VcsKind.HG))
        self.assertIn(failure.reason, {VcsReason.UNREACHABLE, VcsReason.OTHER})


class SvnTests(CheckoutsTestCase):
    """trunk, branches and tags, asked of the server each time."""

    def setUp(self) -> None:
        needs("svn", "svnadmin", "svnserve")
        super().setUp()
        self.root = self.folder / "local" / "lib"
        self.root.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["svnadmin", "create", str(self.root)], check=True)
        self.url = self.root.as_uri()
        self.svn("mkdir", "-m", "layout", *(f"{self.url}/{name}" for name in ("trunk", "tags", "branches")))
        tree = self.folder / "tree"
        (tree / "src").mkdir(parents=True)
        (tree / "composer.json").write_text(manifest(archive={"exclude": ["/tests"]}))
        (tree / "README.md").write_text("svn")
        (tree / "src/at@1").write_text("x")
        (tree / "tests").mkdir()
        (tree / "tests/t").write_text("")
        self.svn("import", "-m", "first", str(tree), f"{self.url}/trunk")
        self.svn("copy", "-m", "tag", f"{self.url}/trunk", f"{self.url}/tags/1.0.0")
        self.svn("copy", "-m", "branch", f"{self.url}/trunk", f"{self.url}/branches/2.x")

    def svn(self, *arguments: str) -> str:
        command = ["svn", "--non-interactive", "--config-dir", str(self.folder / "svn"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def serve_svn(self, *lines: str) -> str:
        port = free_port()
        (self.root / "conf/svnserve.conf").write_text("\n".join(["[general]", *lines, ""]))
        (self.root / "conf/passwd").write_text("[users]\nbob = pass\n")
        command = ["svnserve", "-d", "--foreground", "-r", str(self.folder / "local"), "--listen-host", "127.0.0.1", "--listen-port", str(port)]
        server = subprocess.Popen(command)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.kill)
        return f"svn://127.0.0.1:{port}/lib"

    async def test_crawl(self) -> None:
        """References are paths with revisions, as Composer has them."""
        crawl, readings = await self.crawl(self.url)
        versions = {reading.ref.key: reading.readings[0].version or {} for reading in readings}
        expected = {"tag:1.0.0": "1.0.0", "branch:trunk": "dev-trunk", "branch:2.x": "2.x-dev"}
        self.assertEqual(expected, {key: version["version"] for key, version in versions.items()})
        self.assertEqual({"type": "svn", "url": self.url, "reference": "/tags/1.0.0/@3"}, versions["tag:1.0.0"]["source"])
        self.assertEqual(("trunk", b"svn"), (crawl.default_branch, crawl.readmes[""].content))
        self.assertEqual({"tag:1.0.0": "unchanged"}, {key: told for key, told in (await self.versions(self.url, known={"tag:1.0.0": "/tags/1.0.0/@3"})).items() if "tag" in key})
        plain = await self.checkouts.default_manifest(VcsAccess(url=self.url), "", self.log.append)
        self.assertIn(b"acme/lib", plain.content or b"")

    async def test_archive(self) -> None:
        """By the reference, or by its sha1 as dist URLs have it."""
        built, path = await self.archive(self.url, "/tags/1.0.0/@3")
        with zipfile.ZipFile(path) as archive:
            self.assertEqual(["README.md", "composer.json", "src/at@1"], archive.namelist())
        same, _ = await self.archive(self.url, dist_reference("/tags/1.0.0/@3"), "same.zip")
        self.assertEqual(built, same)

    async def test_login(self) -> None:
        """svnserve with a password: none, a wrong one, the right one."""
        url = self.serve_svn("anon-access = none", "auth-access = read", "password-db = passwd", "realm = test")
        await self.listening(int(url.split(":")[2].split("/")[0]))
        for access in (VcsAccess(url=url), VcsAccess(url=url, username="bob", password=Secret("wr0ng"))):
            failure = await self.failure(access)
            self.assertIs(VcsReason.LOGIN, failure.reason, str(failure))
        told = await self.versions(VcsAccess(url=url, username="bob", password=Secret("pass")))
        self.assertEqual({"tag:1.0.0", "branch:trunk", "branch:2.x"}, set(told))

    async def test_trouble(self) -> None:
        """Not there; empty; nobody answers."""
        empty = self.folder / "local/empty"
        subprocess.run(["svnadmin", "create", str(empty)], check=True)
        self.assertIs(VcsReason.EMPTY, (await self.failure(empty.as_uri())).reason)
        url = self.serve_svn("anon-access = read")
        await self.listening(int(url.split(":")[2].split("/")[0]))
        self.assertIs(VcsReason.GONE, (await self.failure(f"{url}/none")).reason)
        self.assertIs(VcsReason.GONE, (await self.failure(url.replace("/lib", "/none"))).reason)
        self.assertIs(VcsReason.UNREACHABLE, (await self.failure("svn://127.0.0.1:9/x")).reason)

