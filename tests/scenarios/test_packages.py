"""Private packages from a git server to the wire: the stories of contract 01 section 12, and the real Composer."""

import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any
from unittest import SkipTest, TestCase

from attrs import evolve

from packeton.core.access.patterns import parse_line
from packeton.interfaces.packages import RepoType
from tests.support.client import Answer, fetch
from tests.support.composer import Composer, composer_missing
from tests.support.installation import SECRET, Installation
from tests.support.origin import Origin, Package, make_zip
from tests.support.server import Server, free_port

TOKEN = "0123456789abcdefABCD"
V1 = "Composer/1.10.2 (Windows NT; 10.0; PHP 8.1.0)"
NAMES = ("okvpn/cron-bundle", "okvpn/satis-api", "okvpn/datadog-symfony")
IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}


class GitServer:
    """Repositories over git://, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        command = ["git", "daemon", "--export-all", f"--base-path={folder}", "--listen=127.0.0.1", f"--port={self.port}", "--reuseaddr", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(10)

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self.port}/{name}"

    def git(self, name: str, *arguments: str) -> str:
        environment = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null"}
        return subprocess.run(["git", *arguments], cwd=self.folder / name, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    def make(self, name: str, tags: tuple[str, ...] = ("1.0.0", "1.1.0", "2.0.0"), **manifest: Any) -> None:
        """Make a repository with a commit a tag, and one more on main."""
        (self.folder / name).mkdir(parents=True)
        self.git(name, "init", "-q", "-b", "main")
        for tag in (*tags, None):
            self.commit(name, {"composer.json": json.dumps({"name": name, "description": f"of {tag}", "license": "MIT", **manifest}), "src/code.php": f"<?php // {tag}\n"}, tag)

    def commit(self, name: str, files: dict[str, str], tag: str | None = None) -> str:
        for path, content in files.items():
            target = self.folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        self.git(name, "add", "-A")
        self.git(name, "commit", "-qm", "work", "--allow-empty")
        if tag is not None:
            self.git(name, "tag", tag)
        return self.git(name, "rev-parse", "HEAD")


class PackagesTestCase(TestCase):
    """A git server, a server of ours, four users; a class has its own."""

    names: tuple[str, ...] = NAMES

    @classmethod
    def setUpClass(cls) -> None:
        if shutil.which("git") is None:
            raise SkipTest("git is not installed")
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        cls.git = GitServer(cls.folder / "git")
        cls.addClassCleanup(cls.git.stop)
        cls.server = Server(cls.folder / "server", {"app_secret": SECRET, **cls.settings()}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.installation = Installation(cls.server.data, cls.database())
        cls.addClassCleanup(cls.installation.close)
        cls.begin_work()
        cls.packages = {}
        for name in cls.names:
            cls.git.make(name)
            cls.packages[name] = cls.installation.package(name, cls.git.url(name))
        for job in cls.installation.update_all(cls.packages.values()):
            assert job.status == "completed", (job.result, cls.server.log[-3000:])
        group = cls.installation.group("group1", "okvpn/cron-bundle")
        cls.installation.user("admin", TOKEN + "1", "ROLE_ADMIN")
        cls.installation.user("dev", TOKEN + "2", "ROLE_MAINTAINER")
        cls.installation.user("user2", TOKEN + "3", "ROLE_FULL_CUSTOMER")
        cls.installation.user("user1", TOKEN + "4", groups=(group,))
        cls.noticed()

    @classmethod
    def noticed(cls) -> None:
        """Return once the server has noticed what the test stored."""
        admin = f"username=admin&apiToken={TOKEN}1"
        cls.installation.noticed(lambda slug: fetch(f"{cls.server.url}/{slug}/packages.json?{admin}").status == 200)

    @classmethod
    def settings(cls) -> dict[str, object]:
        return {}

    @classmethod
    def database(cls) -> str | None:
        """Return the address of the database; None is SQLite in the data directory."""
        return None

    @classmethod
    def begin_work(cls) -> None:
        """Start what else does jobs."""

    def get(self, path: str, user: str | None = "admin", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if user is not None:
            number = {"admin": "1", "dev": "2", "user2": "3", "user1": "4"}[user]
            pair = f"?username={user}&apiToken={TOKEN}{number}"
            path += pair if "?" not in path else pair.replace("?", "&")
        return fetch(self.server.url + path, method, fields, body)

    def version(self, name: str, version: str) -> Any:
        found = self.get(f"/p/{name}.json").json()
        return found["packages"][name][version]


class ContractTests(PackagesTestCase):
    """Contract 01 section 12."""

    def test_roots(self) -> None:
        """Nobody gets in without a name; each sees what it may."""
        self.assertEqual(401, self.get("/packages.json", None).status)
        for user, names in {"admin": 3, "dev": 3, "user1": 1, "user2": 3}.items():
            root = self.get("/packages.json", user)
            self.assertEqual((200, names), (root.status, len(root.json()["available-packages"])), user)

    def test_metadata(self) -> None:
        """Stable and dev; what is unknown and what is not granted look alike."""
        for suffix in ("", "~dev"):
            self.assertTrue(self.get(f"/p2/okvpn/cron-bundle{suffix}.json").json()["packages"]["okvpn/cron-bundle"])
            self.assertEqual(200, self.get(f"/p2/okvpn/cron-bundle{suffix}.json", "user1").status)
            hidden = self.get(f"/p2/okvpn/satis-api{suffix}.json", "user1")
            unknown = self.get(f"/p2/okvpn/unknown{suffix}.json", "user1")
            self.assertEqual((404, 404, hidden.body), (hidden.status, unknown.status, unknown.body))

    def test_first_generation(self) -> None:
        """The chain of digests for Composer 1."""
        for user, names in {"admin": 3, "user1": 1}.items():
            root = self.get("/packages.json", user, User_Agent=V1).json()
            (path, digest), = root["provider-includes"].items()
            include = self.get("/" + path.replace("%hash%", digest["sha256"]), user)
            self.assertEqual(digest["sha256"], sha256(include.body).hexdigest())
            providers = include.json()["providers"]
            self.assertEqual(names, len(providers))
            for name, provider in providers.items():
                path = root["providers-url"].replace("%package%", name).replace("%hash%", provider["sha256"])
                package = self.get(path, user)
                self.assertEqual(provider["sha256"], sha256(package.body).hexdigest())
                versions = package.json()["packages"][name].values()
                self.assertIn("9999999-dev", [version["version_normalized"] for version in versions])
        self.assertEqual(404, self.get(f"/p/okvpn/satis-api${'0' * 64}.json").status)

    def test_after_a_restart(self) -> None:
        """What a client has is still good after a restart, dates included; the chain works with nothing in memory."""
        root = self.get("/packages.json", User_Agent=V1)
        document = self.get("/p2/okvpn/cron-bundle.json")
        self.server.stop()
        self.server.start()
        for path, before in (("/packages.json", root), ("/p2/okvpn/cron-bundle.json", document)):
            again = self.get(path, User_Agent=V1, If_Modified_Since=before.headers["last-modified"])
            self.assertEqual((304, b"", before.headers["etag"]), (again.status, again.body, again.headers["etag"]))
        (path, digest), = root.json()["provider-includes"].items()
        self.assertEqual(200, self.get("/" + path.replace("%hash%", digest["sha256"])).status)

    def test_changes_feed(self) -> None:
        """For maintainers."""
        since = int(time.time() - 3600) * 10_000
        answer = self.get(f"/metadata/changes.json?since={since}", "dev")
        self.assertEqual({*NAMES, *(f"{name}~dev" for name in NAMES)}, {action["package"] for action in answer.json()["actions"]})
        self.assertEqual(403, self.get(f"/metadata/changes.json?since={since}", "user2").status)
        self.assertEqual(400, self.get("/metadata/changes.json", "dev").status)


class ArchiveTests(PackagesTestCase):
    """Zips: for whom, in ranges, built once."""

    names = ("okvpn/cron-bundle", "okvpn/satis-api")

    def path(self, name: str, version: str) -> str:
        return self.version(name, version)["dist"]["url"].removeprefix(self.server.url)

    def test_zip(self) -> None:
        """The files of the commit; the same bytes with validators, ranges and HEAD."""
        path = self.path("okvpn/cron-bundle", "1.1.0")
        answer = self.get(path)
        self.assertEqual((200, "application/zip"), (answer.status, answer.headers["content-type"]))
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            self.assertEqual(b"<?php // 1.1.0\n", archive.read("src/code.php"))
        again = self.get(path, If_None_Match=answer.headers["etag"])
        self.assertEqual((304, b""), (again.status, again.body))
        part = self.get(path, Range="bytes=2-9")
        self.assertEqual((206, answer.body[2:10]), (part.status, part.body))
        head = self.get(path, method="HEAD")
        self.assertEqual((str(len(answer.body)), b""), (head.headers["content-length"], head.body))
        reference = path.rpartition("/")[2].removesuffix(".zip")
        stored = self.server.data / "zipball" / "okvpn" / "cron-bundle" / f"1.1.0-{reference}.zip"
        self.assertEqual(answer.body, stored.read_bytes())

    def test_for_whom(self) -> None:
        """By the version, not by the package: S1."""
        group = self.installation.group("only-one", "okvpn/satis-api:^1.0")
        number = self.installation.user("half", TOKEN + "9", groups=(group,))
        self.addCleanup(lambda: self.installation.do(self.installation.users.remove(number)))
        self.noticed()

        def status(version: str, who: str) -> int:
            return fetch(f"{self.server.url}{self.path('okvpn/satis-api', version)}?username=half&apiToken={TOKEN}9").status if who == "half" else self.get(self.path("okvpn/satis-api", version), who).status

        self.assertEqual([200, 404, 404], [status(version, "half") for version in ("1.0.0", "2.0.0", "dev-main")])
        self.assertEqual(404, status("1.0.0", "user1"))
        anonymous = fetch(self.server.url + self.path("okvpn/satis-api", "1.0.0"))
        self.assertEqual(401, anonymous.status)

    def test_old_commits(self) -> None:
        """A commit that a branch was at stays for who saw it; one that was never a version is for those who see all."""
        name = "okvpn/cron-bundle"
        old = self.version(name, "dev-main")["source"]["reference"]
        between = self.git.commit(name, {"src/code.php": "<?php // between\n"})
        self.git.commit(name, {"src/code.php": "<?php // newest\n"})
        self.assertEqual("completed", self.installation.update(self.packages[name]).status)
        self.noticed()
        self.assertNotEqual(old, self.version(name, "dev-main")["source"]["reference"])
        self.assertEqual(200, self.get(f"/zipball/{name}/{old}.zip", "user1").status)
        self.assertEqual(200, self.get(f"/zipball/{name}/{between}.zip", "user2").status)
        self.assertEqual(404, self.get(f"/zipball/{name}/{'1' * 40}.zip", "user2").status)
        told = self.get(f"/zipball/{name}/{'2' * 40}.zip", "dev")
        self.assertEqual(404, told.status)
        self.assertNotEqual("Not Found", told.json()["message"])

    def test_removed_tag(self) -> None:
        """A tag that is gone is in no metadata any more, and its zip still there for a lock."""
        name = "okvpn/satis-api"
        self.git.commit(name, {"src/code.php": "<?php // oops\n"}, "9.9.9")
        self.installation.update(self.packages[name])
        self.noticed()
        path = self.path(name, "9.9.9")
        self.git.git(name, "tag", "-d", "9.9.9")
        self.installation.update(self.packages[name])
        self.noticed()
        self.assertNotIn("9.9.9", self.get(f"/p/{name}.json").json()["packages"][name])
        self.assertEqual(200, self.get(path, "user2").status)


class AccessTests(PackagesTestCase):
    """Metadata follows what may be seen; sub-repositories; notifications."""

    names = ("okvpn/cron-bundle", "okvpn/satis-api")

    def test_grants_change(self) -> None:
        """A customer who gets more, or less, never gets 304 for what it had."""
        group = self.installation.group("g", "okvpn/satis-api:^1.0")
        number = self.installation.user("carol", TOKEN + "7", groups=(group,))
        path = f"/p2/okvpn/satis-api.json?username=carol&apiToken={TOKEN}7"
        seen = []
        since: dict[str, str] = {}
        for lines in (("okvpn/satis-api:^1.0",), ("okvpn/satis-api",), ("okvpn/satis-api:^1.0",)):
            held = self.installation.do(self.installation.groups.get(group))
            self.installation.do(self.installation.groups.replace(held, evolve(held, lines=tuple(map(parse_line, lines)))))
            self.noticed()
            answer = fetch(self.server.url + path, headers=since)
            self.assertEqual(200, answer.status)
            seen.append(len(answer.json()["packages"]["okvpn/satis-api"]))
            since = {"If-Modified-Since": answer.headers["last-modified"]}
            self.assertEqual(304, fetch(self.server.url + path, headers=since).status)
        self.assertEqual([2, 3, 2], seen)
        self.installation.do(self.installation.users.change(number, {"groups": ()}))
        self.noticed()
        self.assertEqual(404, fetch(self.server.url + path, headers=since).status)

    def test_subrepository(self) -> None:
        """A public one by its slug: its packages, its addresses, its zips, for anybody."""
        self.installation.subrepo("team", "okvpn/satis-api", public=True)
        self.noticed()
        root = self.get("/team/packages.json", None)
        self.assertEqual((200, ["okvpn/satis-api"]), (root.status, root.json()["available-packages"]))
        self.assertEqual("/team/p2/%package%.json", root.json()["metadata-url"])
        self.assertEqual(404, self.get("/team/p2/okvpn/cron-bundle.json", None).status)
        document = self.get("/team/p2/okvpn/satis-api.json", None).json()
        url = document["packages"]["okvpn/satis-api"][0]["dist"]["url"]
        self.assertTrue(url.startswith(f"{self.server.url}/team/zipball/okvpn/satis-api/"), url)
        self.assertEqual(200, fetch(url).status)
        self.assertEqual(404, fetch(url.replace("satis-api", "cron-bundle")).status)
        self.assertEqual(401, self.get("/packages.json", None).status)

    def test_notifications(self) -> None:
        """What may be seen counts, ten times a day and address; what may not be seen is as if it were not there."""
        def post(user: str, *pairs: tuple[str, str]) -> Any:
            body = json.dumps({"downloads": [{"name": name, "version": version} for name, version in pairs]}).encode()
            answer = self.get("/downloads/", user, "POST", body, Content_Type="application/json")
            return answer.status, answer.json()["status"]

        for _ in range(12):
            self.assertEqual((201, "success"), post("user1", ("okvpn/cron-bundle", "1.0.0.0")))
        self.assertEqual((200, "partial"), post("user1", ("okvpn/satis-api", "1.0.0.0")))
        self.assertEqual((200, "partial"), post("user2", ("okvpn/unknown", "1.0.0.0")))
        self.assertEqual((200, "partial"), post("user2", ("okvpn/satis-api", "7.0.0.0")))
        self.assertEqual((200, "error"), (self.get("/downloads/", "user2", "POST", b"[]").status, "error"))
        one = self.get("/downloads/okvpn/satis-api", "user2", "POST", b"version_normalized=1.0.0.0")
        self.assertEqual(201, one.status)
        self.assertEqual(404, self.get("/downloads/okvpn/satis-api", "user1", "POST", b"version_normalized=1.0.0.0").status)
        from packeton.adapters.database.downloads import DownloadRecords

        counters = DownloadRecords(self.installation.users._database)
        totals = self.installation.do(counters.of_versions(self.packages["okvpn/cron-bundle"].id, time_today()))
        self.assertEqual((10, 10, 10), (totals["1.0.0.0"].total, totals["1.0.0.0"].monthly, totals["1.0.0.0"].daily))


def time_today() -> Any:
    """Return the day in UTC."""
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


class ComposerTests(PackagesTestCase):
    """The real Composer installs a private package by zip, with an API token in auth.json."""

    names = ("okvpn/cron-bundle",)

    def test_install(self) -> None:
        """Update, install from the lock with an empty cache, and a customer's view of versions."""
        reason = composer_missing()
        if reason is not None:
            raise SkipTest(reason)
        group = self.installation.group("old", "okvpn/cron-bundle:<2.0")
        self.installation.user("customer", TOKEN + "8", groups=(group,))
        self.noticed()
        for user, number, expected in (("user2", "3", "2.0.0"), ("customer", "8", "1.1.0")):
            composer = Composer(self.folder / user)
            composer.require(self.server.url, {"okvpn/cron-bundle": "*"})
            auth = {"http-basic": {self.server.url.removeprefix("http://"): {"username": user, "password": TOKEN + number}}}
            (composer.home / "auth.json").write_text(json.dumps(auth))
            run = composer.run("update", "--prefer-dist")
            self.assertEqual(0, run.status, run.output + self.server.log[-2000:])
            package, = composer.lock()["packages"]
            self.assertEqual((expected, "zip"), (package["version"], package["dist"]["type"]))
            self.assertTrue((composer.project / "vendor/okvpn/cron-bundle/src/code.php").is_file())
            composer.forget(lock=False)
            run = composer.run("install", "--prefer-dist")
            self.assertEqual(0, run.status, run.output)
            self.assertEqual(f"<?php // {expected}\n", (composer.project / "vendor/okvpn/cron-bundle/src/code.php").read_text())
        advisory = {"advisoryId": "ACME-2026-1", "affectedVersions": "<2.0", "title": "Leaks tokens"}
        path = "/api/packages/okvpn/cron-bundle/advisories"
        answers = [self.get(path, user, "POST", json.dumps(advisory).encode()) for user in ("user2", "admin")]
        self.assertEqual([403, 201], [answer.status for answer in answers])
        audit = composer.audit()
        self.assertEqual((1, "ACME-2026-1"), (audit.status, json.loads(audit.output)["advisories"]["okvpn/cron-bundle"][0]["advisoryId"]))
        self.assertEqual(204, self.get(f"{path}/ACME-2026-1", method="DELETE").status)
        self.assertEqual(0, composer.audit().status)

    def test_private_subrepository(self) -> None:
        """Composer gets its zip from below a private slug, with a token: the reference's issue 320."""
        reason = composer_missing()
        if reason is not None:
            raise SkipTest(reason)
        team = self.installation.subrepo("team", "okvpn/*")
        group = self.installation.group("team", "okvpn/*:^1.0")
        self.installation.user("member", TOKEN + "7", groups=(group,), subrepos=(team,))
        self.installation.user("stranger", TOKEN + "6", groups=(group,))
        self.noticed()
        host = self.server.url.removeprefix("http://")
        for user, number, granted in (("member", "7", True), ("stranger", "6", False)):
            composer = Composer(self.folder / f"slug-{user}")
            composer.require(f"{self.server.url}/team", {"okvpn/cron-bundle": "*"})
            auth = {"http-basic": {host: {"username": user, "password": TOKEN + number}}}
            (composer.home / "auth.json").write_text(json.dumps(auth))
            run = composer.run("update", "--prefer-dist")
            self.assertEqual(granted, run.status == 0, run.output)
            self.assertEqual(granted, "HTTP/1.1 404" not in run.output, run.output)
            if granted:
                lock = json.loads((composer.project / "composer.lock").read_text())
                package, = lock["packages"]
                self.assertEqual("1.1.0", package["version"])
                self.assertTrue(package["dist"]["url"].startswith(f"{self.server.url}/team/zipball/"), package["dist"])
                self.assertTrue((composer.project / "vendor/okvpn/cron-bundle/src/code.php").is_file())


class TypeTests(PackagesTestCase):
    """Packages of the other types, on real servers."""

    names = ("okvpn/cron-bundle",)

    @classmethod
    def settings(cls) -> dict[str, object]:
        cls.origin = Origin([UPSTREAM]).start()
        cls.addClassCleanup(cls.origin.stop)
        cls.artifacts = cls.folder / "artifacts"
        cls.artifacts.mkdir()
        mirror = {"url": cls.origin.url, "public_access": True}
        return {"mirrors": {"up": mirror}, "artifacts": {"allowed_paths": [str(cls.artifacts)]}, "archive": False}

    def made(self, name: str, url: str | None = None, *, status: str = "completed", **fields: Any) -> Any:
        made = self.installation.package(name, url, **fields)
        job = self.installation.update(made)
        self.assertEqual(status, job.status, f"{job.result} {self.server.log[-2000:]}")
        self.noticed()
        return job

    def archive(self, name: str, version: str) -> zipfile.ZipFile:
        dist = self.version(name, version)["dist"]
        answer = self.get(dist["url"].removeprefix(self.server.url))
        self.assertEqual(200, answer.status, answer.body)
        if "shasum" in dist:
            self.assertEqual(dist["shasum"], sha1(answer.body).hexdigest())
        return zipfile.ZipFile(io.BytesIO(answer.body))

    def test_switched_off(self) -> None:
        """Without `archive` a repository has no zips, and its metadata no dist."""
        version = self.version("okvpn/cron-bundle", "1.0.0")
        self.assertNotIn("dist", version)
        self.assertEqual(404, self.get(f"/zipball/okvpn/cron-bundle/{version['source']['reference']}.zip").status)
        self.assertNotIn("mirrors", self.get("/packages.json").json())

    def test_artifact(self) -> None:
        """Archives of a directory: served with their checksums, one broken one named."""
        for version in ("1.0.0", "1.1.0"):
            with zipfile.ZipFile(self.artifacts / f"a-{version}.zip", "w") as archive:
                archive.writestr("composer.json", json.dumps({"name": "acme/artifact", "version": version}))
                archive.writestr("x.php", version)
        (self.artifacts / "broken.zip").write_bytes(b"PK\x03\x04")
        job = self.made("acme/artifact", status="failed", repo_type=RepoType.ARTIFACT, settings={"repositoryPath": str(self.artifacts)})
        self.assertIn("broken.zip", job.result["message"])
        with self.archive("acme/artifact", "1.1.0") as archive:
            self.assertEqual(b"1.1.0", archive.read("x.php"))

    def test_virtual(self) -> None:
        """A zip with composer.json and nothing else, always the same."""
        entries = [{"version": "1.0.0", "definition": '{"require": {"okvpn/cron-bundle": "*"}}'}]
        self.made("acme/virtual", repo_type=RepoType.VIRTUAL, settings={"customVersions": entries})
        with self.archive("acme/virtual", "1.0.0") as archive:
            self.assertEqual(["composer.json"], archive.namelist())

    def test_adopted(self) -> None:
        """A package of a mirror becomes ours: no mirror serves it any more, and its metadata is ours."""
        self.assertEqual(200, self.get("/mirror/up/p2/acme/upstream.json", None).status)
        self.origin.advisories = {"acme/upstream": [HOLE], "acme/other": [HOLE]}
        self.made("acme/upstream", "mirror:up", repo_type=RepoType.PROXY)
        self.assertEqual("acme/upstream", self.version("acme/upstream", "1.0.0")["name"])
        known = self.get("/p2/acme/upstream.json").json()["security-advisories"]
        self.assertEqual([HOLE], [{key: one[key] for key in HOLE} for one in known])
        self.assertEqual(404, self.get("/mirror/up/p2/acme/upstream.json", None).status)

    def test_gone(self) -> None:
        """A repository that is not there: said as such."""
        job = self.made("acme/gone", self.git.url("acme/gone"), status="package_gone")
        self.assertIn("acme/gone", job.result["message"])


UPSTREAM = Package("acme/upstream", "1.0.0", make_zip("acme/upstream", "upstream", 3000))


HOLE = {"advisoryId": "PKSA-1", "affectedVersions": "<2", "title": "Leaks", "sources": [{"name": "GitHub", "remoteId": "GHSA-1"}], "reportedAt": "2026-01-01"}


class ProxyTests(PackagesTestCase):
    """Packages of foreign repositories, with zips of ours; mono-repos."""

    names = ()

    @classmethod
    def settings(cls) -> dict[str, object]:
        cls.origin = Origin([UPSTREAM]).start()
        cls.addClassCleanup(cls.origin.stop)
        return {"archive_options": {"prebuild_zipball": True, "include_archive_checksum": True}}

    def test_foreign_repository(self) -> None:
        """Its versions, and its zip, byte for byte, checked and kept; also after it has gone."""
        made = self.installation.package("acme/upstream", self.origin.url, repo_type=RepoType.PROXY)
        self.assertEqual("completed", self.installation.update(made).status)
        self.noticed()
        dist = self.version("acme/upstream", "1.0.0")["dist"]
        self.assertTrue(dist["url"].startswith(self.server.url))
        self.assertEqual(sha1(UPSTREAM.content).hexdigest(), dist["shasum"])
        fetched = self.origin.log.copy()
        self.assertEqual(UPSTREAM.content, self.get(dist["url"].removeprefix(self.server.url)).body)
        self.assertEqual(fetched, self.origin.log)
        asked = "/api/security-advisories/?packages[]=acme/upstream"
        for told, expected in (({}, {}), ({"acme/upstream": [HOLE]}, {"acme/upstream": ["PKSA-1"]}), (None, {"acme/upstream": ["PKSA-1"]}), ({}, {})):
            self.origin.advisories = told  # type: ignore[assignment]
            job = self.installation.update(made)
            self.assertEqual("completed", job.status, job.result)
            time.sleep(0.8)
            found = self.get(asked).json()["advisories"]
            self.assertEqual(expected, {name: [one["advisoryId"] for one in listed] for name, listed in found.items()})

    def test_mono_repo(self) -> None:
        """Children are found, have zips of their directory only, and no source."""
        name = "acme/mono"
        (self.git.folder / name).mkdir(parents=True)
        self.git.git(name, "init", "-q", "-b", "main")
        for tag in ("1.0.0", "1.0.1", None):
            files = {"composer.json": json.dumps({"name": name, "license": "MIT"}), "src/b/only.php": "<?php\n"}
            for child in ("a", "b"):
                files[f"src/{child}/composer.json"] = json.dumps({"name": f"acme/{child}", "license": "MIT"})
            files["src/a/code.php"] = f"<?php // {tag}\n"
            self.git.commit(name, files, tag)
        settings = {"glob": "src/*/composer.json", "skipNotModifyTag": True}
        made = self.installation.package(name, self.git.url(name), repo_type=RepoType.MONO_REPO, settings=settings)
        job = self.installation.update(made)
        self.assertEqual("completed", job.status, job.result)
        self.noticed()
        self.assertEqual({"1.0.0", "1.0.1", "dev-main"}, set(self.get("/p/acme/a.json").json()["packages"]["acme/a"]))
        self.assertEqual({"1.0.0", "dev-main"}, set(self.get("/p/acme/b.json").json()["packages"]["acme/b"]))
        version = self.version("acme/b", "1.0.0")
        self.assertNotIn("source", version)
        answer = self.get(version["dist"]["url"].removeprefix(self.server.url))
        self.assertEqual(version["dist"]["shasum"], sha1(answer.body).hexdigest())
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            self.assertEqual({"composer.json", "only.php"}, {name for name in archive.namelist() if not name.endswith("/")})
        self.assertIn("source", self.version(name, "1.0.0"))
