"""git over http and local paths: what a crawl delivers, and what it says when it cannot."""

import os
import subprocess
from datetime import UTC, datetime, timedelta

from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from packeton.adapters.vcs.values import VcsBounds
from packeton.config.settings import Secret
from packeton.errors import Invalid, NotFound, VcsFailed, VcsReason
from packeton.interfaces.vcs import CrawlPlan, ICheckouts, VcsAccess, VcsKind
from tests.adapters.vcs.scripted import CheckoutsTestCase
from tests.support.vcs import GitHttp, manifest


class CrawlTests(CheckoutsTestCase):
    """Refs become versions as Composer makes them."""

    async def test_versions(self) -> None:
        """Tags, branches, the default branch; each with commit, time and source."""
        repository = self.repository()
        first = repository.commit({"composer.json": manifest(), "README.md": "# Lib", "composer.lock": "{}"})
        repository.tag("v1.0.0")
        repository.tag("1.1.0-beta1", annotated=True)
        repository.commit({"composer.json": manifest(description="second")}, branch="2.x", parents=[first])
        repository.commit({"composer.json": manifest(type="metapackage")}, branch="feature/x", parents=[first])
        url = f"{self.serve().url}/lib.git"
        crawl, readings = await self.crawl(url)
        versions = {reading.ref.key: reading.readings[0].version or {} for reading in readings}
        self.assertEqual(
            {
                "tag:v1.0.0": ("v1.0.0", "1.0.0.0"), "tag:1.1.0-beta1": ("1.1.0-beta1", "1.1.0.0-beta1"),
                "branch:main": ("dev-main", "dev-main"), "branch:2.x": ("2.x-dev", "2.9999999.9999999.9999999-dev"),
                "branch:feature/x": ("dev-feature/x", "dev-feature/x"),
            },
            {key: (version["version"], version["version_normalized"]) for key, version in versions.items()},
        )  # fmt: skip
        self.assertEqual(["tag", "tag", "branch", "branch", "branch"], [str(reading.ref.kind) for reading in readings])
        self.assertEqual({"type": "git", "url": url, "reference": first}, versions["tag:v1.0.0"]["source"])
        self.assertEqual("2023-11-14T22:14:20+00:00", versions["tag:v1.0.0"]["time"])
        self.assertEqual([True], [v["default-branch"] for v in versions.values() if "default-branch" in v])
        self.assertEqual(datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC), readings[0].ref.time)
        self.assertEqual(("main", first, VcsKind.GIT), (crawl.default_branch, crawl.default_commit, crawl.kind))
        self.assertEqual(("README.md", b"# Lib", b"{}"), (crawl.readmes[""].path, crawl.readmes[""].content, crawl.lock))
        self.assertEqual(manifest().encode(), crawl.manifest)
        self.assertEqual({"": "acme/lib"}, crawl.names)
        self.assertEqual({key: version["source"]["reference"] for key, version in versions.items()}, crawl.refs)

    async def test_one_broken_ref(self) -> None:
        """What cannot be a version says so, with its ref; the others are there."""
        repository = self.repository()
        repository.commit({"composer.json": "{ broken"})
        repository.tag("1.0.0")
        repository.commit({"composer.json": manifest(version="9.9.9")})
        repository.tag("1.1.0")
        repository.commit({"composer.json": None, "x": "y"})
        repository.tag("1.2.0")
        repository.commit({"composer.json": "{\n}\n"})
        repository.tag("1.2.1")
        repository.commit({"composer.json": manifest("acme/old-name")})
        repository.tag("1.3.0")
        repository.tag("v1.3.0")
        repository.tag("nightly-build")
        repository.git("tag", "tree", repository.git("rev-parse", "main^{tree}").strip())
        repository.git("tag", "-a", "-m", "nested", "1.4.0", "1.3.0")
        repository.git("tag", "-a", "-m", "nested", "1.4.1", "1.4.0")
        repository.commit({"composer.json": manifest()})
        repository.commit({"composer.json": manifest(require={"acme/b": "^^1"})}, branch="bad")
        told = await self.versions(f"{self.serve().url}/lib.git")
        self.assertIn("JSON", told.pop("tag:1.0.0"))
        self.assertIn("require", told.pop("branch:bad"))
        self.assertEqual(
            {
                "tag:1.1.0": "Skipped tag 1.1.0, tag (1.1.0.0) does not match version (9.9.9.0) in composer.json",
                "tag:1.2.0": "Skipped tag 1.2.0, no composer file",
                "tag:1.2.1": "Skipped tag 1.2.1, no composer file",
                "tag:1.3.0": "1.3.0", "tag:1.4.0": "1.4.0", "tag:1.4.1": "1.4.1", "branch:main": "dev-main",
                "tag:v1.3.0": "Skipped tag v1.3.0, it conflicts with another tag (1.3.0) as both resolve to 1.3.0.0 internally",
                "tag:nightly-build": "Skipped tag nightly-build, invalid tag name",
                "tag:tree": "Skipped tag tree, it leads to no commit",
            },
            told,
        )  # fmt: skip

    async def test_link(self) -> None:
        """A composer.json that is a symbolic link is not followed, and not said to be absent."""
        repository = self.repository()
        files = {"lib/composer.json": manifest(), "composer.json": ("link", "lib/composer.json")}
        repository.commit(files)
        repository.tag("1.0.0")
        url, why = f"{self.serve().url}/lib.git", "composer.json is a symbolic link"
        told = await self.versions(url)
        for kind, name in (("tag", "1.0.0"), ("branch", "main")):
            self.assertIn(f"Skipped {kind} {name}, {why}", told[f"{kind}:{name}"])
        with self.assertRaisesRegex(Invalid, why):
            await self.checkouts.default_manifest(VcsAccess(url=url), "", self.log.append)
        self.assertIsNotNone((await self.checkouts.default_manifest(VcsAccess(url=url), "lib", self.log.append)).content)
        repository.commit({"composer.json": ("submodule", "1" * 40)})
        self.assertEqual("Skipped branch main, no composer file", (await self.versions(url))["branch:main"])

    async def test_renamed(self) -> None:
        """All versions have the name of the default branch, or the one that was asked for."""
        repository = self.repository()
        repository.commit({"composer.json": manifest("acme/before")})
        repository.tag("1.0.0")
        repository.commit({"composer.json": manifest("acme/after")})
        url = f"{self.serve().url}/lib.git"
        for plan, name in (({}, "acme/after"), ({"name": "acme/kept"}, "acme/kept")):
            _, readings = await self.crawl(url, **plan)
            self.assertEqual({name}, {(reading.readings[0].version or {})["name"] for reading in readings})

    async def test_again(self) -> None:
        """Known commits are not read again; what changed, vanished or appeared is told."""
        repository, server = self.repository(), self.serve()
        repository.commit({"composer.json": manifest()})
        repository.tag("1.0.0")
        repository.tag("1.0.1", annotated=True)
        url = f"{server.url}/lib.git"
        crawl, _ = await self.crawl(url)
        known = {"known": crawl.refs, "known_default": "main"}
        self.assertEqual(dict.fromkeys(crawl.refs, "unchanged"), await self.versions(url, **known))
        posts = [request for request in server.requests if request[0] == "POST"]
        self.assertLessEqual(len(posts), 3)  # ls-refs twice, one fetch
        repository.git("tag", "-d", "1.0.0")
        repository.commit({"composer.json": manifest(description="rewritten")}, parents=[])
        repository.tag("2.0.0")
        repository.git("gc", "--prune=now", "--quiet")
        told = await self.versions(url, **known)
        self.assertEqual({"tag:1.0.1": "unchanged", "tag:2.0.0": "2.0.0", "branch:main": "dev-main"}, told)
        self.assertIn("Fetched 3 tags and branches; 1 have vanished", self.log)

    async def test_default_branch_moved(self) -> None:
        """Another default branch: both are read again, though neither has a new commit."""
        repository = self.repository()
        repository.commit({"composer.json": manifest()})
        repository.git("branch", "next", "main")
        url = f"{self.serve().url}/lib.git"
        crawl, _ = await self.crawl(url)
        repository.git("symbolic-ref", "HEAD", "refs/heads/next")
        _, readings = await self.crawl(url, known=crawl.refs, known_default="main")
        self.assertEqual([("next", True, False), ("main", False, False)], [(r.ref.name, r.ref.default, r.unchanged) for r in readings])

    async def test_names_that_are_no_text(self) -> None:
        """Refs and paths in other encodings neither break a crawl nor an archive."""
        repository = self.repository()
        sha = repository.commit({"composer.json": manifest(), b"caf\xe9.txt": "x", "é.txt": "y"})
        with (repository.path / "packed-refs").open("ab") as refs:
            refs.write(f"{sha} refs/tags/1.0-caf".encode() + b"\xe9\n")
        url = f"{self.serve().url}/lib.git"
        told = await self.versions(url)
        self.assertIn("its name is not UTF-8", "".join(told.values()))
        self.assertEqual("dev-main", told["branch:main"])
        built, _ = await self.archive(url, sha)
        self.assertEqual(3, built.entries)

    async def test_batches(self) -> None:
        """Many refs come in bounded batches."""
        repository = self.repository()
        sha = repository.commit({"composer.json": manifest()})
        lines = "".join(f"create refs/tags/1.0.{number} {sha}\n" for number in range(450))
        repository.git("update-ref", "--stdin", text=lines.encode())
        crawl, readings = await self.crawl(f"{self.serve().url}/lib.git")
        self.assertEqual((451, 451, [25] * 18 + [1]), (len(crawl.refs), len(readings), self.batches))

    async def test_monorepo(self) -> None:
        """Globs find directories on the default branch; each ref has those that it has."""
        repository = self.repository()
        repository.commit({"composer.json": manifest("acme/all"), "src/A/composer.json": manifest("acme/a"), "src/A/README.md": "A"})
        repository.tag("1.0.0")
        repository.commit({"src/B/composer.json": manifest("acme/b"), "src/B/deep/composer.json": manifest("acme/deep"), "src/C/composer.json": manifest("acme/c")})
        repository.tag("1.1.0")
        plan = {"globs": ("src/*/composer.json",), "excluded": ("src/C",), "with_source": False}
        crawl, readings = await self.crawl(f"{self.serve().url}/lib.git", **plan)
        self.assertEqual(("", "src/A", "src/B"), crawl.directories)
        self.assertEqual({"": "acme/all", "src/A": "acme/a", "src/B": "acme/b"}, crawl.names)
        self.assertEqual({"src/A": "src/A/README.md"}, {key: readme.path for key, readme in crawl.readmes.items()})
        found = {reading.ref.key: {one.directory: (one.version or {})["name"] for one in reading.readings} for reading in readings}
        self.assertEqual({"": "acme/all", "src/A": "acme/a"}, found["tag:1.0.0"])
        self.assertEqual({"": "acme/all", "src/A": "acme/a", "src/B": "acme/b"}, found["tag:1.1.0"])
        trees = {reading.ref.key: {one.directory: one.tree for one in reading.readings} for reading in readings}
        self.assertEqual(trees["tag:1.0.0"]["src/A"], trees["tag:1.1.0"]["src/A"])
        self.assertNotEqual(trees["tag:1.0.0"][""], trees["tag:1.1.0"][""])
        self.assertNotIn("source", (readings[0].readings[0].version or {}))

    async def test_raw_and_fixed(self) -> None:
        """composer.json as it is; or one for all refs, as for assets."""
        repository = self.repository()
        repository.commit({"package.json": "{}"})
        repository.tag("1.0.0")
        url = f"{self.serve().url}/lib.git"
        told = await self.versions(url, manifest=manifest("acme/asset").encode())
        self.assertEqual({"tag:1.0.0": "1.0.0", "branch:main": "dev-main"}, told)
        repository.commit({"composer.json": "{anything"})
        _, readings = await self.crawl(url, render=False)
        self.assertEqual([None, b"{anything"], [reading.readings[0].manifest for reading in readings])

    async def test_local(self) -> None:
        """A path below the allowed directories; links do not lead out of them."""
        repository = self.repository()
        repository.commit({"composer.json": manifest()})
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(str(repository.path)))
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(repository.path.as_uri()))
        outside = self.folder / "outside.git"
        repository.path.rename(outside)
        repository.path.symlink_to(outside)
        for url in (str(repository.path), str(outside), f"{self.folder}/local/../outside.git"):
            await self.assertFailure(Deferred.fromCoroutine(self.crawl(url)), Invalid)

    async def test_without_git(self) -> None:
        """Without the git program dulwich does all of it."""
        self.pool._environment["PATH"] = "/nonexistent"
        repository, server = self.repository(), self.serve()
        repository.commit({"composer.json": manifest()})
        repository.tag("1.0.0", annotated=True)
        url = f"{server.url}/lib.git"
        self.assertEqual({"tag:1.0.0": "1.0.0", "branch:main": "dev-main"}, await self.versions(url))
        repository.commit({"composer.json": manifest(description="more")})
        repository.tag("1.1.0")
        self.assertEqual("1.1.0", (await self.versions(url))["tag:1.1.0"])


class TroubleTests(CheckoutsTestCase):
    """Each trouble has its reason, and a message that helps."""

    async def test_login(self) -> None:
        """None given, a wrong one, the right ones; what the server refuses is not shown to somebody else."""
        repository = self.repository()
        sha = repository.commit({"composer.json": manifest()})
        server = self.serve(logins=[GitHttp.basic("bob", "pa:ss"), GitHttp.basic("zoë", "zł"), "Bearer t0ken"])
        url = f"{server.url}/lib.git"
        failure = await self.failure(url)
        self.assertEqual((VcsReason.LOGIN, f"{url}: the server wants a login; add credentials"), (failure.reason, str(failure)))
        wrong = VcsAccess(url=url, username="bob", password=Secret("wr0ng"))
        failure = await self.failure(wrong)
        self.assertEqual(f"{url}: the server did not accept the login", str(failure))
        right = VcsAccess(url=url, username="bob", password=Secret("pa:ss"))
        abroad = VcsAccess(url=url, username="zoë", password=Secret("zł"))
        for access in (right, abroad, VcsAccess(url=url, bearer=Secret("t0ken"))):
            self.assertEqual({"branch:main": "dev-main"}, await self.versions(access))
        for access in (wrong, VcsAccess(url=url)):
            refused = Deferred.fromCoroutine(self.archive(access, sha))
            self.assertIs(VcsReason.LOGIN, (await self.assertFailure(refused, VcsFailed)).reason)
            await self.assertFailure(Deferred.fromCoroutine(self.checkouts.changelog(access, "main", "main")), NotFound)
        await self.archive(right, sha)
        self.assertNotIn("pa:ss", repr(right) + "".join(self.log))

    async def test_redirected(self) -> None:
        """A redirect to another server does not take the login along."""
        self.repository().commit({"composer.json": manifest()})
        other = self.serve()

        def answer(handler: object, body: bytes) -> None:
            target = f"{other.url}/lib.git/info/refs?service=git-upload-pack"
            GitHttp.send(handler, 302, b"", ("Location", target))  # type: ignore[arg-type]

        first = self.serve(logins=["Bearer t0ken"])
        first.answers["/lib.git/info/refs"] = answer
        other.logins = []
        failure = await self.failure(VcsAccess(url=f"{first.url}/lib.git", bearer=Secret("t0ken")))
        self.assertIs(VcsReason.LOGIN, failure.reason)

    async def test_gone_empty_no_repository(self) -> None:
        """Vanished, without a commit, a web page, nobody there, an unknown name."""
        self.repository("empty.git")
        server = self.serve()
        server.answers["/page.git/info/refs"] = lambda handler, _: GitHttp.send(handler, 200, b"<html>", ("Content-Type", "text/html"))
        server.answers["/page/info/refs"] = server.answers["/page.git/info/refs"]
        server.answers["/page"] = server.answers["/page/"] = server.answers["/page.git/info/refs"]
        server.answers["/broken.git/info/refs"] = lambda handler, _: GitHttp.send(handler, 500, b"oops")
        for path, reason in (
            ("gone.git", VcsReason.GONE), ("nothing", VcsReason.GONE), ("empty.git", VcsReason.EMPTY),
            ("page.git", VcsReason.NOT_A_REPOSITORY), ("page", VcsReason.NOT_A_REPOSITORY), ("broken.git", VcsReason.UNREACHABLE),
        ):  # fmt: skip
            failure = await self.failure(f"{server.url}/{path}")
            self.assertEqual((path, reason), (path, failure.reason))
            self.assertTrue(str(failure).startswith(f"{server.url}/{path}: "), str(failure))
        for url in ("http://127.0.0.1:9/x.git", "https://no-such-host.invalid/x.git", "git://127.0.0.1:9/x"):
            self.assertIs(VcsReason.UNREACHABLE, (await self.failure(url)).reason)
        self.assertFalse(list(self.data.glob("git/*/*.new-*")))

    async def test_vanished_later(self) -> None:
        """A repository that goes away, or becomes empty, does not take the copy along."""
        repository, server = self.repository(), self.serve()
        sha = repository.commit({"composer.json": manifest()})
        url = f"{server.url}/lib.git"
        await self.crawl(url)
        repository.git("update-ref", "-d", "refs/heads/main")
        self.assertIs(VcsReason.EMPTY, (await self.failure(url)).reason)
        repository.path.rename(self.folder / "elsewhere.git")
        self.assertIs(VcsReason.GONE, (await self.failure(url)).reason)
        built, _ = await self.archive(url, sha)
        self.assertEqual(1, built.entries)

    async def test_too_large(self) -> None:
        """Bounds on refs and on what a fetch brings."""
        repository = self.repository()
        repository.commit({"composer.json": manifest(), "big": os.urandom(300_000)})
        repository.tag("1.0.0")
        repository.tag("1.0.1")
        url = f"{self.serve().url}/lib.git"
        for bounds in (VcsBounds(max_refs=1), VcsBounds(max_pack_bytes=100_000)):
            self.checkouts = self.make(bounds=bounds)
            self.assertIs(VcsReason.TOO_LARGE, (await self.failure(url)).reason)
        self.assertFalse([path for path in self.data.glob("git/*/*") if path.is_dir()])

    async def test_damaged_copy(self) -> None:
        """A copy that lacks objects is made anew; one left half-way by a killed child is tidied up."""
        repository, server = self.repository(), self.serve()
        repository.commit({"composer.json": manifest()})
        url = f"{server.url}/lib.git"
        await self.crawl(url)
        (mirror,) = (path for path in self.data.glob("git/*/*") if path.is_dir())
        for pack in mirror.glob("objects/pack/*"):
            pack.unlink()
        (mirror / "objects/pack/tmp_pack_x").write_text("half")
        (mirror / "objects/pack/pack-1.pack").write_text("half")
        (mirror.with_name(f"{mirror.name}.new-1")).mkdir()
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(url))
        self.assertEqual([], [str(path) for path in mirror.parent.rglob("*") if "tmp_" in path.name or ".new-" in path.name])

    async def test_lost_object(self) -> None:
        """Tips are there, what is behind them is not: told, and made anew."""
        repository, server = self.repository(), self.serve()
        repository.commit({"composer.json": manifest()})
        url = f"{server.url}/lib.git"
        await self.crawl(url)
        (mirror,) = (path for path in self.data.glob("git/*/*") if path.is_dir())
        (pack,) = mirror.glob("objects/pack/*.pack")
        content = pack.read_bytes()
        for old in mirror.glob("objects/pack/*"):
            old.unlink()
        environment = {**os.environ, "GIT_DIR": str(mirror)}
        subprocess.run(["git", "unpack-objects", "-q"], input=content, env=environment, check=True, capture_output=True)
        blob = repository.git("rev-parse", "main:composer.json").strip()
        (mirror / "objects" / blob[:2] / blob[2:]).unlink()
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(url))
        self.assertTrue([line for line in self.log if "made anew" in line], self.log)

    async def test_killed_half_way(self) -> None:
        """A child that is killed while it clones leaves nothing that disturbs the next one."""
        repository, server = self.repository(), self.serve()
        repository.commit({"composer.json": manifest()})
        url = f"{server.url}/lib.git"
        running: list[object] = []

        def hang(handler: object, body: bytes) -> None:
            running.append(handler)
            while not running.count("go on"):
                pass_time()

        def pass_time() -> None:
            import time

            time.sleep(0.02)

        server.answers["/lib.git/git-upload-pack"] = hang
        crawl = Deferred.fromCoroutine(self.crawl(url))
        await self.until(lambda: running)
        (pid,) = self.pool.pids
        os.kill(pid, 9)
        failure = await self.assertFailure(crawl, VcsFailed)
        self.assertIn("the child process ended", str(failure))
        running.append("go on")
        del server.answers["/lib.git/git-upload-pack"]
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(url))

    async def test_timeout(self) -> None:
        """A server that goes silent ends in time, with the reason that trying later may help."""
        server = self.serve()
        over: list[int] = []

        def hang(handler: object, body: bytes) -> None:
            import time

            while not over:
                time.sleep(0.02)

        server.answers["/lib.git/info/refs"] = hang
        self.checkouts = self.make(within=timedelta(seconds=1.5))
        failure = await self.failure(f"{server.url}/lib.git")
        over.append(1)
        self.assertEqual((VcsReason.UNREACHABLE, True), (failure.reason, "longer than 1.5 seconds" in str(failure)))

    async def test_two_at_once(self) -> None:
        """Two crawls of one address, in one process and in two, do not disturb each other."""
        repository, server = self.repository(), self.serve()
        for number in range(20):
            repository.commit({"composer.json": manifest(), f"file{number}": "x" * number})
            repository.tag(f"1.0.{number}")
        url = f"{server.url}/lib.git"
        results = await gatherResults([Deferred.fromCoroutine(self.versions(url)) for _ in range(3)])
        self.assertEqual([21] * 3, [len(told) for told in results])
        await self.checkouts.forget(VcsAccess(url=url))
        self.assertFalse(list(self.data.glob("git/*/*")))
        other, same = self.make(), self.make()

        async def count(checkouts: object) -> int:
            found: list[object] = []

            async def take(batch: object) -> None:
                found.extend(batch)  # type: ignore[arg-type]

            await checkouts.crawl(VcsAccess(url=url), CrawlPlan(), take, self.log.append)  # type: ignore[attr-defined]
            return len(found)

        both = await gatherResults([Deferred.fromCoroutine(count(checkouts)) for checkouts in (other, same)])
        self.assertEqual([21, 21], both)


class ReadingTests(CheckoutsTestCase):
    """The smaller questions."""

    async def test_tidy(self) -> None:
        """Copies that nobody used go, with what killed children left; the others stay."""
        self.assertTrue(verifyObject(ICheckouts, self.checkouts))
        server = self.serve()
        for name in ("old.git", "new.git"):
            self.repository(name).commit({"composer.json": manifest()})
            await self.crawl(f"{server.url}/{name}")
        folders = {path for path in self.data.glob("git/*/*") if path.is_dir()}
        old = min(folders)
        leftover = old.with_name(f"{old.name}.new-7")
        leftover.mkdir()
        for path in (old, leftover):
            os.utime(path, (0, 0))
        self.assertEqual(2, await self.checkouts.tidy(timedelta(days=1)))
        self.assertEqual(folders - {old}, {path for path in self.data.glob("git/*/*") if path.is_dir()})
        self.assertEqual(0, await self.checkouts.tidy(timedelta(days=1)))

    async def test_default_manifest_and_files(self) -> None:
        """composer.json of the default branch; the files; a change-log between two versions."""
        repository, server = self.repository(), self.serve()
        repository.commit({"composer.json": manifest(), "src/A/composer.json": manifest("acme/a")}, message="- First thing")
        repository.tag("1.0.0")
        repository.commit({"x": "1"}, message="Second thing\n\nWith details")
        side = repository.commit({"y": "1"}, branch="side", parents=[repository.git("rev-parse", "main").strip()], message="On the side")
        main = repository.commit({"z": "1"}, message="Second thing")
        repository.commit({"y": "1"}, parents=[main, side], message="Merge side")
        repository.tag("1.1.0", annotated=True)
        access = VcsAccess(url=f"{server.url}/lib.git")
        found = await self.checkouts.default_manifest(access, "", self.log.append)
        self.assertEqual(("main", manifest().encode()), (found.branch, found.content))
        nothing = await self.checkouts.default_manifest(access, "src/B", self.log.append)
        self.assertIsNone(nothing.content)
        before = len(server.requests)
        files = await self.checkouts.list_files(access, self.log.append)
        self.assertEqual(["composer.json", "src/A/composer.json", "x", "y", "z"], files)
        subjects = await self.checkouts.changelog(access, "1.0.0", "1.1.0")
        self.assertEqual(["On the side", "Second thing"], sorted(subjects))
        self.assertEqual([], list(await self.checkouts.changelog(access, "side", "side")))
        await self.assertFailure(Deferred.fromCoroutine(self.checkouts.changelog(access, "0.1", "1.1.0")), NotFound)
        self.assertEqual(before, len(server.requests))
