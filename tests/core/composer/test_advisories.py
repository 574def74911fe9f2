"""Which locked packages are asked about, and which advisories hit them."""

from typing import Any
from unittest import TestCase

import orjson

from packeton.core.composer.advisories import asked_about, hits, ignored_in, read_advisories
from packeton.core.composer.lockfiles import locked_packages
from packeton.errors import BadContent

PACKAGIST = "https://packagist.org/downloads/"


def locked(name: str, notification: str | None = None, dist: str | None = None, kind: str = "zip") -> dict[str, Any]:
    """Return a package as a lock has it."""
    package: dict[str, Any] = {"name": name, "version": "v1.2.0"}
    if notification is not None:
        package["notification-url"] = notification
    if dist is not None:
        package["dist"] = {"type": kind, "url": dist, "reference": "a"}
    return package


def advisory(number: str, affected: object, **fields: Any) -> dict[str, Any]:
    """Return an advisory as the API has it."""
    return {"advisoryId": number, "affectedVersions": affected, "title": "T", **fields}


class AskedAboutTests(TestCase):
    """Names that may leave the house."""

    def test_table(self) -> None:
        """Packagist's packages, and zips of GitHub that no repository claims; nothing else."""
        github = "https://api.github.com/repos/a/b/zipball/abc"
        for package, expected in (
            (locked("a/a", PACKAGIST), True),
            (locked("a/a", "https://repo.packagist.org/downloads/"), True),
            (locked("a/a", dist=github), True),
            (locked("a/a", "https://packages.acme.example/downloads/", github), False),
            (locked("a/a", "https://packagist.org.evil.example/"), False),
            (locked("a/a", "https://[packagist.org/"), False),
            (locked("a/a", dist=github, kind="tar"), False),
            (locked("a/a", dist="https://gitlab.com/a/b.zip"), False),
            (locked("a/a"), False),
        ):
            for key in ("packages", "packages-dev"):
                lock = orjson.dumps({"packages": [], key: [package]})
                found = asked_about(locked_packages(lock))
                self.assertEqual({"a/a": "v1.2.0"} if expected else {}, found, package)


class IgnoreTests(TestCase):
    """`config.audit` of composer.json."""

    def test_table(self) -> None:
        """Lists and maps, under both names; what is broken ignores nothing."""
        for audit, expected in (
            ({"ignore": ["CVE-1", "PKSA-1", 3]}, {"CVE-1", "PKSA-1"}),
            ({"ignore": {"CVE-1": "we do not call it", "CVE-2": None}}, {"CVE-1", "CVE-2"}),
            ({"ignore": {"CVE-1": {"apply": "block"}, "CVE-2": {"apply": "audit", "reason": "x"}}}, {"CVE-2"}),
            ({"ignored": ["CVE-3"], "ignore": "CVE-1"}, {"CVE-3"}),
            ([], set()),
        ):
            self.assertEqual(expected, ignored_in(orjson.dumps({"config": {"audit": audit}})), audit)
        for content in (None, b"{", b"[]", b'{"config": 1}'):
            self.assertEqual(frozenset(), ignored_in(content))


class HitTests(TestCase):
    """Advisories against locked versions."""

    def found(self, version: str, affected: object, *ignored: str, **fields: Any) -> list[str]:
        content = orjson.dumps({"advisories": {"a/a": [advisory("PKSA-1", affected, **fields)]}})
        return [one.id for one in hits(read_advisories(content), {"a/a": version}, ignored)]

    def test_versions(self) -> None:
        """As Composer matches them; a constraint that cannot be read counts."""
        for version, affected, expected in (
            ("v1.2.0", ">=1.0,<1.2.1", True), ("1.2.1", ">=1.0,<1.2.1", False), ("2.0.0-RC1", "<1.0|>=2.0-beta1,<2.0.1", True),
            ("dev-main", "<99", False), ("1.0.0", "no constraint at all!", True), ("1.0", "", False), ("1.0", 7, False),
        ):  # fmt: skip
            self.assertEqual(expected, bool(self.found(version, affected)), (version, affected))

    def test_ignored(self) -> None:
        """By its id, its CVE, or the id where it was reported."""
        fields = {"cve": "CVE-1", "sources": [{"name": "GitHub", "remoteId": "GHSA-1"}]}
        self.assertEqual(["PKSA-1"], self.found("1.0", "*", "CVE-2", **fields))
        for name in ("PKSA-1", "CVE-1", "GHSA-1"):
            self.assertEqual([], self.found("1.0", "*", name, **fields))

    def test_reading(self) -> None:
        """Other packages do not count, links are web addresses, an empty answer is a list, other answers are refused."""
        content = orjson.dumps({"advisories": {"A/A": {"0": advisory("1", "*", link="javascript:x")}, "b/b": [advisory("2", "*"), 3], "c/c": 4}})
        found = read_advisories(content)
        self.assertEqual([("a/a", None), ("b/b", None)], [(one.package, one.link) for one in found])
        self.assertEqual(["1"], [one.id for one in hits([*found, *found], {"a/a": "1.0"}, ())])
        self.assertEqual([], read_advisories(b'{"advisories": []}'))
        for content in (b"", b"[]", b"{}", b'{"advisories": 1}'):
            with self.assertRaises(BadContent):
                read_advisories(content)
