"""Mass import over HTTP and on the console: real git, a real Composer repository."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from attrs import evolve

from packeton.features.packages.submitting import place_of
from packeton.interfaces.queues import Priority
from tests.scenarios.test_packages import PackagesTestCase


class _Repository(BaseHTTPRequestHandler):
    documents: dict[str, Any] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        login = self.headers.get("Authorization")
        found = self.documents.get(self.path)
        body = json.dumps(found).encode()
        self.send_response(401 if login != "Basic dTpnZWhlaW0=" else 404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class ImportTests(PackagesTestCase):
    """`/api/import` and `packeton import`."""

    names = ("acme/known",)

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        known = cls.installation.do(cls.installation.packages.get(cls.packages["acme/known"].id))
        assert known is not None
        host, path = place_of(known.url, known.repo_type)
        cls.installation.do(cls.installation.packages.change(known.id, lambda held: evolve(held, host=host, path=path)))
        for name in ("acme/one", "acme/two", "acme/three"):
            cls.git.make(name, tags=("1.0.0",))
        upstream = ThreadingHTTPServer(("127.0.0.1", 0), _Repository)
        thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        cls.addClassCleanup(thread.join)
        cls.addClassCleanup(upstream.server_close)
        cls.addClassCleanup(upstream.shutdown)
        cls.upstream = f"http://127.0.0.1:{upstream.server_address[1]}"
        version = {"version": "1.0.0", "version_normalized": "1.0.0.0"}
        for name in ("acme/known", "acme/three", "acme/local"):
            url = "/srv/git/x" if name == "acme/local" else cls.git.url(name)
            _Repository.documents[f"/p2/{name}.json"] = {"packages": {name: [{"name": name, **version, "source": {"type": "git", "url": url, "reference": "1"}}]}}
        _Repository.documents["/packages.json"] = {"packages": [], "metadata-url": "/p2/%package%.json", "available-packages": ["acme/known", "acme/three", "acme/local", "acme/gone"]}

    def ask(self, document: dict[str, Any], user: str = "admin") -> tuple[int, Any]:
        answer = self.get("/api/import", user, "POST", json.dumps(document).encode(), Content_Type="application/json")
        return answer.status, answer.json()

    def wait(self, job: str) -> Any:
        for _ in range(300):
            found = self.installation.do(self.installation.jobs.find(job))
            if found is not None and found.status.is_over:
                return found
            time.sleep(0.1)
        raise AssertionError("the job did not end")

    def test_addresses(self) -> None:
        """A preview says what we have; the job goes on after a failure, and tells of each."""
        urls = [self.git.url(name) for name in ("acme/known", "acme/one", "acme/none", "acme/two")]
        order = {"repositories": "\n".join([*urls, "/srv/git/a", urls[1]]), "glob": "acme/*\nsrv/**"}
        status, found = self.ask({**order, "preview": True})
        self.assertEqual((200, "success"), (status, found["status"]))
        self.assertEqual([(urls[0], "acme/known"), *[(url, None) for url in urls[1:]]], [(one["url"], one["package"]) for one in found["urls"][:4]])
        status, submitted = self.ask(order)
        self.assertEqual(202, status)
        job = self.wait(submitted["job"])
        self.assertEqual(("completed", "2 packages added, 1 failed."), (job.status, job.result["message"]))
        log = "".join(line.text for line in self.installation.do(self.installation.jobs.read_log(job.id)))
        for text in (f"{urls[1]}: added acme/one", f"{urls[3]}: added acme/two", f"{urls[2]}: "):
            self.assertIn(text, log)
        self.assertNotIn("/srv/git/a", log)
        reading = self.installation.do(self.installation.jobs.latest("acme/one"))[0]
        self.assertLess(reading.priority, Priority.HOOK)  # whoever pushes meanwhile does not wait for the import
        status, again = self.ask(order)
        self.assertEqual((202, 400), (self.ask(order)[0], self.ask({"repositories": urls[0]})[0]), again)

    def test_refused(self) -> None:
        """For administrators; by field."""
        self.assertEqual(403, self.ask({"repositories": "x"}, "dev")[0])
        for document, field in (({}, "url"), ({"url": "http://u:p@h"}, "url"), ({"repositories": "x", "clone": "api"}, "clone"), ({"repositories": "x", "odd": 1}, "odd")):
            status, found = self.ask(document)
            self.assertEqual((400, True), (status, field in found), found)

    def test_check(self) -> None:
        """The reference's check: what an import would take, by JSON or a form; what is wrong is told as reasons."""
        form, plain = "application/x-www-form-urlencoded", "application/json"
        order = {"repositories": f"{self.git.url('acme/known')}\n/srv/git/a", "limit": "9", "credentials": ""}
        for kind, body in ((form, urlencode(order)), (plain, json.dumps({**order, "limit": 9}))):
            answer = self.get("/import/fetch-info", "admin", "POST", body.encode(), Content_Type=kind)
            self.assertEqual((200, "success"), (answer.status, answer.json()["status"]), answer.body)
            self.assertEqual(["acme/known", None], [one["package"] for one in answer.json()["urls"]])
        for wrong, why in (({}, "url: "), ({"repositories": "x", "limit": "x"}, "limit: "), ({"url": f"{self.upstream}/none"}, "none")):
            answer = self.get("/import/fetch-info", "admin", "POST", json.dumps(wrong).encode(), Content_Type=plain)
            self.assertEqual((200, "error"), (answer.status, answer.json()["status"]))
            self.assertIn(why, answer.json()["reason"][0])
        for user, status in (("dev", 403), (None, 401)):
            self.assertEqual(status, self.get("/import/fetch-info", user, "POST", b"{}", Content_Type=plain).status)

    def test_composer(self) -> None:
        """A repository behind a login, on the console, in preview and over HTTP; the password is not kept."""
        order = {"url": self.upstream, "username": "u", "password": "geheim"}
        status, found = self.ask({**order, "preview": True})
        self.assertEqual(200, status, found)
        self.assertEqual([self.git.url("acme/known"), self.git.url("acme/three"), "/srv/git/x"], [one["url"] for one in found["urls"]])
        self.assertEqual(["acme/known", None, None], [one["package"] for one in found["urls"]])
        self.assertIn("local path", found["urls"][2]["problem"])
        status, found = self.ask({**order, "packages": '{"require": {"acme/three": "*", "acme/gone": "*"}}', "preview": True})
        self.assertEqual([self.git.url("acme/three")], [one["url"] for one in found["urls"]])
        self.assertNotEqual(200, self.ask({**order, "password": "wrong", "preview": True})[0])
        done = subprocess.run(
            [sys.executable, "-m", "packeton", "import", "composer", self.upstream, "--username", "u", "--glob", "acme/t*", "--preview", "--json", "--data", str(self.server.data)],
            input="geheim\n", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual([self.git.url("acme/three")], [one["url"] for one in json.loads(done.stdout)])
        status, submitted = self.ask({**order, "glob": "acme/t*"})
        self.assertEqual("1 package added, 0 failed.", self.wait(submitted["job"]).result["message"])
        self.assertNotIn(b"geheim", b"".join(path.read_bytes() for path in self.server.data.glob("packeton.db*")))
