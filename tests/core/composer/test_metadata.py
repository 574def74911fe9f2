"""Reading metadata, and finding the dist that a URL means."""

from hashlib import md5

import orjson
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.dists import dist_url
from packeton.core.composer.editions import Edits, edited
from packeton.core.composer.metadata import (
    check_object,
    check_package,
    find_dist,
    read_object,
    read_package,
    versions_of,
)
from packeton.errors import BadContent

HUB = "https://api.github.com/repos/acme/foo/zipball/"


def version(number: str, reference: str | None, **more: object) -> dict[str, object]:
    dist = {"type": "zip", "url": f"{HUB}{reference}", "reference": reference, "shasum": ""}
    return {"name": "acme/foo", "version": number, "version_normalized": f"{number}.0", "dist": dist, **more}


class ReadTests(SynchronousTestCase):
    """What is a document and what is not."""

    def test_wrong(self) -> None:
        """HTML, broken and cut JSON, and JSON of another shape, each named."""
        cases = {
            b"<html>": "an HTML page",
            b'{"packages": {': "broken JSON",
            b"": "broken JSON",
            b"[]": "not an object",
            b'"x"': "not an object",
            b"{}": "without packages",
            b'{"packages": "x"}': "without packages",
            b'{"packages": {"a/b": 3}}': "hold no versions",
        }
        for content, reason in cases.items():
            with self.assertRaises(BadContent) as caught:
                read_package(content)
            self.assertIn(reason, str(caught.exception), content)

    def test_odd_but_right(self) -> None:
        """PHP's empty map, version maps and unknown keys pass."""
        for content in (b'{"packages":[]}', b'{"packages":{"a/b":{"1":{}}},"new":{"x":1}}', b'{"packages":{"a/b":[]}}'):
            self.assertEqual(orjson.loads(content), read_package(content))
        self.assertEqual({"x": 1}, read_object(b'{"x":1}'))

    def test_not_kept(self) -> None:
        """What could not be written again, or has versions that are none, does not take the place of what we hold."""
        deep = b'{"packages":{"a/b":[{"version":"1","extra":' + b'{"x":' * 300 + b"1" + b"}" * 300 + b"}]}}"
        cases = {deep: "nested too deeply"}
        cases |= {b'{"packages":{"a/b":%s}}' % told: "no objects" for told in (b"[1]", b"[null]", b'{"1":"x"}', b"[[]]")}
        for content, reason in cases.items():
            read_package(content)
            with self.assertRaises(BadContent) as caught:
                check_package(content)
            self.assertIn(reason, str(caught.exception), content[:60])
        with self.assertRaises(BadContent):
            check_object(b'{"x":' + b"[" * 300 + b"]" * 300 + b"}")
        for content in (b'{"packages":[]}', b'{"packages":{"a/b":{"1":{}},"a/c":[{"x":1}]},"new":{"x":[[1]]}}'):
            check_package(content)

    def test_expands(self) -> None:
        """Minified lists give full versions; a key that was unset is gone."""
        document = {
            "minified": "composer/2.0",
            "packages": {
                "a/b": [{"version": "2", "bin": ["x"], "type": "library"}, {"version": "1", "bin": "__unset"}]
            },
        }
        self.assertEqual(
            [{"version": "2", "bin": ["x"], "type": "library"}, {"version": "1", "type": "library"}],
            list(versions_of(document, "a/b")),
        )


class FindDistTests(SynchronousTestCase):
    """The order of preference, and never a wrong commit."""

    def test_two_tags_on_one_commit(self) -> None:
        """Reference and version decide together."""
        versions = [version("1.1.0", "abc"), version("1.0.0", "abc")]
        found = find_dist(versions, "1.0.0.0", "abc")
        assert found is not None
        self.assertEqual("1.0.0", found.pretty_version)

    def test_reference_alone(self) -> None:
        """A version that was renamed is found by its reference."""
        found = find_dist([version("1.0.0", "abc")], "9.9.9.9", "abc")
        assert found is not None
        self.assertEqual("abc", found.reference)

    def test_source_reference(self) -> None:
        """A dist without a reference is found by its source's."""
        versions = [{**version("1.0.0", None), "source": {"reference": "abc"}}]
        self.assertIsNotNone(find_dist(versions, "1.0.0.0", "abc"))

    def test_null_reference(self) -> None:
        """`reference: null` and an empty reference in the URL mean the version."""
        found = find_dist([version("1.1.0", None), version("1.0.0", None)], "1.0.0.0", "")
        assert found is not None
        self.assertEqual("1.0.0", found.pretty_version)

    def test_older_commit_of_a_branch(self) -> None:
        """The wanted reference takes the other's place in the URL."""
        branch = {**version("dev-main", "b" * 40), "version_normalized": "dev-main"}
        found = find_dist([branch], "dev-main", "a" * 40)
        assert found is not None
        self.assertEqual(HUB + "a" * 40, found.url)
        self.assertEqual("a" * 40, found.reference)

    def test_never_another_commit(self) -> None:
        """Where the URL does not hold the reference, another commit's bytes are not given."""
        odd = version("1.0.0", "abc")
        odd["dist"] = {"type": "zip", "url": "https://x.example/latest.zip", "reference": "abc"}
        self.assertIsNone(find_dist([odd], "1.0.0.0", "def"))

    def test_hashed_values(self) -> None:
        """Composer puts an MD5 for a version with a slash and for a reference that is not hexadecimal."""
        branch = {**version("dev-feature/x", "v1-tag"), "version_normalized": "dev-feature/x"}
        found = find_dist([branch], md5(b"dev-feature/x").hexdigest(), md5(b"v1-tag").hexdigest())
        assert found is not None
        self.assertEqual("dev-feature/x", found.pretty_version)
        self.assertIn(md5(b"v1-tag").hexdigest(), dist_url("https://p/m", "acme/foo", "dev-feature/x", "v1-tag", "zip"))

    def test_none(self) -> None:
        """Versions without a dist, and other versions, are not it."""
        self.assertIsNone(find_dist([{"version": "1.0.0", "dist": None}], "1.0.0", ""))
        self.assertIsNone(find_dist([version("1.0.0", "abc")], "2.0.0.0", "def"))


class RewriteTests(SynchronousTestCase):
    """Every dist URL on us, all else untouched."""

    def test_each_version_its_own(self) -> None:
        """Also a minified version that shares the dist of the one before gets its own URL."""
        document = {
            "minified": "composer/2.0",
            "security-advisories": [],
            "packages": {
                "acme/foo": [
                    version("1.1.0", "abc", extra={"odd": None}),
                    {"version": "1.0.0", "version_normalized": "1.0.0.0"},
                    {"version": "0.9.0", "version_normalized": "0.9.0.0", "dist": "__unset"},
                    {"version": "0.8.0", "version_normalized": "0.8.0.0"},
                ]
            },
        }
        before = orjson.dumps(document)
        ours = edited(document, Edits(mirror_url="https://p.example/mirror/up"))
        self.assertEqual(before, orjson.dumps(document))
        urls = [full.get("dist", {}).get("url") for full in versions_of(ours, "acme/foo")]
        base = "https://p.example/mirror/up/zipball/acme/foo/"
        self.assertEqual([f"{base}1.1.0.0/refabc.zip", f"{base}1.0.0.0/refabc.zip", None, None], urls)
        self.assertEqual([], ours["security-advisories"])
        for mine, theirs in zip(versions_of(ours, "acme/foo"), versions_of(document, "acme/foo"), strict=True):
            mine.pop("dist", None)
            theirs.pop("dist", None)
            self.assertEqual(theirs, mine)

    def test_shapes(self) -> None:
        """Version maps, null dists and entries that are no objects survive."""
        versions = {"1.0": version("1.0", "x"), "2.0": {"dist": None}}
        document = {"packages": {"a/b": versions, "c/d": [None, 3], "e/f": 1}}
        ours = edited(document, Edits(mirror_url="https://p"))
        self.assertEqual("https://p/zipball/a/b/1.0.0/ref" + md5(b"x").hexdigest() + ".zip",
                         ours["packages"]["a/b"]["1.0"]["dist"]["url"])
        self.assertEqual({"dist": None}, ours["packages"]["a/b"]["2.0"])
        self.assertEqual([None, 3], ours["packages"]["c/d"])
        self.assertEqual({"packages": []}, edited({"packages": []}, Edits(mirror_url="https://p")))
