"""Names of tags and branches as versions, held against Composer's rules."""

from datetime import UTC, datetime
from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.sources import (
    Skipped,
    branch_version,
    dist_reference,
    manifest_of,
    of_branch,
    of_tag,
    tag_version,
)
from packeton.errors import Invalid

TIME = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def content(**more: Any) -> bytes:
    return orjson.dumps({"name": "acme/lib", "description": "x", **more})


class NameTests(SynchronousTestCase):
    """Source: VcsRepository::initialize."""

    def test_tags(self) -> None:
        """What a tag's name is as a version."""
        for tag, pretty, normalized in (
            ("v1.0.0", "v1.0.0", "1.0.0.0"), ("release-2.1", "2.1", "2.1.0.0"), ("1.0.0-RC1", "1.0.0-RC1", "1.0.0.0-RC1"),
        ):  # fmt: skip
            named = tag_version(tag)
            self.assertEqual((pretty, normalized), (named.pretty, named.normalized))
        for tag in ("nightly", "foo-1", "v"):
            with self.assertRaisesRegex(Skipped, f"Skipped tag {tag}, invalid tag name"):
                tag_version(tag)

    def test_branches(self) -> None:
        """What a branch's name is as a version."""
        for branch, pretty, normalized in (
            ("main", "dev-main", "dev-main"), ("2.x", "2.x-dev", "2.9999999.9999999.9999999-dev"),
            ("v2.1", "v2.1.x-dev", "2.1.9999999.9999999-dev"), ("feature/a#b", "dev-feature/a+b", "dev-feature/a+b"),
            ("1.0.0", "1.0.0.x-dev", "1.0.0.9999999-dev"),
        ):  # fmt: skip
            named = branch_version(branch)
            self.assertEqual((pretty, normalized), (named.pretty, named.normalized), branch)
        with self.assertRaisesRegex(Skipped, "Skipped branch a b, invalid name"):
            branch_version("a b")

    def test_versions_in_manifests(self) -> None:
        """A version in composer.json must be the tag's; on a branch it does not count, nor if it is nonsense."""
        agreeing = manifest_of(content(version="1.0"), name=None, versioned=True)
        version = of_tag("v1.0.0", tag_version("v1.0.0"), agreeing, source=None, time=TIME)
        self.assertEqual(("1.0", "1.0.0.0", "2024-01-02T03:04:05+00:00"), tuple(version[key] for key in ("version", "version_normalized", "time")))
        with self.assertRaisesRegex(Skipped, r"tag \(1\.1\.0\.0\) does not match version \(1\.0\.0\.0\) in composer\.json"):
            of_tag("1.1.0", tag_version("1.1.0"), agreeing, source=None, time=TIME)
        with self.assertRaisesRegex(Skipped, "tags can not use dev prefixes or suffixes"):
            of_tag("1.0-dev", tag_version("1.0-dev"), manifest_of(content(), name=None, versioned=True), source=None, time=TIME)
        loose = manifest_of(content(version="no version at all"), name=None, versioned=False)
        self.assertEqual("dev-main", of_branch(branch_version("main"), loose, source=None, time=TIME, default=True)["version"])
        with self.assertRaises(Invalid):
            manifest_of(content(version="no version at all"), name=None, versioned=True)

    def test_names_and_times(self) -> None:
        """The package's name stands in for any other, or none; composer.json's own time counts."""
        manifest = manifest_of(b'{"description": "no name", "time": "2012-05-06"}', name="acme/kept", versioned=True)
        version = of_tag("1.0", tag_version("1.0"), manifest, source={"type": "git"}, time=TIME)
        self.assertEqual(("acme/kept", "2012-05-06T00:00:00+00:00"), (version["name"], version["time"]))
        with self.assertRaises(Invalid):
            manifest_of(b'{"description": "no name"}', name=None, versioned=True)
        with self.assertRaises(Invalid):
            manifest_of(b"[1]", name="acme/kept", versioned=False)

    def test_dist_reference(self) -> None:
        """40 hexadecimal digits stay; anything else is hashed."""
        self.assertEqual("a" * 40, dist_reference("a" * 40))
        self.assertRegex(dist_reference("/tags/1.0/@12"), "^[0-9a-f]{40}$")
        self.assertNotEqual(dist_reference("/tags/1.0/@12"), dist_reference("/tags/1.0/@13"))
