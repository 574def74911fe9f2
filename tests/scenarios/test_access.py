"""The access matrix over HTTP: lists, metadata of both generations, zips and 304 answers say what the contract says."""

import json

from packeton.core.composer.minifier import expanded
from tests.support import matrix
from tests.support.matrix import PACKAGES, REPOSITORIES, WHO, Who
from tests.support.matrix_site import MatrixTestCase

COMPOSER_1 = "Composer/1.10.2 (Windows NT; 10.0; PHP 8.1.0)"


class AccessMatrixTests(MatrixTestCase):
    """What Composer asks for."""

    def test_doors(self) -> None:
        """Who may not enter is told the same on every route; a slug that is not there is 404."""
        paths = ("packages.json", "p2/acme/a.json", "p2/acme/a~dev.json", "p/acme/a.json", f"zipball/acme/a/{'a0' * 20}.zip")
        for name, who in WHO.items():
            for repository in REPOSITORIES:
                expected = matrix.enters(who, repository)
                for path in paths:
                    with self.subTest(who=name, repository=repository, path=path):
                        status = self.get(name, repository, path).status
                        self.assertEqual(expected, 200 if expected == 200 and status in {200, 404} else status)
                self.assertEqual(401 if who.refused else 404, self.get(name, "unknown", "packages.json").status)

    def test_lists(self) -> None:
        """The root lists what is there for the caller, to both generations alike."""
        for name, who, repository in self.everybody():
            expected = [one for one in PACKAGES if matrix.sees(who, repository, one)]
            root = self.get(name, repository, "packages.json").json()
            self.assertEqual(expected, root["available-packages"])
            slug = "" if repository == "root" else f"/{repository}"
            self.assertEqual(f"{slug}/p2/%package%.json", root["metadata-url"])
            old = self.get(name, repository, "packages.json", User_Agent=COMPOSER_1).json()
            digest = next(iter(old["provider-includes"].values()))["sha256"]
            providers = self.get(name, repository, f"p/providers${digest}.json").json()["providers"]
            visible = [one for one in expected if any(self.expected(who, repository, one))]
            self.assertLessEqual(set(visible), set(providers))
            self.assertLessEqual(set(providers), set(expected))

    def expected(self, who: Who, repository: str, package: str, *, dev: bool | None = None) -> list[str]:
        versions = [one for one in PACKAGES[package].versions if dev is None or (one.stability == "dev") is dev]
        return [one.version for one in versions if matrix.sees_version(who, repository, package, one)]

    def test_metadata(self) -> None:
        """Composer 2's documents and Composer 1's hold the versions that the caller sees, and no other."""
        shown = 0
        for name, who, repository in self.everybody():
            for package in PACKAGES:
                there = matrix.sees(who, repository, package)
                for dev in (False, True):
                    answer = self.get(name, repository, f"p2/{package}{'~dev' if dev else ''}.json")
                    self.assertEqual(200 if there else 404, answer.status, package)
                    if there:
                        found = [one["version"] for one in expanded(answer.json()["packages"][package])]
                        self.assertEqual(sorted(self.expected(who, repository, package, dev=dev)), sorted(found), package)
                        shown += len(found)
                every = self.expected(who, repository, package)
                old = self.get(name, repository, f"p/{package}.json")
                self.assertEqual(200 if every else 404, old.status, package)
                if every:
                    self.assertEqual(sorted(every), sorted(old.json()["packages"][package]), package)
        self.assertGreater(shown, 300)

    def test_not_modified(self) -> None:
        """Validators of who sees everything are never good for who sees less; one's own are."""
        package = "acme/a"
        for name, who, repository in self.everybody():
            path = f"p2/{package}.json"
            full = self.get("admin", repository, path)
            theirs = {"If_None_Match": full.headers["etag"], "If_Modified_Since": full.headers["last-modified"]}
            answer = self.get(name, repository, path, **theirs)
            everything = self.expected(who, repository, package, dev=False) == self.expected(WHO["admin"], repository, package, dev=False)
            if not matrix.sees(who, repository, package):
                self.assertEqual(404, answer.status)
                continue
            if not everything:
                self.assertEqual(200, answer.status)
            own = self.get(name, repository, path)
            again = self.get(name, repository, path, If_None_Match=own.headers["etag"])
            self.assertEqual((304, b""), (again.status, again.body))
            self.assertIn("private", own.headers["cache-control"])

    def test_zips(self) -> None:
        """An archive is for who sees a version with its reference; of no version, for who sees everything."""
        for name, who, repository in self.everybody():
            for package, facts in PACKAGES.items():
                for one in facts.versions:
                    answer = self.get(name, repository, f"zipball/{package}/{one.reference}.zip")
                    seen = matrix.sees_version(who, repository, package, one, archived=True)
                    self.assertEqual(200 if seen else 404, answer.status, f"{package} {one.version}")
                    if seen:
                        self.assertEqual(f"archive of {one.reference}".encode(), answer.body)
                answer = self.get(name, repository, f"zipball/{package}/{'9' * 40}.zip")
                free = matrix.sees(who, repository, package, archived=True) and (who.full or REPOSITORIES[repository][1])
                if free or not matrix.sees(who, repository, package, archived=True):
                    self.assertEqual(200 if free else 404, answer.status, package)

    def test_answers_of_others(self) -> None:
        """What one caller fetched is not what the next one gets: asked in any order, the answers are the same."""
        def documents(names: list[str]) -> dict[str, str]:
            return {name: json.dumps(list(expanded(self.get(name, "root", "p2/acme/a.json").json()["packages"]["acme/a"]))) for name in names}

        names = [name for name, who in WHO.items() if not who.refused and matrix.sees(who, "root", "acme/a")]
        self.assertEqual(documents(names), documents(names[::-1]))
        self.assertGreater(len(set(documents(names).values())), 4)
