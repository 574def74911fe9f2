"""Version objects."""

import json
from datetime import UTC, datetime, timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.manifests import read_manifest
from packeton.core.composer.packages import apply_require_patch, as_v1, cleaned_constraint, version_object
from packeton.errors import Invalid

SOURCE = {"type": "git", "url": "https://git.example/acme/a.git", "reference": "a" * 40}
DIST = {"type": "zip", "url": "https://us.example/zipball/acme/a/" + "a" * 40 + ".zip", "reference": "a" * 40}
MANIFEST = {
    "autoload": {"psr-4": {"Acme\\A\\": "src"}}, "name": "acme/a", "license": "MIT", "require": {"PHP": ">=8.1", "x/y": ">=1.0@beta,<3.0@stable"},
    "authors": [{"name": "A", "email": "", "extra": 1}, {"homepage": "https://a.example", "role": "x"}, {}], "bin": "/bin/a", "suggest": {"x/z": "why"},
    "description": "An \x1b[31mapple\x07", "keywords": ["b", "a"], "scripts": {"x": "y"}, "extra": {}, "conflict": {}, "minimum-stability": "dev",
    "support": {"docs": "https://a.example"}, "funding": [{"type": "a", "url": "https://a.example"}], "archive": {"exclude": ["/t"]}, "type": "Library",
    "php-ext": {"extension-name": "a"}, "autoload-dev": {"files": ["a"]}, "version": "9", "include-path": ["lib"], "target-dir": "",
}  # fmt: skip


class VersionObjectTests(SynchronousTestCase):
    """version_object() and what is made of it."""

    def test_order_and_content(self) -> None:
        """Keys come in the order of the contract; what Composer does not read from a repository stays out."""
        version = version_object(
            MANIFEST, version="v1.2.0", version_normalized="1.2.0.0", source=SOURCE, dist=DIST,
            time=datetime(2024, 1, 2, 3, 4, 5, 678, timezone(timedelta(hours=2))), default_branch=True,
        )  # fmt: skip
        expected = {
            "name": "acme/a", "description": "An apple", "keywords": ["b", "a"], "homepage": "", "version": "v1.2.0", "version_normalized": "1.2.0.0",
            "license": ["MIT"], "authors": [{"name": "A"}, {"homepage": "https://a.example", "role": "x"}], "type": "library", "source": SOURCE,
            "dist": DIST, "time": "2024-01-02T01:04:05+00:00", "autoload": {"psr-4": {"Acme\\A\\": "src"}}, "include-path": ["lib"], "bin": ["bin/a"],
            "require": {"php": ">=8.1", "x/y": ">=1.0-beta,<3.0"}, "suggest": {"x/z": "why"}, "support": {"docs": "https://a.example"},
            "funding": [{"type": "a", "url": "https://a.example"}], "php-ext": {"extension-name": "a"}, "archive": {"exclude": ["/t"]},
            "default-branch": True,
        }  # fmt: skip
        self.assertEqual(json.dumps(expected), json.dumps(version))

    def test_least(self) -> None:
        """Of the least there can be, what Composer needs is there."""
        manifest = read_manifest(b'{"name": "acme/a"}').document
        version = version_object(manifest, version="dev-main", version_normalized="dev-main", source=None, dist=None, time=None)
        self.assertEqual(
            {"name": "acme/a", "description": "", "keywords": [], "homepage": "", "version": "dev-main", "version_normalized": "dev-main",
             "license": [], "authors": [], "type": "library"},
            version,
        )  # fmt: skip

    def test_composer_1(self) -> None:
        """Default branches have another normal form for Composer 1."""
        for normalized, v1 in (("dev-main", "9999999-dev"), ("dev-master", "9999999-dev"), ("dev-x", "dev-x"), ("1.0.0.0", "1.0.0.0")):
            version = as_v1({"name": "a/b", "version_normalized": normalized, "type": "library"}, 7)
            self.assertEqual(
                [("name", "a/b"), ("version_normalized", v1), ("version_normalized_v2", normalized), ("type", "library"), ("uid", 7)],
                list(version.items()),
            )

    def test_clean_up(self) -> None:
        """Only stability flags of bounds among several are rewritten."""
        for text, clean in (
            (">=1.0@dev,<2.0@stable", ">=1.0-dev,<2.0"), ("^1.0@dev", "^1.0@dev"), (">=1.0,<2", ">=1.0,<2"), (">= 1.0@RC, <2", ">= 1.0-RC, <2"),
        ):  # fmt: skip
            self.assertEqual(clean, cleaned_constraint(text))

    def test_require_patch(self) -> None:
        """The first patch whose constraint holds the version changes, adds and takes out requirements."""
        version = {"version_normalized": "1.2.0.0", "require": {"a/b": "^1", "c/d": "*"}, "type": "x"}
        patches = {"^2.0": {"a/b": "no"}, "^1.0": {"a/b": "^2", "c/d": "unset", "e/f": "1"}, "*": {"a/b": "never"}}
        patched = apply_require_patch(version, patches)
        self.assertEqual([("version_normalized", "1.2.0.0"), ("require", {"a/b": "^2", "e/f": "1"}), ("type", "x")], list(patched.items()))
        self.assertEqual("^1", version["require"]["a/b"])
        self.assertEqual(version, apply_require_patch(version, {"^9": {"a/b": "1"}}))
        self.assertEqual({"version_normalized": "1.0.0.0"}, apply_require_patch({"version_normalized": "1.0.0.0", "require": {"a/b": "1"}}, {"*": {"a/b": "unset"}}))
        self.assertEqual({"version_normalized": "1.0.0.0", "require": {"a/b": "1"}}, apply_require_patch({"version_normalized": "1.0.0.0"}, {"*": {"a/b": "1"}}))
        with self.assertRaises(Invalid):
            apply_require_patch(version, {"^": {"a/b": "1"}})

    def test_times(self) -> None:
        """Times are in UTC, to the second."""
        version = version_object({"name": "a/b"}, version="1", version_normalized="1.0.0.0", source=None, dist=None, time=datetime(2024, 1, 1, tzinfo=UTC))
        self.assertEqual("2024-01-01T00:00:00+00:00", version["time"])
