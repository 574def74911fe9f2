"""Archives that are pushed, figures and search, over HTTP."""

import io
import json
import socket
import time
import zipfile
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from packeton.adapters.database.downloads import DownloadRecords
from packeton.core.access.csrf import form_token
from packeton.interfaces.downloads import Install
from tests.scenarios.test_api import ApiTestCase
from tests.scenarios.test_packages import TOKEN
from tests.support.client import Answer
from tests.support.people import Browser, Records

BOUNDARY = "the-boundary-of-a-form"
FORM = "application/x-www-form-urlencoded"


def archive(manifest: dict[str, Any], **files: bytes) -> bytes:
    """Return a zip with a composer.json."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("composer.json", json.dumps(manifest))
        for name, data in files.items():
            made.writestr(name, data)
    return content.getvalue()


def form(file_field: str, content: bytes, **fields: str) -> bytes:
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{file_field}"; filename="a.zip"\r\nContent-Type: application/zip\r\n\r\n'
    return b"".join(parts) + head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


class PushTests(ApiTestCase):
    """R17, R18, R25."""

    names = ("okvpn/satis-api",)
    multipart = f"multipart/form-data; boundary={BOUNDARY}"

    def drafts(self) -> list[str]:
        folder = self.server.data / "artifact_storage"
        return sorted(path.name for path in folder.rglob("*") if path.is_file())

    def until(self, name: str, version: str) -> dict[str, Any]:
        for _ in range(150):
            answer = self.get(f"/api/packages/{name}", "dev")
            versions = answer.json()["package"]["versions"] if answer.status == 200 else {}
            if version in versions:
                return dict(versions[version])
            time.sleep(0.1)
        raise AssertionError(f"{version} did not come: {answer.body!r}")

    def test_push(self) -> None:
        """A build server pushes; the version can be installed, with the very file; a second push replaces it."""
        content = archive({"name": "acme/pushed", "extra": {"push": {"password": "secret"}, "kept": 1}}, code=b"1")
        path = "/packages/upload/acme/pushed/1.0.0"
        self.assertEqual((401, 403), (self.get(path, None, "PUT", content).status, self.get(path, "user2", "PUT", content).status))
        answer = self.get(path, "dev", "PUT", form("package", content, **{"src-type": "git", "src-url": "https://git.example.com/p.git", "src-ref": "a" * 40}), Content_Type=self.multipart)
        self.assertEqual((201, []), (answer.status, answer.json()), answer.body)
        version = self.until("acme/pushed", "1.0.0")
        self.assertEqual({"type": "git", "url": "https://git.example.com/p.git", "reference": "a" * 40}, version["source"])
        self.assertEqual({"kept": 1}, version["extra"])
        zipped = self.get(version["dist"]["url"].removeprefix(self.server.url), "dev")
        self.assertEqual((200, content), (zipped.status, zipped.body))
        again = archive({"name": "acme/pushed"}, code=b"2")
        self.assertEqual(201, self.get("/api" + path, "dev", "PUT", again, Content_Type="application/zip").status)
        self.assertEqual(201, self.get("/packages/upload/acme/pushed/1.1.0", "dev", "POST", form("package", again), Content_Type=self.multipart).status)
        self.until("acme/pushed", "1.1.0")
        stored = self.installation.do(self.installation.packages.find("acme/pushed"))
        assert stored is not None
        self.assertEqual(["1.0.0", "1.1.0"], [entry["version"] for entry in stored.settings["customVersions"]])

    def test_refused(self) -> None:
        """The wrong package, type, content, size; nothing is kept."""
        good = archive({"name": "okvpn/satis-api"})
        before = self.drafts()
        bomb = archive({"name": "acme/bomb"}, big=b"\0" * (40 << 20))
        broken = archive({"name": "acme/broken"}, code=b"x" * 3000)[:-30]
        for path, content, words in (
            ("okvpn/satis-api/1.0.0", good, "only custom and artifact"),
            ("acme/other/1.0.0", good, "names okvpn/satis-api"),
            ("acme/bad/not%20a%20version", good, ""),
            ("Acme/Bad/1.0.0", good, ""),
            ("acme/text/1.0.0", b"no archive", "no zip or tar"),
            ("acme/broken/1.0.0", broken, ""),
            ("acme/none/1.0.0", archive({})[:0], ""),
        ):
            with self.subTest(path=path):
                answer = self.get(f"/packages/upload/{path}", "admin", "PUT", content)
                self.assertEqual(400, answer.status, answer.body)
                self.assertEqual({"title", "errors"}, answer.json().keys())
                self.assertIn(words, answer.json()["title"])
        self.assertEqual(403, self.get("/packages/upload/okvpn/satis-api/1.0.0", "dev", "PUT", good).status)
        answer = self.get("/packages/upload/acme/bomb/1.0.0", "dev", "PUT", bomb)
        self.assertEqual(400, answer.status, answer.body)
        self.assertEqual(before, self.drafts())
        for name in ("acme/other", "acme/bad", "acme/text", "acme/broken", "acme/bomb"):
            self.assertEqual(404, self.get(f"/api/packages/{name}", "dev").status)

    @classmethod
    def settings(cls) -> dict[str, object]:
        return {"cache": {"max_unpacked_bytes": "8MiB"}}

    def test_cut_off(self) -> None:
        """A connection that breaks half-way leaves nothing."""
        before = self.drafts()
        content = archive({"name": "acme/cut"}, code=b"c" * 500_000)
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            head = f"PUT /packages/upload/acme/cut/1.0.0?username=dev&apiToken={TOKEN}2 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n"
            connection.sendall(head.encode() + content[:200_000])
            time.sleep(0.3)
        time.sleep(0.5)
        self.assertEqual(before, self.drafts())
        self.assertEqual(404, self.get("/api/packages/acme/cut", "dev").status)

    def test_library(self) -> None:
        """Taken in, listed, chosen for a package, and then not to be removed."""
        content = archive({"name": "acme/kept", "version": "3.0.0"})
        answer = self.get("/archive/upload", "dev", "POST", form("archive", content), Content_Type=self.multipart)
        self.assertEqual((201, "a.zip", len(content)), (answer.status, answer.json()["filename"], answer.json()["size"]), answer.body)
        number = answer.json()["id"]
        self.assertIn(number, [one["id"] for one in self.get("/archive/list", "dev").json()])
        made = self.send("/api/create-package", {"repoType": "artifact", "archives": [number]})
        self.assertEqual((202, "acme/kept"), (made.status, made.json().get("name")), made.body)
        self.assertEqual("completed", self.done(made.json()["job"])["status"])
        self.assertNotIn(number, [one["id"] for one in self.get("/archive/list", "dev").json()])
        self.assertIn(number, [one["id"] for one in self.get(f"/archive/list?with_archives={number}", "dev").json()])
        self.assertEqual(400, self.get(f"/archive/remove/{number}", "dev", "DELETE").status)
        self.assertEqual(204, self.get("/api/packages/acme/kept", "dev", "DELETE").status)
        self.assertEqual(204, self.get(f"/archive/remove/{number}", "dev", "DELETE").status)
        self.assertEqual(404, self.get(f"/archive/remove/{number}", "dev", "DELETE").status)
        self.assertEqual((403, 401), (self.get("/archive/list", "user2").status, self.get("/archive/upload", None, "POST", form("archive", content), Content_Type=self.multipart).status))
        wrong = self.get("/archive/upload", "dev", "POST", b"", Content_Type=self.multipart)
        self.assertEqual((400, {"error"}), (wrong.status, wrong.json().keys()))


    def test_library_by_session(self) -> None:
        """Pages take archives too: with the token of the session's forms, in the form or a header."""
        records = Records(self.server.data)
        self.addCleanup(records.close)
        for name, roles in (("pages", {"ROLE_MAINTAINER"}), ("customer", set[str]())):
            records.user(name, roles=frozenset(roles))
        browser, customer = Browser(self.server.url), Browser(self.server.url)
        self.assertEqual((303, 303), (browser.sign_in("pages").status, customer.sign_in("customer").status))
        token = form_token(browser.cookies["packeton"])
        content, before = archive({"name": "acme/paged", "version": "1.0.0"}), self.drafts()

        def upload(by: Browser, body: bytes, **headers: str) -> Answer:
            return by.send("POST", "/archive/upload", {"Content-Type": self.multipart, **headers}, body)

        for body, headers in ((form("archive", content), {}), (form("archive", content, token="wrong"), {}), (form("archive", content), {"X-CSRF-Token": "x" * 43})):
            refused = upload(browser, body, **headers)
            self.assertEqual((403, "The form token is missing or wrong."), (refused.status, refused.json()["detail"]))
        self.assertEqual(403, upload(customer, form("archive", content, token=form_token(customer.cookies["packeton"]))).status)
        self.assertEqual(before, self.drafts())
        first = upload(browser, form("archive", content, token=token))
        self.assertEqual(201, first.status, first.body)
        second = upload(browser, form("archive", content), **{"X-CSRF-Token": token})
        listed = [one["id"] for one in browser.get("/archive/list").json()]
        self.assertEqual([second.json()["id"], first.json()["id"]], listed[:2])
        for number in listed[:2]:
            path = f"/archive/remove/{number}"
            self.assertEqual((403, 204), (browser.send("DELETE", path, {}, None).status, browser.send("DELETE", path, {"X-CSRF-Token": token}, None).status))
        made = self.send("/api/update-package", {}, None)
        self.assertEqual((401, 401), (made.status, browser.send("POST", "/api/update-package", {"X-CSRF-Token": token}, b"{}").status))


class FigureTests(ApiTestCase):
    """R21 to R24, R27, providers."""

    names = ("okvpn/cron-bundle", "okvpn/satis-api")

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.git.make("acme/tagged", ("1.0.0",), keywords=["Queue"], provide={"psr/log-implementation": "1.0"})
        cls.packages["acme/tagged"] = cls.installation.package("acme/tagged", cls.git.url("acme/tagged"))
        cls.installation.update(cls.packages["acme/tagged"])
        records = DownloadRecords(cls.installation.packages._database)
        today = datetime.now(UTC).date()
        installs = [Install(cls.packages["okvpn/satis-api"].id, "1.0.0.0", 5), Install(cls.packages["acme/tagged"].id, "1.0.0.0", 2)]
        cls.installation.do(records.add(installs, today))
        cls.today = today

    def test_counters(self) -> None:
        """Totals of package and versions; series; for whom."""
        path = "/packages/okvpn/satis-api"
        found = self.get(f"{path}/downloads.json", "dev").json()["package"]
        five = {"total": 5, "monthly": 5, "daily": 5}
        self.assertEqual(("okvpn/satis-api", five), (found["name"], found["downloads"]["total"]))
        self.assertEqual((five, 0), (found["downloads"]["versions"]["1.0.0"], found["downloads"]["versions"]["2.0.0"]["total"]))
        overview = self.get(f"{path}/stats.json", "user2").json()
        self.assertEqual((five, "daily", self.today.isoformat()), (overview["downloads"], overview["average"], overview["date"]))
        for file in ("all", "1.0.0"):
            series = self.get(f"{path}/stats/{file}.json?from={self.today}&to={self.today}&average=daily", "user2")
            self.assertEqual({"labels": [self.today.isoformat()], "values": [5], "average": "daily"}, series.json())
        self.assertEqual([], self.get(f"{path}/stats/all.json", "dev").json()["labels"])
        statuses = [self.get(f"{path}/{rest}", user).status for rest, user in (("stats/all.json?average=x", "dev"), ("stats/9.9.json", "dev"), ("stats/all.json?from=x", "dev"), ("downloads.json", "user2"), ("stats.json", "user1"), ("stats.json", None))]
        self.assertEqual([400, 404, 400, 403, 403, 401], statuses)

    def test_popular(self) -> None:
        """By installs of the last days, page by page."""
        first = self.get("/explorepopular.json?per_page=1", "dev").json()
        self.assertEqual((["okvpn/satis-api"], 2, 5), ([one["name"] for one in first["packages"]], first["total"], first["packages"][0]["downloads"]))
        second = self.get(first["next"].removeprefix(self.server.url), "dev").json()
        self.assertEqual(["acme/tagged"], [one["name"] for one in second["packages"]])
        self.assertNotIn("next", second)
        self.assertEqual((400, 400, 403), tuple(self.get(f"/explorepopular.json{query}", user).status for query, user in (("?per_page=0", "dev"), ("?per_page=101", "dev"), ("", "user2"))))

    def test_search(self) -> None:
        """By name, description, type, keyword; what is not seen is not found, and not counted."""
        def names(query: str, user: str | None = "dev") -> list[str]:
            found = self.get(f"/search.json?{query}", user).json()
            self.assertEqual(len(found["results"]), found["total"])
            return [one["name"] for one in found["results"]]

        self.assertEqual(["okvpn/satis-api", "okvpn/cron-bundle"], names("q=okvpn"))
        self.assertEqual(["okvpn/satis-api"], names("search_query[query]=SATIS"))
        self.assertEqual(["acme/tagged"], names("q=&tags=queue"))
        self.assertEqual([], names("q=okvpn&type=project"))
        self.assertEqual([], names("q=%25"))
        self.assertEqual(["okvpn/cron-bundle"], names("q=okvpn", "user1"))
        self.assertEqual([], names("q=satis", "user1"))
        self.assertEqual(401, self.get("/search.json?q=x", None).status)
        page = self.get("/search.json?q=&per_page=2", "dev").json()
        self.assertEqual((2, 3), (len(page["results"]), page["total"]))
        self.assertEqual(1, len(self.get(page["next"].removeprefix(self.server.url), "dev").json()["results"]))
        self.assertEqual({"name", "description", "url", "repository", "downloads", "favers"}, page["results"][0].keys())

    def test_providers_and_versions(self) -> None:
        """What provides a virtual package; the details of a version, for who sees it."""
        found = self.get("/providers/psr/log-implementation.json", "dev").json()
        self.assertEqual(["acme/tagged"], [one["name"] for one in found["providers"]])
        self.assertEqual([], self.get("/providers/psr/log-implementation.json", "user1").json()["providers"])
        number = self.installation.do(self.installation.versions.index(self.packages["acme/tagged"].id))[0].id
        self.assertIn("psr/log-implementation", self.get(f"/versions/{number}.json", "dev").json()["content"])
        self.assertEqual((404, 404), (self.get(f"/versions/{number}.json", "user1").status, self.get("/versions/999999.json", "dev").status))

    def test_feeds(self) -> None:
        """New packages and stable releases, as RSS and Atom, for maintainers."""
        def titles(path: str) -> list[str | None]:
            answer = self.get(path, "dev")
            self.assertEqual((200, "private, s-maxage=3600"), (answer.status, answer.headers["cache-control"]), answer.body)
            root, kind = ET.fromstring(answer.body), path.rpartition(".")[2]
            self.assertEqual(f"application/{kind}+xml", answer.headers["content-type"])
            items = root.findall("channel/item/title") if kind == "rss" else root.findall("{*}entry/{*}title")
            return [item.text for item in items]

        for kind in ("rss", "atom"):
            self.assertEqual({"acme/tagged", "okvpn/satis-api", "okvpn/cron-bundle"}, set(titles(f"/feeds/packages.{kind}")))
            self.assertIn("okvpn/satis-api (2.0.0)", titles(f"/feeds/releases.{kind}"))
            self.assertEqual(6, len(titles(f"/feeds/vendor.okvpn.{kind}")))
            self.assertEqual({f"okvpn/satis-api ({number})" for number in ("1.0.0", "1.1.0", "2.0.0")}, set(titles(f"/feeds/package.okvpn/satis-api.{kind}")))
        self.assertEqual([], titles("/feeds/vendor.nobody.rss"))
        self.assertIn(f"<link>{self.server.url}/packages/okvpn/satis-api</link>", self.get("/feeds/releases.rss").body.decode())
        self.assertIn("<generator>Packagist</generator>", self.get("/feeds/releases.atom").body.decode())
        self.assertEqual((404, 404, 403, 401), tuple(self.get(f"/feeds/{name}", user).status for name, user in (("package.acme/none.rss", "dev"), ("packages.xml", "dev"), ("packages.rss", "user2"), ("packages.rss", None))))

    def test_favourites(self) -> None:
        """Everybody's own; counted wherever installs are."""
        path, name = "/users/user2/favorites", "okvpn/cron-bundle"
        body = b"package=okvpn%2Fcron-bundle"
        self.assertEqual((403, 401), (self.get(path, "dev", "POST", body, Content_Type=FORM).status, self.get(path, None, "POST", body, Content_Type=FORM).status))
        for _ in range(2):
            self.assertEqual((201, {"status": "success"}), ((answer := self.get(path, "user2", "POST", body, Content_Type=FORM)).status, answer.json()))
        self.assertEqual(201, self.send("/users/user1/favorites", {"package": name}, "user1").status)
        self.assertEqual((404, 400), (self.send("/users/user1/favorites", {"package": "okvpn/satis-api"}, "user1").status, self.send("/users/user1/favorites", {"package": 1}, "user1").status))
        self.assertEqual({"packageNames": [name]}, self.get(f"{path}.json", "user2").json())
        self.assertEqual(2, self.get(f"/api/packages/{name}", "dev").json()["package"]["favers"])
        self.assertEqual(2, self.get(f"/packages/{name}/downloads.json", "dev").json()["package"]["favers"])
        self.assertEqual(2, self.get("/search.json?q=cron", "user1").json()["results"][0]["favers"])
        self.assertEqual([204, 404], [self.get(f"{path}/{name}", "user2", "DELETE").status for _ in range(2)])
        self.assertEqual(1, self.get(f"/api/packages/{name}", "dev").json()["package"]["favers"])
        self.assertEqual(204, self.get(f"/users/user1/favorites/{name}", "user1", "DELETE").status)

    def test_delete_version(self) -> None:
        """By who maintains the package or may delete packages; metadata is without it at once."""
        package = self.packages["acme/tagged"]
        number = next(one.id for one in self.installation.do(self.installation.versions.index(package.id)) if one.version == "1.0.0")
        path = f"/versions/{number}/delete"
        self.assertEqual((401, 404, 403, 403), tuple(self.get(path, user, "DELETE").status for user in (None, "user1", "user2", "dev")))
        before = self.get("/p2/acme/tagged.json", "admin")
        self.assertEqual(1, len(before.json()["packages"]["acme/tagged"]))
        self.assertEqual((204, 404), (self.get(path, "admin", "DELETE").status, self.get(path, "admin", "DELETE").status))
        after = self.get("/p2/acme/tagged.json", "admin", If_Modified_Since=before.headers["last-modified"])
        self.assertEqual((200, []), (after.status, after.json()["packages"]["acme/tagged"]))
        self.installation.update(package)
        self.assertEqual(1, len(self.get("/p2/acme/tagged.json", "admin").json()["packages"]["acme/tagged"]))
