"""Documents put together out of stored versions."""

from typing import Any

import orjson
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.packages import as_v1
from packeton.features.packages.rendering import DistRules, published, v1_document
from packeton.features.packages.viewing import summary_of
from packeton.interfaces.packages import PackageSummary, RepoType, StoredVersion
from tests.support.packages import NEW_YEAR, package

A, B = "a" * 40, "b" * 40
DIST = {"type": "zip", "url": "https://x.example/a.zip", "reference": B, "shasum": ""}


def stored(version: str = "1.0.0", normalized: str = "1.0.0.0", number: int = 5, **fields: Any) -> StoredVersion:
    """Return a version with *fields* in its document."""
    is_dev = normalized.startswith("dev-")
    document = {"name": "acme/a", "version": version, "version_normalized": normalized, "require": {"a/b": "^1"}, **fields}
    return StoredVersion(
        id=number, package_id=1, version=version, normalized=normalized, is_dev=is_dev, reference=A, dist_reference=A,
        ref=f"tag:{version}", directory="", is_default=is_dev, released_at=NEW_YEAR, document=orjson.dumps(document),
    )  # fmt: skip


class V1Tests(SynchronousTestCase):
    """Documents for Composer 1, most of which are not read on the way."""

    def same(self, summary: PackageSummary, rules: DistRules, *versions: StoredVersion) -> None:
        checksums = {f"{A}.zip": "c" * 40}
        expected = {one.version: as_v1(published(one, summary, rules, checksums), one.id) for one in versions}
        self.assertEqual({"packages": {"acme/a": expected}}, orjson.loads(v1_document(summary, versions, rules, checksums)))

    def test_same(self) -> None:
        """A document is what its versions are when they are read, changed and written."""
        versions = (
            stored("2.0.0", "2.0.0.0", 6),
            stored("1.2.0", "1.2.0.0", 7, dist=DIST),
            stored("1.1.0", "1.1.0.0", 8, extra={"dist": 1, "version_normalized": "1"}, abandoned=True),
            stored("1.0.0", "1.0.0.0", 5, description='it has "quotes\\", and "dist":'),
            stored("dev-main", "dev-main", 9),
            stored("dev-x", "dev-x", 10, dist=DIST),
        )
        made = package()
        for fields in ({}, {"abandoned": True}, {"abandoned": True, "replacement": "acme/b"}, {"repo_type": RepoType.ARTIFACT}):
            summary = summary_of(evolve(made, **fields))
            for rules in (DistRules(), DistRules(replace=True), DistRules(replace=True, endpoint="https://cdn.example")):
                self.same(summary, rules, *versions)
                self.same(summary, rules)
