"""Advisories as they are written down, kept and published."""

from datetime import UTC, datetime
from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.advisories import Advisory, read_advisories
from packeton.core.composer.advisory_forms import as_kept, as_published, kept_advisories, written_advisory
from packeton.errors import InvalidFields

NOW = datetime(2026, 11, 25, 3, 0, 0, 5, UTC)
WHOLE = {
    "advisoryId": "ACME-2026-1", "affectedVersions": ">=1.0,<1.2.3|2.0.*", "title": " Leaks\n everything ", "link": "https://acme.example/1",
    "cve": "cve-2026-12345", "severity": "high", "reportedAt": "2026-11-01",
}  # fmt: skip


def written(**fields: Any) -> Advisory:
    return written_advisory("acme/a", fields, number="PKTN-1", now=NOW)


class FormTests(SynchronousTestCase):
    """What somebody writes."""

    def test_whole(self) -> None:
        """All fields come out as Composer reads them, and are the same once kept."""
        advisory = written(**WHOLE)
        expected = {
            **WHOLE, "packageName": "acme/a", "title": "Leaks everything", "cve": "CVE-2026-12345", "reportedAt": "2026-11-01T00:00:00+00:00",
            "sources": [{"name": "Packeton", "remoteId": "ACME-2026-1"}],
        }  # fmt: skip
        self.assertEqual(expected, as_published(advisory))
        kept = orjson.loads(orjson.dumps(as_kept([advisory])))
        self.assertEqual((advisory,), kept_advisories(kept, "acme/a"))
        self.assertEqual([advisory], read_advisories(orjson.dumps({"advisories": {"acme/a": [as_published(advisory)]}})))

    def test_least(self) -> None:
        """A constraint and a title are enough; what Composer wants in a whole advisory is there."""
        published = as_published(written(affectedVersions="<2", title="Bad", link="", cve=None))
        self.assertEqual(("PKTN-1", "2026-11-25T03:00:00+00:00", None, None), tuple(published[key] for key in ("advisoryId", "reportedAt", "link", "cve")))
        self.assertTrue(published["sources"])

    def test_wrong(self) -> None:
        """What cannot be used is named, all of it at once."""
        good = {"affectedVersions": "<2", "title": "Bad"}
        for field, value in (
            ("affectedVersions", "no constraint!"), ("affectedVersions", 1), ("affectedVersions", "<2 " * 1000), ("title", "x" * 1001), ("title", []),
            ("title", "a\x1b[31m"), ("link", "javascript:x"), ("link", "https://a b"), ("cve", "2026-1"), ("severity", "awful"), ("severity", []),
            ("reportedAt", "yesterday"), ("advisoryId", "../x"), ("advisoryId", 7), ("extra", 1),
        ):  # fmt: skip
            error = self.assertRaises(InvalidFields, written, **{**good, field: value})
            self.assertEqual({field}, set(error.fields), value)
        self.assertEqual({"affectedVersions", "title"}, set(self.assertRaises(InvalidFields, written).fields))

    def test_kept_by_others(self) -> None:
        """What cannot be read is left out; a package that was renamed keeps its advisories."""
        kept = [*as_kept([written(**WHOLE)]), {"id": 1}, "x", None]
        self.assertEqual(["acme/new"], [one.package for one in kept_advisories(kept, "acme/new")])
        self.assertEqual((), kept_advisories(None, "acme/a"))
