"""Packages that others publish, and what others say about ours: a Composer repository and an advisories API beside us."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.scenarios.test_api import ApiTestCase
from tests.support.server import free_port

LEAK = {
    "advisoryId": "PKSA-1", "packageName": "monolog/monolog", "affectedVersions": "<2.0", "title": "It leaks", "cve": "CVE-2026-1",
    "link": "https://example.com/1", "reportedAt": "2026-01-01 00:00:00", "sources": [{"name": "GitHub", "remoteId": "GHSA-1"}],
    "severity": "high", "source": "GitHub", "composerRepository": "https://packagist.org",
}  # fmt: skip
LOCK = json.dumps({"packages": [{"name": "monolog/monolog", "version": "1.0.0", "notification-url": "https://packagist.org/downloads/"}], "packages-dev": []})
FOREIGN = {"packages": {"acme/theirs": {"1.2.3": {"name": "acme/theirs", "version": "1.2.3", "type": "library", "dist": {"type": "zip", "url": "http://127.0.0.1:9/x.zip", "reference": "a" * 40}}}}}


class Foreign:
    """Answers GET with a Composer repository, and POST with advisories; keeps what was asked."""

    def __init__(self, port: int) -> None:
        self.asked: list[list[str]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(FOREIGN if self.path == "/packages.json" else None)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                asked.append(form["packages[]"])
                self.answer({"advisories": {"monolog/monolog": [LEAK]}})

            def answer(self, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(200 if document else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class ForeignTests(ApiTestCase):
    """R1 for the types that are read from elsewhere, and the security page."""

    names = ()
    port: ClassVar[int]

    @classmethod
    def setUpClass(cls) -> None:
        cls.port = free_port()
        cls.foreign = Foreign(cls.port)
        cls.addClassCleanup(cls.foreign.stop)
        super().setUpClass()

    @classmethod
    def settings(cls) -> dict[str, object]:
        return {"advisories": {"url": f"http://127.0.0.1:{cls.port}/advisories/"}}

    def submit(self, **fields: object) -> dict[str, Any]:
        """Submit a package, wait until it is read, and return its document."""
        answer = self.send("/api/create-package", fields)
        self.assertEqual(202, answer.status, answer.body)
        self.assertEqual({"status", "name", "job"}, answer.json().keys())
        self.assertRegex(answer.json()["job"], "^[0-9a-f]{40}$")
        done = self.done(answer.json()["job"])
        self.assertEqual("completed", done["status"], done)
        document: dict[str, Any] = self.get(f"/api/packages/{answer.json()['name']}", "dev").json()["package"]
        return document

    def test_proxy(self) -> None:
        """One package of another repository, and no others of it."""
        document = self.submit(repoType="proxy", name="acme/theirs", repository=f"http://127.0.0.1:{self.port}/")
        self.assertEqual(["1.2.3"], list(document["versions"]))
        self.assertTrue(document["versions"]["1.2.3"]["dist"]["url"].startswith(self.server.url))
        missing = self.send("/api/create-package", {"repoType": "proxy", "name": "acme/nobodys", "repository": f"http://127.0.0.1:{self.port}"})
        self.assertIn(self.done(missing.json()["job"])["status"], {"failed", "errored", "package_gone"})

    def test_asset(self) -> None:
        """A repository without composer.json gets the one that was said; edits of it show."""
        self.git.make("acme/js", ())
        self.git.git("acme/js", "rm", "-q", "composer.json")
        self.git.commit("acme/js", {"lib.js": "1;\n"}, "2.0.0")
        fields = {"repository": self.git.url("acme/js"), "customComposerJson": json.dumps({"type": "npm-asset"})}
        document = self.submit(repoType="asset", name="acme/js", **fields)
        self.assertEqual("npm-asset", document["versions"]["2.0.0"]["type"])
        edited = self.send("/api/packages/acme/js", {"customComposerJson": json.dumps({"type": "bower-asset"})}, method="PUT")
        self.assertEqual(200, edited.status, edited.body)
        self.assertEqual("completed", self.done(edited.json()["job"])["status"])
        self.assertEqual("bower-asset", self.get("/api/packages/acme/js", "dev").json()["package"]["versions"]["2.0.0"]["type"])

    def test_advisories(self) -> None:
        """Read, asked about, told: to maintainers; names of our own packages stay here."""
        self.git.make("acme/app", ("1.0.0",))
        self.git.commit("acme/app", {"composer.lock": LOCK.replace('"packages-dev": []', '"packages-dev": [{"name": "acme/app", "version": "1"}]')})
        self.submit(repository=self.git.url("acme/app"))
        self.assertEqual([["monolog/monolog"]], self.foreign.asked)
        found = self.get("/packages/acme/app/security.json", "dev").json()
        self.assertEqual(("acme/app", 1), (found["name"], len(found["advisories"])))
        advisory = found["advisories"][0]
        self.assertEqual(
            {"advisoryId": "PKSA-1", "packageName": "monolog/monolog", "version": "1.0.0", "affectedVersions": "<2.0", "title": "It leaks", "cve": "CVE-2026-1"},
            {key: advisory[key] for key in ("advisoryId", "packageName", "version", "affectedVersions", "title", "cve")},
        )
        self.assertEqual([{"name": "GitHub", "remoteId": "GHSA-1"}], advisory["sources"])
        self.assertEqual((404, 401), (self.get("/packages/acme/app/security.json", "user2").status, self.get("/packages/acme/app/security.json", None).status))

    def test_hook_secret(self) -> None:
        """It is taken with a package or later, verifies that package's hooks, and is shown to nobody."""
        statuses: Callable[[], int] = lambda: self.send("/api/github", {"repository": {"url": self.git.url("acme/signed")}}).status  # noqa: E731
        self.git.make("acme/signed", ("1.0.0",))
        self.submit(repository=self.git.url("acme/signed"), hookSecret="between us two")
        self.assertEqual(401, statuses())
        self.assertNotIn("between us two", self.get("/api/packages/acme/signed", "admin").body.decode())
        self.assertEqual(406, self.send("/api/packages/acme/signed", {"hookSecret": "short"}, method="PUT").status)
        self.assertEqual(401, statuses())
        self.assertEqual(200, self.send("/api/packages/acme/signed", {"hookSecret": None}, method="PUT").status)
        self.assertEqual(202, statuses())
        self.assertNotIn("between us two", self.server.log)
