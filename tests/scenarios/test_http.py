"""What goes over the wire: metadata, dists, addresses, bad input, an upstream that misbehaves."""

import gzip
import json
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar
from unittest import TestCase

from tests.support.client import Answer, fetch
from tests.support.origin import Fault, Origin, Package, make_zip
from tests.support.server import Server

FOO = Package("acme/foo", "1.0.0", make_zip("acme/foo", "foo", 300_000))
SMALL = Package("acme/small", "1.0.0", make_zip("acme/small", "small", 500))
TWIN_A = Package("acme/twin", "1.0.0", make_zip("acme/twin", "twin"), reference="c" * 40)
TWIN_B = Package("acme/twin", "1.1.0", TWIN_A.content, reference="c" * 40)


class HttpTestCase(TestCase):
    """One origin and one server for a class; faults and the log are cleared before each test."""

    settings: ClassVar[dict[str, object]] = {}
    mirror: ClassVar[dict[str, object]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        cls.origin = Origin([FOO, SMALL, TWIN_A, TWIN_B]).start()
        cls.addClassCleanup(cls.origin.stop)
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        mirror = {"url": cls.origin.url, "public_access": True, "parent_notify": True, **cls.mirror}
        cls.server = Server(Path(holder.name) / "s", {"mirrors": {"up": mirror}, **cls.settings}).start()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self) -> None:
        self.origin.faults.clear()
        self.origin.log.clear()

    def get(self, path: str, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return fetch(f"{self.server.url}/mirror/up/{path}", headers=fields)

    def dist(self, package: Package) -> Answer:
        return self.get(self.origin.our_path(package))


class MetadataTests(HttpTestCase):
    """Metadata as upstream gave it."""

    settings: ClassVar[dict[str, object]] = {"reserved_vendors": ["inside"]}

    def test_verbatim_and_304(self) -> None:
        """The bytes are upstream's, the date too; the same date back gives an empty 304; nothing is fetched twice."""
        answer = self.get("p2/acme/foo.json")
        self.assertEqual(200, answer.status)
        self.assertEqual(self.origin.metadata("acme/foo", dev=False), answer.body)
        self.assertEqual("Tue, 14 Nov 2023 22:13:20 GMT", answer.headers["last-modified"])
        self.assertEqual("application/json", answer.headers["content-type"])
        again = self.get("p2/acme/foo.json", If_Modified_Since=answer.headers["last-modified"])
        self.assertEqual((304, b""), (again.status, again.body))
        self.assertEqual(answer.headers["last-modified"], again.headers["last-modified"])
        self.assertEqual(200, self.get("p2/acme/foo.json", If_Modified_Since="Mon, 13 Nov 2023 22:13:20 GMT").status)
        self.assertEqual(304, self.get("p2/acme/foo.json", If_None_Match=answer.headers["etag"]).status)
        self.assertLessEqual(self.origin.count("/p2/acme/foo.json"), 1)

    def test_gzip(self) -> None:
        """Compressed on request only, and the same content."""
        plain = self.get("p2/acme/twin.json")
        coded = self.get("p2/acme/twin.json", Accept_Encoding="deflate, gzip, br, zstd")
        self.assertNotIn("content-encoding", plain.headers)
        self.assertEqual("gzip", coded.headers["content-encoding"])
        self.assertEqual(plain.body, gzip.decompress(coded.body))
        self.assertEqual(len(coded.body), int(coded.headers["content-length"]))
        self.assertNotIn("content-encoding", self.get("p2/acme/twin.json", Accept_Encoding="gzip;q=0").headers)

    def test_dev_and_absent(self) -> None:
        """An empty list of branches passes; what upstream has not is 404, and asked for once a minute."""
        self.assertEqual({"packages": {"acme/foo": []}, "odd": True}, self.get("p2/acme/foo~dev.json").json())
        for _ in range(3):
            self.assertEqual(404, self.get("p2/acme/absent.json").status)
        self.assertEqual(1, self.origin.count("/p2/acme/absent.json"))

    def test_head(self) -> None:
        """HEAD has the head of GET and no body."""
        got = self.get("p2/acme/foo.json")
        head = fetch(f"{self.server.url}/mirror/up/p2/acme/foo.json", "HEAD")
        self.assertEqual(b"", head.body)
        self.assertEqual(got.headers["content-length"], head.headers["content-length"])

    def test_satellites(self) -> None:
        """Search, list, changes, providers, filter and advisories are answered by us out of upstream."""
        root = self.get("packages.json").json()
        base = f"{self.server.url}/mirror/up"
        self.assertTrue(root["odd-key"]["kept"])
        search = fetch(root["search"].replace("%query%", "a%20b").replace("%type%", ""))
        self.assertEqual("q=a%20b&type=", search.json()["results"][0]["query"])
        self.assertEqual("filter=acme%2F%2A", fetch(root["list"] + "?filter=acme%2F*").json()["query"])
        self.assertEqual("since=17", fetch(root["metadata-changes-url"] + "?since=17").json()["query"])
        self.assertEqual({"providers": []}, fetch(f"{base}/providers/psr/log-implementation.json").json())
        self.assertEqual({"filter": []}, fetch(root["filter"]["summary-url"]).json())
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        api = root["security-advisories"]["api-url"]
        advisories = fetch(api, "POST", form, b"packages%5B0%5D=inside%2Fsecret&packages%5B1%5D=acme%2Fapp")
        self.assertEqual({"advisories": {"acme/app": []}}, advisories.json())
        self.assertEqual({"advisories": {}}, fetch(api, "POST", form, b"packages%5B0%5D=inside%2Fsecret").json())
        self.assertEqual([b"packages%5B0%5D=acme%2Fapp"], [body for body in self.origin.posted if b"packages" in body])
        self.assertEqual(400, fetch(api, "POST", form, b"").status)
        lists, urls = root["filter"]["api-url"], ["pkg://composer/inside/secret", "pkg://composer/acme/app"]
        asked = {"packages": urls, "lists": ["malware"]}
        self.assertEqual({"filter": []}, fetch(lists, "POST", {}, json.dumps(asked).encode()).json())
        self.assertEqual({**asked, "packages": urls[1:]}, json.loads(self.origin.posted[-1]))
        for wrong in (b"", b"[]", b'{"packages": "x"}'):
            self.assertEqual(400, fetch(lists, "POST", {}, wrong).status)

    def test_notifications(self) -> None:
        """Answered at once, passed on behind; nonsense is refused and not passed on."""
        body = b'{"downloads":[{"name":"acme/foo","version":"1.0.0.0"}]}'
        answer = fetch(f"{self.server.url}/mirror/up/downloads/", "POST", {"Content-Type": "application/json"}, body)
        self.assertEqual((201, {"status": "success"}), (answer.status, answer.json()))
        deadline = time.monotonic() + 5
        while body not in self.origin.posted and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertIn(body, self.origin.posted)
        for nonsense in (b"", b"[]", b'{"downloads":3}', b"\xff", b"[" * 100_000):
            self.assertEqual(400, fetch(f"{self.server.url}/mirror/up/downloads/", "POST", {}, nonsense).status)


class AddressTests(HttpTestCase):
    """Addresses in what we send are those that the client used."""

    settings: ClassVar[dict[str, object]] = {"trusted_proxies": ["127.0.0.1"]}

    def root(self, **headers: str) -> str:
        return str(self.get("packages.json", **headers).json()["metadata-url"])

    def test_host(self) -> None:
        """The Host of the request."""
        self.assertEqual("http://pkg.example:81/mirror/up/p2/%package%.json", self.root(Host="pkg.example:81"))

    def test_behind_a_proxy(self) -> None:
        """Scheme, host, port and prefix that a trusted proxy tells."""
        url = self.root(
            X_Forwarded_Proto="https",
            X_Forwarded_Host="pkg.example",
            X_Forwarded_Port="8443",
            X_Forwarded_Prefix="/sub/",
        )
        self.assertEqual("https://pkg.example:8443/sub/mirror/up/p2/%package%.json", url)

    def test_malformed(self) -> None:
        """A Host or prefix that could break out of a document is refused."""
        for headers in ({"Host": 'x"y'}, {"Host": "a/b"}, {"X_Forwarded_Host": "a b"}, {"X_Forwarded_Prefix": "/<x>"}):
            self.assertEqual(400, self.get("packages.json", **headers).status, headers)


class UntrustedTests(HttpTestCase):
    """Without a trusted proxy its fields mean nothing; the page and the figures."""

    settings: ClassVar[dict[str, object]] = {"trusted_hosts": ["^127\\.0\\.0\\.1$", "^good\\.example$"]}

    def test_ignored(self) -> None:
        """X-Forwarded-* of anybody is ignored."""
        url = self.get("packages.json", X_Forwarded_Host="evil.example", X_Forwarded_Proto="https").json()["list"]
        self.assertTrue(url.startswith(self.server.url), url)

    def test_foreign_host(self) -> None:
        """A Host that is not trusted is refused."""
        self.assertEqual(200, self.get("packages.json", Host="good.example").status)
        self.assertEqual(400, self.get("packages.json", Host="evil.example").status)

    def test_pages(self) -> None:
        """The pages show the snippet, escape what they show, and load nothing from elsewhere."""
        for path in ("/", "/mirror/up"):
            page = fetch(self.server.url + path)
            self.assertEqual(200, page.status)
            self.assertIn(f"composer config repo.up composer {self.server.url}/mirror/up", page.body.decode())
            self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        self.assertEqual(404, fetch(f"{self.server.url}/mirror/nope").status)

    def test_health_and_metrics(self) -> None:
        """Both tell the truth."""
        self.get("p2/acme/foo.json")
        self.get("p2/acme/foo.json")
        health = fetch(f"{self.server.url}/api/healthz")
        self.assertEqual("pass", health.json()["checks"]["database:ping"]["status"])
        text = fetch(f"{self.server.url}/metrics").body.decode()
        self.assertIn('packeton_requests_total{cache="hit",method="GET",status="200"}', text)
        self.assertIn("packeton_fills_in_flight 0.0", text)
        self.assertIn('packeton_jobs{status="queued"} 0.0', text)
        self.assertRegex(text, r'packeton_cache\{what="entries"\} [1-9]')
        self.assertEqual({"database:ping", "cache:ping"}, set(health.json()["checks"]))
        self.assertIn('packeton_upstream_exchanges_total{host="127.0.0.1",outcome="200"}', text)


class OptionsTests(HttpTestCase):
    """`options` of a mirror."""

    mirror: ClassVar[dict[str, object]] = {"options": {"http": {"header": ["X-Token: t0ken"], "timeout": 20}}}

    def test_headers(self) -> None:
        """The fields go out with every question to upstream's host, and stand nowhere else."""
        self.get("packages.json")
        self.dist(SMALL)
        self.assertEqual({"t0ken"}, {headers.get("X-Token") for _, _, headers in self.origin.log})
        self.assertNotIn("t0ken", self.server.log)


class BadInputTests(HttpTestCase):
    """Quiet 4xx, nothing fetched, nothing logged as an error."""

    def test_odd_requests(self) -> None:
        """Names that are none, paths that climb, methods that are not for us."""
        odd = (
            "p2/Acme/foo.json", "p2/acme/foo~dev~dev.json", "p2/acme/foo/bar.json", "p2/acme.json", "p2/acme/foo",
            "p2/..%2f..%2fetc/passwd.json", "p2/%2e%2e/x.json", "p2/acme/..%2f..%2fx.json", "p2/acme/f%00o.json",
            "zipball/acme/foo/1.0.0.0/nope.zip", "zipball/acme/foo/1.0.0.0/ref.", "zipball/acme/foo/ref.zip",
            "zipball/Acme/foo/1.0.0.0/refabc.zip", "zipball/acme/foo/1.0.0.0/ref%2e%2e%2fx.zip", "nothing", "p2/",
            "zipball/acme/foo/" + "9" * 300 + "/refabc.zip",
        )  # fmt: skip
        for path in odd:
            answer = fetch(self.server.url, path=f"/mirror/up/{path}")
            self.assertIn(answer.status, {400, 404}, path)
        for path in ("/mirror/nope/packages.json", "/%ff%fe", "/mirror//packages.json", "/x" * 3000):
            self.assertIn(fetch(self.server.url, path=path).status, {400, 404, 414}, path[:50])
        self.assertEqual([], self.origin.log)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            answer = fetch(f"{self.server.url}/mirror/up/p2/acme/foo.json", method)
            self.assertEqual(405, answer.status)
            self.assertIn("GET", answer.headers["allow"])
        self.assertEqual(400, fetch(f"{self.server.url}/mirror/up/p2/acme/foo.json", "GET", body=b"hello").status)
        self.assertEqual(400, self.get("p2/acme/foo.json", X_Long="x" * 40000).status)
        self.assertEqual(413, fetch(f"{self.server.url}/mirror/up/downloads/", "POST", body=bytes(3 << 20)).status)
        self.assertEqual([], self.origin.log)
        for word in (" error ", " critical ", "Traceback"):
            self.assertNotIn(word, self.server.log)

    def test_no_credential_in_the_log(self) -> None:
        """Query, Authorization, userinfo and cookies never reach the log."""
        url = f"{self.server.url}/mirror/up/p2/acme/foo.json?token=tellnobody1"
        fetch(url, headers={"Authorization": "Basic dGVsbG5vYm9keTI6eA==", "Cookie": "s=tellnobody3"})
        fetch(self.server.url, path="/user:tellnobody4@host/x")
        time.sleep(0.1)
        self.assertNotIn("tellnobody", self.server.log)
        self.assertNotIn("dGVsbG5", self.server.log)


class StaleTests(HttpTestCase):
    """Revalidated on each request, so that every misbehaviour of upstream shows."""

    mirror: ClassVar[dict[str, object]] = {"sync_interval": 0}

    def test_bad_answers_keep_the_old_copy(self) -> None:
        """HTML, broken JSON, another type, 20 MB, a cut and a 5xx: the old copy is served."""
        good = self.get("p2/acme/foo.json").body
        faults = [
            Fault("html", times=None), Fault("body", body=b'{"packages": {', times=None),
            Fault("body", body=b"[]", times=None),
            Fault("body", body=b'{"packages":{"acme/foo":"' + b"x" * (20 << 20) + b'"}}', times=None),
            Fault("cut", at=10, times=None), Fault("cut-chunked", at=10, times=None),
            Fault("status", at=500, times=None),
            Fault("reset", times=None),
        ]  # fmt: skip
        for fault in faults:
            self.origin.etags = False
            self.origin.fault("/p2/acme/foo.json", fault)
            answer = self.get("p2/acme/foo.json")
            self.assertEqual((200, good), (answer.status, answer.body), fault.kind)
        self.origin.etags = True

    def test_bad_answers_without_a_copy(self) -> None:
        """The same without a copy: a 5xx that names the mirror, never a 404."""
        faults = [
            Fault("html", times=None), Fault("body", body=b'{"packages": {', times=None),
            Fault("body", body=b"[]", times=None), Fault("status", at=500, times=None),
            Fault("status", at=403, times=None),
        ]  # fmt: skip
        for number, fault in enumerate(faults):
            path = f"p2/acme/never{number}.json"
            self.origin.fault("/" + path, fault)
            answer = self.get(path)
            self.assertIn(answer.status, {424, 502}, fault)
            self.assertIn("mirror up", answer.json()["detail"])
            self.assertEqual("application/json", answer.headers["content-type"])

    def test_changes_show(self) -> None:
        """New content comes with a later date, also when upstream's stands still; an older answer is not taken."""
        path = "/p2/acme/small.json"
        first = self.get("p2/acme/small.json")
        newer = json.dumps({"packages": {"acme/small": []}, "n": 1}).encode()
        self.origin.extra[path] = ("application/json", newer)
        self.addCleanup(self.origin.extra.clear)
        second = self.get("p2/acme/small.json", If_Modified_Since=first.headers["last-modified"])
        self.assertEqual((200, newer), (second.status, second.body))
        self.assertNotEqual(first.headers["last-modified"], second.headers["last-modified"])
        self.origin.modified[path] = 1_600_000_000
        self.origin.extra[path] = ("application/json", b'{"packages":{"acme/small":[]},"n":0}')
        third = self.get("p2/acme/small.json")
        self.assertEqual(newer, third.body)
        self.assertEqual(second.headers["last-modified"], third.headers["last-modified"])

    def test_hung_upstream(self) -> None:
        """A hung upstream costs a client that could have a copy some seconds, not a time-out."""
        self.get("p2/acme/twin.json")
        self.origin.fault("/p2/acme/twin.json", Fault("hang", times=None))
        began = time.monotonic()
        self.assertEqual(200, self.get("p2/acme/twin.json").status)
        self.assertLess(time.monotonic() - began, 10)


class DistTests(HttpTestCase):
    """Dists: whole or not at all."""

    def test_miss_and_hit(self) -> None:
        """The first comes through, the second from the store; both with Content-Length; upstream is asked once."""
        for cache in ("miss", "hit"):
            answer = self.dist(FOO)
            self.assertEqual((200, FOO.content), (answer.status, answer.body))
            self.assertEqual(str(len(FOO.content)), answer.headers["content-length"])
            self.assertEqual(cache, answer.headers["x-cache"])
        self.assertEqual(1, self.origin.count(self.origin.zip_path(FOO)))

    def test_ranges(self) -> None:
        """Parts of a stored dist, by If-Range too; several at once; none beyond the end; 304 by ETag."""
        whole = self.dist(FOO)
        whole = self.dist(FOO)
        path = self.origin.our_path(FOO)
        part = self.get(path, Range="bytes=10-19")
        self.assertEqual((206, FOO.content[10:20]), (part.status, part.body))
        self.assertEqual(f"bytes 10-19/{len(FOO.content)}", part.headers["content-range"])
        tail = self.get(path, Range="bytes=-5", If_Range=whole.headers["etag"])
        self.assertEqual((206, FOO.content[-5:]), (tail.status, tail.body))
        self.assertEqual(200, self.get(path, Range="bytes=-5", If_Range='"other"').status)
        several = self.get(path, Range="bytes=0-1,5-6")
        self.assertTrue(several.headers["content-type"].startswith("multipart/byteranges; boundary="))
        self.assertEqual(str(len(several.body)), several.headers["content-length"])
        self.assertIn(b"bytes 5-6/", several.body)
        self.assertEqual(416, self.get(path, Range=f"bytes={len(FOO.content)}-").status)
        self.assertEqual(304, self.get(path, If_None_Match=whole.headers["etag"]).status)
        head = fetch(f"{self.server.url}/mirror/up/{path}", "HEAD")
        self.assertEqual((b"", str(len(FOO.content))), (head.body, head.headers["content-length"]))

    def test_two_tags_on_one_commit(self) -> None:
        """Each version of a shared commit has its own dist."""
        for package in (TWIN_A, TWIN_B):
            self.assertEqual(TWIN_A.content, self.dist(package).body)

    def test_unknown(self) -> None:
        """A version or commit that upstream does not list is 404, and no dist is asked for."""
        self.assertEqual(404, self.get(f"zipball/acme/foo/3.0.0.0/ref{'d' * 40}.zip").status)
        self.assertEqual(404, self.get(f"zipball/acme/absent/1.0.0.0/ref{'d' * 40}.zip").status)
        self.assertFalse([path for _, path, _ in self.origin.log if "zip" in path])


class ShutdownTests(HttpTestCase):
    """The end of a server."""

    settings: ClassVar[dict[str, object]] = {"shutdown_timeout": "1s"}

    def test_stop_within_bound(self) -> None:
        """SIGTERM during a slow fill: the client is cut off, nothing half is kept, exit status 0."""
        self.origin.fault(self.origin.zip_path(FOO), Fault("slow", at=50_000, times=None))
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(self.dist(FOO)))
        thread.start()
        time.sleep(1)
        began = time.monotonic()
        self.assertEqual(0, self.server.stop(signal.SIGTERM))
        self.assertLess(time.monotonic() - began, 5)
        thread.join(10)
        self.assertFalse(answers and answers[0].complete)
        self.origin.faults.clear()
        self.server.start()
        self.assertEqual([], list((self.server.data / "cache" / "drafts").iterdir()))
        self.assertEqual(FOO.content, self.dist(FOO).body)
