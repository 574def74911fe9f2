"""The access matrix over the REST interface: documents, lists, search, figures and notifications tell nobody more."""

import json
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from packeton.adapters.database.packages import PackageRecords
from tests.support import matrix
from tests.support.client import Answer
from tests.support.matrix import PACKAGES, REPOSITORIES, WHO, Who
from tests.support.matrix_site import SCOPES, MatrixTestCase

PUBLISHED = [name for name, facts in PACKAGES.items() if not facts.archived]
UNKNOWN = "no/such"
OF_ONE = (
    "packages/{}.json", "api/packages/{}", "packages/{}/changelog?to=2.0.0", "api/packages/{}/changelog?to=2.0.0",
    "api/packages/{}/advisories", "packages/{}/downloads.json", "packages/{}/stats.json", "packages/{}/stats/all.json", "packages/{}/stats/dev-main.json",
)  # fmt: skip


def needed(path: str) -> str | None:
    """Return the role that a route about one package is for."""
    if "changelog" in path or "downloads.json" in path:
        return "maintainer"
    return "full" if "stats" in path else None


def refused(who: Who, role: str | None) -> int | None:
    """Return how a caller without the role is refused, whatever it asked about."""
    has = {None: True, "full": who.full, "maintainer": who.maintains}[role]
    return None if has else 401 if who.anonymous else 403


def head(answer: Answer) -> dict[str, str]:
    """Return the header fields but for the moment."""
    return {name: value for name, value in answer.headers.items() if name != "date"}


class ApiMatrixTests(MatrixTestCase):
    """What people and programs ask for, at the hosts of repositories and, where routes are there, below their slugs."""

    def good(self, answer: Answer) -> Any:
        """Return the document of an answer that no cache keeps for others."""
        self.assertEqual((200, "private, no-store"), (answer.status, answer.headers["cache-control"]), answer.body)
        return answer.json()

    def both(self, name: str, repository: str, path: str) -> Any:
        """Return what is answered below the slug, which is what is answered at the host."""
        by_slug, by_host = self.get(name, repository, path), self.at_host(name, repository, path)
        self.assertEqual(by_slug.status, by_host.status)
        self.assertEqual(by_slug.headers.get("cache-control"), by_host.headers.get("cache-control"))
        return by_slug

    def inside(self, who: Who, repository: str) -> list[str]:
        return [one for one in PUBLISHED if matrix.sees(who, repository, one)]

    def with_version(self, who: Who, repository: str, version: str) -> list[str]:
        """Return the packages of which the caller sees this version."""
        return [one for one in self.inside(who, repository) if version in matrix.seen_versions(who, repository, one)]

    def test_doors(self) -> None:
        """At a host as below a slug: who may not enter is told the same on every route, of what is there or is not."""
        paths = [path.format(package) for path in OF_ONE for package in ("acme/a", UNKNOWN)]
        paths += ["api/packages", "packages/list.json", "search.json", "providers/acme/a.json", "versions/1.json", "api/packages/acme/a/dependents"]
        for name, who in WHO.items():
            for repository in REPOSITORIES:
                expected = matrix.enters(who, repository, by_host=True)
                if expected != 200:
                    answers = [self.at_host(name, repository, path) for path in paths]
                    self.assertEqual({(expected, answers[0].body)}, {(one.status, one.body) for one in answers}, (name, repository))

    def test_one_package(self) -> None:
        """A package that is not seen is one that does not exist; a role that is missing is missing for both."""
        for name, who, repository in self.everybody():
            for path in OF_ONE:
                nowhere = self.at_host(name, repository, path.format(UNKNOWN))
                for package in PACKAGES:
                    answer = self.at_host(name, repository, path.format(package))
                    missing = refused(who, needed(path))
                    if missing is not None or not matrix.sees(who, repository, package, archived=True):
                        self.assertEqual(missing or 404, answer.status, (path, package))
                        self.assertEqual((nowhere.status, nowhere.body, head(nowhere)), (answer.status, answer.body, head(answer)))
                        self.assertIn("no-store", answer.headers["cache-control"])
                    else:
                        self.good(answer)

    def test_security(self) -> None:
        """Advisories are for maintainers; for others there is nothing, whatever they see."""
        records = PackageRecords(self.access.database)
        kept = {
            "id": "PKSA-1", "package": "x/y", "affected": "<2", "title": "Leaks", "link": "https://e.example/1", "cve": "CVE-1",
            "severity": "high", "reported_at": None, "reporters": [["GitHub", "GHSA-1"]],
        }  # fmt: skip
        state = {"lock": "0", "checkedAt": "2025-01-01T00:00:00+00:00", "versions": {"x/y": "1.0"}, "advisories": [kept]}
        held = self.access.done(records.find("acme/a"))
        self.access.done(records.change(held.id, lambda one: evolve(one, settings={"securityAudit": state})))
        shown = {
            "advisoryId": "PKSA-1", "packageName": "x/y", "version": "1.0", "affectedVersions": "<2", "title": "Leaks",
            "link": "https://e.example/1", "cve": "CVE-1", "severity": "high", "reportedAt": None,
            "sources": [{"name": "GitHub", "remoteId": "GHSA-1"}],
        }  # fmt: skip
        expected = {name: {"name": name, "checkedAt": None, "advisories": []} for name in PACKAGES}
        expected["acme/a"] |= {"checkedAt": state["checkedAt"], "advisories": [shown]}
        for name, who, repository in self.everybody():
            for package in PACKAGES:
                answer = self.at_host(name, repository, f"packages/{package}/security.json")
                if who.anonymous:
                    self.assertEqual(401, answer.status)
                elif who.maintains and matrix.sees(who, repository, package, archived=True):
                    self.assertEqual(expected[package], self.good(answer))
                else:
                    nowhere = self.at_host(name, repository, f"packages/{UNKNOWN}/security.json")
                    self.assertEqual((404, nowhere.body), (answer.status, answer.body))

    def test_audit(self) -> None:
        """Of all packages that are asked about, advisories are told of those that the caller sees."""
        records = PackageRecords(self.access.database)
        kept = {"id": "A-1", "package": "x/y", "affected": "*", "title": "Leaks", "link": None, "cve": None, "severity": None, "reported_at": None, "reporters": []}
        for package in PACKAGES:
            held = self.access.done(records.find(package))
            self.access.done(records.change(held.id, lambda stored: evolve(stored, settings={**stored.settings, "securityAdvisories": [kept]})))
        asked = "&".join(f"packages[]={package}" for package in (*PACKAGES, UNKNOWN))
        for name, who, repository in self.everybody():
            found = self.good(self.both(name, repository, f"api/security-advisories/?{asked}"))["advisories"]
            self.assertEqual([one for one in PACKAGES if matrix.sees(who, repository, one)], list(found))
            self.assertTrue(all(package == one["packageName"] for package, listed in found.items() for one in listed))

    def test_documents(self) -> None:
        """A document has the versions that are seen, and counts what is seen; groups are for who sees everything."""
        found = 0
        for name, who, repository in self.everybody():
            for package in PACKAGES:
                if not matrix.sees(who, repository, package, archived=True):
                    continue
                versions = matrix.seen_versions(who, repository, package, archived=True)
                for path in ("packages/{}.json", "api/packages/{}"):
                    document = self.good(self.at_host(name, repository, path.format(package)))["package"]
                    self.assertEqual(sorted(versions), sorted(document["versions"]))
                    self.assertEqual(package, document["name"])
                    self.assertTrue(who.full or not document["groups"])
                    if package == "acme/a":
                        counted = document["dependents"], document["suggesters"]
                        needing = self.with_version(who, repository, "dev-main"), self.with_version(who, repository, "1.x-dev")
                        self.assertEqual(tuple(map(len, needing)), counted)
                found += len(versions)
                if refused(who, "full") is None:
                    self.assertEqual(sorted(versions), sorted(self.good(self.at_host(name, repository, f"packages/{package}/stats.json"))["versions"]))
                if refused(who, "maintainer") is None:
                    figures = self.good(self.at_host(name, repository, f"packages/{package}/downloads.json"))["package"]["downloads"]
                    self.assertEqual(sorted(versions), sorted(figures["versions"]))
        self.assertGreater(found, 300)

    def test_versions(self) -> None:
        """The details of a version are for who sees it; any other number is not there."""
        numbers = {1 + index: (package, one) for index, (package, one) in enumerate((p, v) for p, facts in PACKAGES.items() for v in facts.versions)}
        for name, who, repository in self.everybody():
            nowhere = self.at_host(name, repository, "versions/9999.json")
            for number, (package, one) in numbers.items():
                answer = self.at_host(name, repository, f"versions/{number}.json")
                if matrix.sees_version(who, repository, package, one, archived=True):
                    self.assertIn(f"{package} {one.version}<", self.good(answer)["content"])
                else:
                    self.assertEqual((404, nowhere.body), (answer.status, answer.body))

    def test_lists(self) -> None:
        """Lists are for who sees everything, of the repository it is in, without the archived."""
        for name, who, repository in self.everybody():
            answers = [self.both(name, repository, "packages/list.json"), self.at_host(name, repository, "api/packages")]
            full = self.at_host(name, repository, "api/packages?fields[]=versions&fields[]=type")
            dependents = self.at_host(name, repository, "packages/acme/a/dependents.json")
            missing = refused(who, "full")
            if missing is not None:
                self.assertEqual({missing}, {one.status for one in (*answers, full, dependents)})
                continue
            expected = self.inside(who, repository)
            for answer in answers:
                self.assertEqual(expected, self.good(answer)["packageNames"])
            found = {package: sorted(fields["versions"]) for package, fields in self.good(full)["packages"].items()}
            self.assertEqual({one: sorted(matrix.seen_versions(who, repository, one)) for one in expected}, found)
            page = self.good(dependents)
            self.assertEqual((expected, len(expected)), ([row["name"] for row in page["packages"]], page["count"]))

    def test_popular(self) -> None:
        """What is popular is for maintainers, of the repository they are in."""
        for name, who, repository in self.everybody():
            answer, missing = self.at_host(name, repository, "explorepopular.json"), refused(who, "maintainer")
            if missing is not None:
                self.assertEqual(missing, answer.status)
            else:
                found = self.good(answer)
                self.assertEqual(self.inside(who, repository), [row["name"] for row in found["packages"]])
                self.assertEqual(len(found["packages"]), found["total"])

    def test_search(self) -> None:
        """Search finds and counts what is seen; nothing is found by what only an unseen version says."""
        found = 0
        for name, who, repository in self.everybody():
            expected = {"q=": self.inside(who, repository), "q=acme": [one for one in self.inside(who, repository) if "acme" in one]}
            for version in ("dev-main", "1.x-dev", "1.0.0"):
                seen = [] if version == "1.0.0" else self.with_version(who, repository, version)
                expected[f"tags[]=tag-{version}"] = seen
                providers = self.good(self.at_host(name, repository, f"providers/given/{version}.json"))["providers"]
                self.assertEqual(seen, [one["name"] for one in providers], version)
            for query, names in expected.items():
                answer = self.good(self.both(name, repository, f"search.json?{query}"))
                self.assertEqual((sorted(names), len(names)), (sorted(row["name"] for row in answer["results"]), answer["total"]), query)
                one = self.good(self.get(name, repository, f"search.json?{query}&per_page=1"))
                self.assertEqual((min(1, len(names)), len(names), len(names) > 1), (len(one["results"]), one["total"], "next" in one))
                found += len(names)
        self.assertGreater(found, 100)

    def test_changes(self) -> None:
        """The feed is for maintainers, and names what is in their repository."""
        since = int((self.access.clock.seconds() - 3600) * 10_000)
        for name, who, repository in self.everybody():
            answer, missing = self.both(name, repository, f"metadata/changes.json?since={since}"), refused(who, "maintainer")
            if missing is not None:
                self.assertEqual(missing, answer.status)
            else:
                names = {action["package"].removesuffix("~dev") for action in self.good(answer)["actions"]}
                self.assertEqual({one for one in PACKAGES if matrix.sees(who, repository, one, archived=True)}, names)

    def told(self, who: Who, repository: str, pairs: list[tuple[str, str]], seen: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Give what a notification is told to be unknown: in a sub-repository, only versions of what is seen."""
        at_root = matrix.place(who, repository) == "root"
        for package, version in pairs:
            if (package, version) not in seen and (at_root or (package in PACKAGES and matrix.sees(who, repository, package))):
                yield package, version

    def test_notifications(self) -> None:
        """What is seen counts; what is not is told of, or not, as what is not there."""
        versions = {(package, one.normalized): one for package, facts in PACKAGES.items() for one in facts.versions}
        pairs = [*versions, ("acme/none", "1.0.0.0"), (UNKNOWN, "1.0.0.0"), ("acme/a", "9.0.0.0")]
        body = json.dumps({"downloads": [{"name": package, "version": version} for package, version in pairs]}).encode()
        for name, who, repository in self.everybody():
            slug = "" if repository == "root" else f"/{repository}"
            seen = [pair for pair, one in versions.items() if matrix.sees_version(who, repository, pair[0], one)]
            told = list(self.told(who, repository, pairs, seen))
            type(self).installed = []
            for answer in (self.wire.ask("POST", f"{slug}/downloads/", self.headers[name], body), self.at_host(name, repository, "downloads/", "POST", body)):
                self.assertEqual((200 if told else 201, "private, no-store"), (answer.status, answer.headers["cache-control"]))
                text = answer.json().get("message", "Packages [] not found").removeprefix("Packages ").removesuffix(" not found")
                self.assertEqual(told, [(one["name"], one["version"]) for one in json.loads(text)])
                if not who.anonymous:
                    self.assertEqual([f"{package}: {version}" for package, version in seen], self.installed)
            for package, version in (("acme/a", "2.0.0.0"), ("acme/gone", "2.0.0.0"), ("other/x", "dev-main"), (UNKNOWN, "1.0.0.0")):
                one = self.wire.ask("POST", f"{slug}/downloads/{package}", self.headers[name], f"version_normalized={version}".encode())
                self.assertEqual(404 if (package, version) in told else 201, one.status)

    def test_changing(self) -> None:
        """Who may change nothing is refused what it sees, and told that the rest is not there."""
        for name, who, repository in self.everybody():
            if who.maintains or who.anonymous:
                continue
            for package in (*PACKAGES, UNKNOWN):
                there = package in PACKAGES and matrix.sees(who, repository, package, archived=True)
                for path, method, expected in (
                    (f"api/packages/{package}", "PUT", 403 if there else 404),
                    (f"api/packages/{package}", "DELETE", 403 if there else 404),
                    (f"packages/{package}?update=1", "PUT", 404),
                ):
                    self.assertEqual(expected, self.at_host(name, repository, path, method, b"{}").status, (package, method))

    def test_limited_tokens(self) -> None:
        """A personal access token sees what its owner sees, on the routes of its scope, and opens no other."""
        metadata = ("packages.json", "p2/acme/a.json", "p2/acme/a~dev.json", "p2/acme/gone.json", f"zipball/acme/a/{'a3' * 20}.zip", "search.json", "providers/given/dev-main.json")
        packages = (
            "api/packages", "packages/list.json?fields[]=versions", "packages/acme/a/dependents.json", "explorepopular.json",
            *(path.format("acme/a") for path in OF_ONE), "packages/other/x.json",
        )  # fmt: skip
        packages_read, none = frozenset({"packages:read", "packages:all"}), frozenset[str]()
        scopes = dict.fromkeys(metadata, frozenset({"metadata"})) | dict.fromkeys(packages, packages_read) | {"versions/1.json": none}
        for name, who in WHO.items():
            if who.anonymous:
                continue
            for path, opening in scopes.items():
                whole = self.wire.ask("GET", f"/{path}", self.headers[name])
                for scope in SCOPES:
                    answer = self.wire.ask("GET", f"/{path}", self.limited[name, scope])
                    if scope in opening:
                        self.assertEqual((whole.status, whole.body), (answer.status, answer.body), (name, path))
                    else:
                        self.assertEqual(401, answer.status, (name, path, scope))
