"""From a push to a new version: what forges send, to a real server that reads real repositories."""

import hmac
import json
import time
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from packeton.core.hooks.payloads import canonical_url
from tests.scenarios.test_packages import PackagesTestCase
from tests.support.client import Answer

SECRET = "between the forge and us"
FORM = "application/x-www-form-urlencoded"


class HookTestCase(PackagesTestCase):
    """One package that is really read, two of which only the address matters."""

    names = ()

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.git.make("acme/lib", ("1.0.0",))
        for name, url in {
            "acme/lib": cls.git.url("acme/lib"),
            "acme/a": "git@github.com:Acme/A.git",
            "acme/b": "https://git.example.com:8443/group/sub/b.git",
            "acme/c": "https://bitbucket.org/acme/c",
            "acme/d": "ssh://git@stash.example.com:7999/acme/d.git",
        }.items():
            host, path = canonical_url(url) or ("", "")
            cls.packages[name] = cls.installation.package(name, url, host=host, path=path)
        cls.noticed()

    def push(self, payload: object, user: str | None = "dev", path: str = "/api/update-package", *, method: str = "POST", **headers: str) -> Answer:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.get(path, user, method, body, **{"Content_Type": "application/json", **headers})

    def updated(self, answer: Answer) -> list[str]:
        """Return the packages whose jobs an answer names."""
        self.assertEqual(202, answer.status, answer.body)
        document = answer.json()
        self.assertEqual("success", document["status"])
        jobs = [self.installation.do(self.installation.jobs.find(job)) for job in document["jobs"]]
        return sorted(job.package for job in jobs if job is not None and job.package is not None)

    def until_over(self, job: str) -> dict[str, Any]:
        for _ in range(200):
            found = self.get(f"/api/jobs/{job}", "dev").json()
            if found["status"] != "running":
                return dict(found)
            time.sleep(0.1)
        raise AssertionError("the job did not end")


class PushTests(HookTestCase):
    """Without a secret."""

    def test_from_push_to_version(self) -> None:
        """A tag is pushed, the forge tells us, the version can be installed; the log can be followed meanwhile."""
        self.git.commit("acme/lib", {"src/new.php": "<?php\n"}, "1.2.0")
        answer = self.push({"repository": {"url": self.git.url("acme/lib") + ".git"}})
        self.assertEqual(["acme/lib"], self.updated(answer))
        job = answer.json()["jobs"][0]
        log = self.get(f"/api/jobs/{job}/log", "dev")
        self.assertEqual((200, "text/event-stream"), (log.status, log.headers["content-type"]))
        events = log.body.decode().strip().split("\n\n")
        self.assertIn("event: end", events[-1])
        self.assertIn('"status":"completed"', events[-1])
        self.assertIn("1.2.0", log.body.decode())
        last = [line for line in log.body.decode().splitlines() if line.startswith("id: ")][-1]
        again = self.get(f"/api/jobs/{job}/log", "dev", Last_Event_ID=last[4:])
        self.assertTrue(again.body.startswith(b"event: end"), again.body)
        found = self.until_over(job)
        self.assertEqual("completed", found["status"])
        self.assertIn("<pre>", found["details"])
        self.assertIn("1.2.0", self.get("/p/acme/lib.json").json()["packages"]["acme/lib"])
        stored = self.installation.do(self.installation.packages.find("acme/lib"))
        assert stored is not None
        self.assertTrue(stored.auto_updated)

    def test_jobs(self) -> None:
        """What is not known runs; what is no id is not there; others than maintainers learn nothing."""
        self.assertEqual({"status": "running", "message": ""}, self.get("/jobs/" + "0" * 40, "dev").json())
        self.assertEqual(404, self.get("/api/jobs/x", "dev").status)
        self.assertEqual(404, self.get(f"/api/jobs/{'0' * 40}/log", "dev").status)
        for path in ("/api/jobs/" + "0" * 40, f"/api/jobs/{'0' * 40}/log"):
            self.assertEqual((403, 401), (self.get(path, "user2").status, self.get(path, None).status))

    def test_shapes(self) -> None:
        """Every forge's way to say which repository it was. Source: contract 02 section 18."""
        a, b, c, d = "acme/a", "acme/b", "acme/c", "acme/d"
        for expected, payload in (
            (a, {"repository": {"url": "https://github.com/Acme/A"}}),
            (a, {"repository": {"url": "https://api.github.com/repos/acme/a"}}),
            (b, {"project": {"git_http_url": "https://git.example.com/group/sub/b.git"}, "object_kind": "push"}),
            (b, {"project": {"git_http_url": "https://git.example.com/group/sub/b.git"}, "object_kind": "tag_push"}),
            (b, {"repository": {"html_url": "https://git.example.com/group/sub/b"}}),
            (c, {"repository": {"links": {"html": {"href": "https://bitbucket.org/acme/c"}}}}),
            (d, {"repository": {"links": {"clone": [{"name": "http", "href": "https://stash.example.com/scm/acme/d.git"}, {"name": "ssh", "href": "ssh://git@stash.example.com:7999/acme/d.git"}]}}}),
            (c, {"canon_url": "https://bitbucket.org", "repository": {"absolute_url": "/acme/c/"}}),
            (a, {"composer": {"package_name": "acme/a"}}),
        ):
            with self.subTest(payload=payload):
                self.assertEqual([expected], self.updated(self.push(payload)))
        self.assertEqual([a, b], self.updated(self.push({"composer": {"package_name": ["acme/a", "acme/b", "no/such"]}})))
        pattern = {"repository": {"url": "https://mirror.example.net/x/sub/b"}}
        self.assertEqual(406, self.push(pattern).status)
        own = {**pattern, "packeton": {"regex": "#(?<host>example)[^/]*/.*(?<path>sub/b)#"}}
        self.assertEqual([b], self.updated(self.push(own)))

    def test_forms_and_names(self) -> None:
        """Forms, queries and paths; any method; all three addresses."""
        payload = json.dumps({"repository": {"url": "https://github.com/acme/a"}})
        form = urlencode({"payload": payload}).encode()
        self.assertEqual(["acme/a"], self.updated(self.push(form, Content_Type=FORM, path="/api/github")))
        self.assertEqual(["acme/b"], self.updated(self.push(payload.replace("github.com/acme/a", "git.example.com/group/sub/b").encode(), path="/api/bitbucket", method="PUT")))
        self.assertEqual(["acme/a", "acme/b"], self.updated(self.get("/api/update-package?composer_package_name=acme/a,acme/b", "dev")))
        self.assertEqual(["acme/c"], self.updated(self.push(b"composer_package_name=acme/c", Content_Type=FORM)))
        multipart = b'--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n' + payload.encode() + b"\r\n--x--\r\n"
        self.assertEqual(["acme/a"], self.updated(self.push(multipart, Content_Type="multipart/form-data; boundary=x")))
        self.assertEqual(["acme/c"], self.updated(self.push(b"no JSON", path="/api/update-package?composer_package_name=acme/c")))
        for method in ("GET", "POST", "PUT"):
            self.assertEqual(["acme/d"], self.updated(self.get("/api/update-package/acme/d", "dev", method)))

    def test_useless(self) -> None:
        """Nothing, something else, something unknown: 406, and what is wrong."""
        for body, message in (
            (b"", "Missing payload parameter"),
            (b"{}", "Missing payload parameter"),
            (b'{"ref": "x"}', "Missing or invalid payload"),
            (b"[1]", "the payload is not a JSON object"),
            (b"{", "the payload is broken JSON"),
            (b'{"repository": {"url": "https://github.com/acme/unknown"}}', "Missing or invalid payload"),
            (b'{"packeton": {"regex": "("}}', None),
            (b'{"packeton": {"regex": "#(?<host>(a+)+)(?<path>b)\\\\1#"}, "repository": {"url": "x"}}', None),
        ):
            answer = self.push(body)
            self.assertEqual((406, "error"), (answer.status, answer.json()["status"]), body)
            if message is not None:
                self.assertEqual(message, answer.json()["message"])
        self.assertEqual(406, self.get("/api/update-package/no/such", "dev", "POST").status)

    def test_for_whom(self) -> None:
        """Maintainers, and tokens for hooks."""
        payload = {"repository": {"url": "https://github.com/acme/a"}}
        self.assertEqual((401, 403, 403), tuple(self.push(payload, user).status for user in (None, "user1", "user2")))
        self.assertEqual({"status": "success", "jobs": []}, self.push({}, path="/api/webhook-invoke/deploy").json())
        self.assertEqual(403, self.push({}, "user2", "/api/webhook-invoke/deploy").status)

    def test_one_job(self) -> None:
        """The same push twice is one job, as long as it waits."""
        url = "/api/update-package?composer_package_name=" + quote("acme/a,acme/a")
        self.assertEqual(["acme/a"], self.updated(self.get(url, "dev")))


class SignedTests(HookTestCase):
    """With a secret."""

    @classmethod
    def settings(cls) -> dict[str, object]:
        return {"hooks": {"secret": SECRET}}

    def test_signatures(self) -> None:
        """The right one passes, a wrong one and none are refused with the reason; names need no payload."""
        body = json.dumps({"repository": {"url": "https://github.com/acme/a"}}).encode()
        good = hmac.new(SECRET.encode(), body, sha256).hexdigest()
        self.assertEqual(["acme/a"], self.updated(self.push(body, X_Hub_Signature_256=f"sha256={good}")))
        self.assertEqual(["acme/a"], self.updated(self.push(body, X_Gitea_Signature=good)))
        self.assertEqual(["acme/a"], self.updated(self.push(body, X_Gitlab_Token=SECRET)))
        self.assertEqual(["acme/a"], self.updated(self.get("/api/update-package/acme/a", "dev", "POST")))
        wrong = self.push(body, X_Hub_Signature_256="sha256=" + "0" * 64)
        self.assertEqual(401, wrong.status)
        self.assertIn("another secret", wrong.json()["message"])
        missing = self.push(body)
        self.assertEqual(401, missing.status)
        self.assertIn("not signed", missing.json()["message"])
        self.assertNotIn(SECRET, self.server.log)
