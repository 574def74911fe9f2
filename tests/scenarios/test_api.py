"""The API over HTTP, on a real server that reads real repositories."""

import json
import subprocess
import sys
import time
from hashlib import md5
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.scenarios.test_packages import PackagesTestCase
from tests.support.client import Answer
from tests.support.vcs import GitHttp, GitRepository, manifest


class ApiTestCase(PackagesTestCase):
    """Two packages, one of which user1 may see."""

    names = ("okvpn/cron-bundle", "okvpn/satis-api")

    def send(self, path: str, document: object, user: str | None = "dev", method: str = "POST") -> Answer:
        return self.get(path, user, method, json.dumps(document).encode(), Content_Type="application/json")

    def done(self, job: str) -> dict[str, Any]:
        """Return how a job ended."""
        for _ in range(300):
            found = self.get(f"/api/jobs/{job}", "dev").json()
            if found["status"] != "running":
                return dict(found)
            time.sleep(0.1)
        raise AssertionError("the job did not end")


class SubmitTests(ApiTestCase):
    """R1, R6, R26 and deleting."""

    def test_life(self) -> None:
        """Submitted, read, found by a hook, edited, read anew, deleted; only by who may."""
        self.git.make("acme/lib", ("1.0.0",), require={"okvpn/satis-api": "^1.0"})
        for user, status in ((None, 401), ("user1", 403), ("user2", 403)):
            self.assertEqual(status, self.send("/api/create-package", {"repository": "x"}, user).status)
        answer = self.send("/api/create-package", {"repository": {"url": self.git.url("acme/lib")}})
        self.assertEqual((202, "success", "acme/lib"), (answer.status, answer.json()["status"], answer.json()["name"]))
        self.assertEqual("completed", self.done(answer.json()["job"])["status"])
        taken = self.send("/api/create-package", {"repository": self.git.url("acme/lib")})
        self.assertEqual(406, taken.status)
        self.assertIn("already exists", taken.json()["message"]["repository"])

        document = self.get("/api/packages/acme/lib", "dev").json()["package"]
        self.assertEqual({"1.0.0", "dev-main"}, set(document["versions"]))
        self.assertEqual([{"name": "dev", "avatar_url": f"https://www.gravatar.com/avatar/{md5(b'dev@example.com').hexdigest()}?d=identicon"}], document["maintainers"])
        self.assertNotIn("uid", document["versions"]["1.0.0"])
        self.assertTrue(document["versions"]["1.0.0"]["dist"]["url"].startswith(self.server.url))

        self.git.commit("acme/lib", {"a.php": "<?php\n"}, "1.1.0")
        hook = self.send("/api/github", {"repository": {"url": self.git.url("acme/lib")}})
        self.assertEqual(202, hook.status, hook.body)
        self.done(hook.json()["jobs"][0])
        self.assertIn("1.1.0", self.get("/packages/acme/lib.json", "dev").json()["package"]["versions"])
        log = self.get("/api/packages/acme/lib/changelog?to=1.1.0", "dev")
        self.assertEqual({"from": "1.0.0", "to": "1.1.0", "package": "acme/lib"}, log.json()["metadata"])
        self.assertEqual(["work"], log.json()["result"])
        self.assertEqual(400, self.get("/packages/acme/lib/changelog", "dev").status)
        self.assertEqual({"error": "Access denied"}, self.get("/api/packages/acme/lib/changelog?to=1.1.0", "user2").json())

        path = "/api/packages/acme/lib"
        self.assertEqual((401, 404, 403), tuple(self.send(path, {}, user, "PUT").status for user in (None, "user1", "user2")))
        edited = self.send(path, {"visibleForAll": True}, method="PUT")
        self.assertEqual((200, "acme/lib"), (edited.status, edited.json()["name"]))
        self.done(edited.json()["job"])
        self.assertEqual(200, self.get(path, "user1").status)
        wrong = self.send(path, {"repository": "/etc", "glob": "x"}, method="PUT")
        self.assertEqual({"repository", "glob"}, set(wrong.json()["message"]))

        refresh = "/packages/acme/lib?update=1&autoUpdated=0"
        self.assertEqual((403, 404), (self.get(refresh, None, "PUT").status, self.get(refresh, "user1", "PUT").status))
        job = self.get(refresh, "dev", "PUT")
        self.assertEqual(202, job.status)
        self.assertEqual("completed", self.done(job.json()["job"])["status"])
        form = self.get("/packages/acme/lib", "dev", "PUT", b"updateAll=1", Content_Type="application/x-www-form-urlencoded")
        self.assertEqual("completed", self.done(form.json()["job"])["status"])
        self.assertEqual({"status": "success"}, self.get("/packages/acme/lib?autoUpdated=0", "dev", "PUT").json())
        self.assertFalse(self.installation.do(self.installation.packages.find("acme/lib")).auto_updated)

        dependents = self.get("/api/packages/okvpn/satis-api/dependents", "dev").json()
        self.assertEqual((1, "acme/lib"), (dependents["count"], dependents["packages"][0]["name"]))
        self.assertEqual({"id", "name", "description", "language", "abandoned", "replacementPackage"}, dependents["packages"][0].keys())
        self.assertEqual((403, 404), (self.get(path, "user2", "DELETE").status, self.get("/api/packages/acme/none", "dev", "DELETE").status))
        self.assertEqual(204, self.get(path, "dev", "DELETE").status)
        self.assertEqual((404, 404), (self.get(path, "admin").status, self.get("/p2/acme/lib.json", "admin").status))

    def test_github(self) -> None:
        """README and stars come from the API of what the credential calls GitHub, and from git when that fails."""
        repository = GitRepository.make(self.folder / "hub" / "acme" / "hub.git")
        repository.commit({"composer.json": manifest("acme/hub"), "README.md": "From git"})
        hub = GitHttp(self.folder / "hub").start()
        self.addCleanup(hub.stop)
        host, logins, down = hub.url.removeprefix("http://"), set(), False

        def api(handler: BaseHTTPRequestHandler, _: bytes) -> None:
            logins.add(handler.headers["Authorization"])
            if down:
                return GitHttp.send(handler, 502, b"")
            if handler.headers["If-None-Match"] == '"1"':
                return GitHttp.send(handler, 304, b"")
            content = b"<p>From the API</p>" if handler.path.endswith("/readme") else b'{"stargazers_count": 41}'
            return GitHttp.send(handler, 200, content, ("ETag", '"1"'))

        hub.answers = {f"/api/v3/repos/acme/hub{path}": api for path in ("", "/readme")}
        config = {"use-github-api": True, "github-domains": [host], "github-oauth": {host: "ghp_0123456789"}}
        credential = self.send("/api/credentials", {"name": "hub", "composerConfig": config}).json()
        answer = self.send("/api/create-package", {"repository": f"{hub.url}/acme/hub.git", "credentials": credential["id"]})
        self.assertEqual(202, answer.status, answer.body)
        self.assertEqual("completed", self.done(answer.json()["job"])["status"])
        self.assertEqual({"token ghp_0123456789"}, logins)
        for text in ("API", "git"):
            down = text == "git"
            job = self.send("/api/update-package/acme/hub", {}).json()["jobs"][0]
            self.assertEqual("completed", self.done(job)["status"])
            document = self.get("/api/packages/acme/hub", "dev").json()["package"]
            self.assertEqual((41, None, 41), (document["github_stars"], document["github_forks"], document["favers"]))
            held = self.installation.do(self.installation.packages.find("acme/hub"))
            assert held is not None
            self.assertEqual(f"<p>From {'the ' if text == 'API' else ''}{text}</p>", held.readme)
        self.get("/api/packages/acme/hub", "dev", "DELETE")

    def test_mono_repo(self) -> None:
        """Children are found, read-only, and go with their parent."""
        self.git.make("acme/mono", ())
        for name in ("one", "two"):
            self.git.commit("acme/mono", {f"packages/{name}/composer.json": json.dumps({"name": f"acme/{name}"})})
        fields = {"repoType": "mono-repo", "repository": self.git.url("acme/mono"), "glob": "packages/*/composer.json"}
        looked = self.send("/packages/fetch-monorepo-info", {**fields, "excludedGlob": "packages/two"})
        self.assertEqual({"status": "success", "files": ["packages/one/composer.json"]}, looked.json())
        answer = self.send("/api/create-package", fields)
        self.assertEqual(202, answer.status, answer.body)
        self.assertEqual("completed", self.done(answer.json()["job"])["status"])
        self.assertEqual(["acme/mono", "acme/one", "acme/two"], self.get("/api/packages?vendor=acme", "dev").json()["packageNames"])
        child = self.send("/api/packages/acme/one", {}, method="PUT")
        self.assertEqual((400, "Package is readonly"), (child.status, child.json()["message"]))
        self.assertEqual(204, self.get("/api/packages/acme/mono", "dev", "DELETE").status)
        self.assertEqual([], self.get("/api/packages?vendor=acme", "dev").json()["packageNames"])

    def test_marks(self) -> None:
        """Abandoned with a replacement, archived, in use again; shown and hidden at once, and only by who may."""
        entry = {"version": "1.0.0", "definition": "{}"}
        made = self.send("/api/create-package", {"repoType": "virtual", "name": "acme/marked", "customVersions": [entry]})
        self.done(made.json()["job"])
        path, metadata = "/api/packages/acme/marked/settings", "/p2/acme/marked.json"
        self.assertEqual([404, 401], [self.send(path, {}, user).status for user in ("user1", None)])
        self.assertEqual(403, self.send(path, {"archived": True}, "user2").status)
        for document in ({"abandoned": 1}, {"odd": True}, {"abandoned": "no name"}, {"archived": "x"}):
            self.assertEqual(406, self.send(path, document).status, document)
        marked = self.send(path, {"abandoned": "https://packagist.org/packages/new/one"}).json()
        self.assertEqual(("new/one", False), (marked["abandoned"], marked["archived"]))
        self.assertEqual("new/one", self.get(metadata).json()["packages"]["acme/marked"][0]["abandoned"])
        self.assertTrue(self.send(path, {"archived": True, "disabledUpdate": True}).json()["disabledUpdate"])
        self.assertEqual(404, self.get(metadata).status)
        done = subprocess.run(
            [sys.executable, "-m", "packeton", "package", "mark", "acme/marked", "--not-archived", "--not-abandoned", "--data", str(self.server.data)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual("acme/marked is in use\n", done.stdout, done.stderr)
        time.sleep(1.2)
        self.assertNotIn("abandoned", self.get(metadata).json()["packages"]["acme/marked"][0])
        self.assertEqual(406, self.send(path, {"requirePatches": {"^1": {"php": "^^"}}}).status)
        patches = {"^1.0": {"php": ">=8.2", "acme/x": "unset"}}
        self.assertEqual(patches, self.send(path, {"requirePatches": patches}).json()["requirePatches"])
        for _ in range(50):
            version = self.get(metadata).json()["packages"]["acme/marked"][0]
            if version.get("require") == {"php": ">=8.2"}:
                break
            time.sleep(0.2)
        self.assertEqual({"php": ">=8.2"}, version.get("require"))
        self.get("/api/packages/acme/marked", "dev", "DELETE")

    def test_prechecks(self) -> None:
        """What a form asks before it is sent: the name and names like it, or reasons; for maintainers; nothing is stored."""
        self.git.make("acme/satis-api", ())
        fields = {"repository": self.git.url("acme/satis-api")}
        found = self.send("/packages/fetch-info/vcs", fields)
        similar = [{"name": "okvpn/satis-api", "url": f"{self.server.url}/packages/okvpn/satis-api"}]
        self.assertEqual({"status": "success", "name": "acme/satis-api", "similar": similar, "details": []}, found.json())
        self.assertEqual(404, self.get("/api/packages/acme/satis-api").status)
        for kind, wrong, reason in (
            ("vcs", {"repository": self.git.url("acme/none")}, "repository: "),
            ("vcs", {"repository": self.git.url("okvpn/satis-api")}, "already exists"),
            ("odd", fields, "repoType: "),
        ):  # fmt: skip
            refused = self.send(f"/packages/fetch-info/{kind}", wrong)
            self.assertEqual((200, "error"), (refused.status, refused.json()["status"]))
            self.assertIn(reason, refused.json()["reason"][0])
        self.assertEqual([403, 401], [self.send("/packages/fetch-info/vcs", fields, user).status for user in ("user2", None)])

    def test_definitions(self) -> None:
        """Virtual packages need a definition only."""
        entry = {"version": "1.0.0", "definition": json.dumps({"require": {"php": ">=8.1"}})}
        answer = self.send("/api/create-package", {"repoType": "virtual", "name": "acme/virtual", "customVersions": [entry]})
        self.assertEqual(202, answer.status, answer.body)
        self.assertEqual("completed", self.done(answer.json()["job"])["status"])
        versions = self.get("/api/packages/acme/virtual", "dev").json()["package"]["versions"]
        self.assertEqual({"php": ">=8.1"}, versions["1.0.0"]["require"])
        self.assertEqual(204, self.get("/api/packages/acme/virtual", "dev", "DELETE").status)

    def test_refused(self) -> None:
        """By field what is wrong, in words of use; nothing is stored."""
        table = (
            ({}, "repository", "is needed"),
            ({"repository": "https://user:secret@git.example.com/a/b.git"}, "repository", "credentials"),
            ({"repository": "/srv/git/a"}, "repository", "local_paths"),
            ({"repository": self.git.url("acme/none")}, "repository", ""),
            ({"repository": self.git.url("acme/x"), "credentials": 99}, "credentials", "no such credential"),
            ({"repoType": "custom", "name": "Acme/Big", "customVersions": []}, "customVersions", "is needed"),
            ({"repoType": "virtual", "name": "Acme/Big", "customVersions": [{"version": "1"}]}, "name", "acme/big"),
            ({"repoType": "custom", "name": "acme/c", "customVersions": [{"version": "1.0"}]}, "customVersions", "needs a dist"),
            ({"repoType": "virtual", "name": "acme/c", "customVersions": [{"version": "x y", "definition": "{}"}]}, "customVersions", ""),
            ({"repoType": "proxy", "name": "acme/p", "repository": "ftp://x"}, "repository", "http"),
            ({"repoType": "mono-repo", "repository": "https://git.example.com/a/b"}, "glob", "is needed"),
            ({"repoType": "nonsense"}, "repoType", "must be one of"),
            ({"repoType": "artifact", "archives": [77]}, "archives", "no upload 77"),
        )
        for fields, field, words in table:
            with self.subTest(fields=fields):
                answer = self.send("/api/create-package", fields)
                self.assertEqual((406, "error"), (answer.status, answer.json()["status"]), answer.body)
                self.assertIn(words, answer.json()["message"][field])
                self.assertNotIn("secret", answer.body.decode())
        for body in (b"[]", b"{", b"", b"\xff", b"[" * 100_000, b'{"repository": "\\ud800"}'):
            answer = self.get("/api/create-package", "dev", "POST", body)
            self.assertEqual((406, str), (answer.status, type(answer.json()["message"])))
        self.assertEqual(413, self.get("/api/create-package", "dev", "POST", b" " * (3 << 20)).status)


class ViewTests(ApiTestCase):
    """R7 and R8, as customers see them."""

    def test_lists(self) -> None:
        """Names, filters, fields; not for customers."""
        self.assertEqual(list(self.names), self.get("/api/packages", "user2").json()["packageNames"])
        self.assertEqual([], self.get("/packages/list.json?type=project", "dev").json()["packageNames"])
        self.assertEqual(list(self.names), self.get("/packages/list.json?vendor=okvpn&type=library", "dev").json()["packageNames"])
        found = self.get("/api/packages?fields[]=repository&fields[]=type&fields[]=nonsense", "dev").json()["packages"]
        self.assertEqual({"repository": self.git.url(self.names[0]), "type": "library", "nonsense": None}, found[self.names[0]])
        found = self.get("/api/packages?fields[]=versions", "dev").json()["packages"]
        self.assertIn("1.0.0", found[self.names[1]]["versions"])
        self.assertEqual((403, 401), (self.get("/api/packages", "user1").status, self.get("/api/packages", None).status))

    def test_versions_by_grant(self) -> None:
        """A customer sees the versions that it was granted and nothing of other packages; no cache keeps it."""
        number = self.installation.group("half", "okvpn/satis-api:^1.0")
        self.installation.user("half", "half-token-of-some-length", groups=(number,))
        self.noticed()
        half = "?username=half&apiToken=half-token-of-some-length"
        answer = self.get("/packages/okvpn/satis-api.json" + half, None)
        self.assertEqual({"1.0.0", "1.1.0"}, set(answer.json()["package"]["versions"]))
        self.assertEqual([], answer.json()["package"]["groups"])
        self.assertEqual("private, no-store", answer.headers["cache-control"])
        hidden, unknown = self.get("/packages/okvpn/cron-bundle.json" + half, None), self.get("/packages/no/such.json" + half, None)
        self.assertEqual((404, 404, unknown.body), (hidden.status, unknown.status, hidden.body))
        self.assertEqual(["half"], [group["name"] for group in self.get("/packages/okvpn/satis-api.json").json()["package"]["groups"]])
