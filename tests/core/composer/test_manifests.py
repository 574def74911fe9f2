"""composer.json: what is read, dropped and refused. The equality with Composer is in test_php_equality.py."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.manifests import MAX_BYTES, read_manifest, validate_package_name
from packeton.errors import Invalid

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6)
KEYS = st.sampled_from([
    "version", "config", "type", "bin", "keywords", "time", "authors", "support", "funding", "require", "conflict", "replace", "suggest",
    "minimum-stability", "autoload", "target-dir", "source", "dist", "extra", "homepage", "include-path",
])  # fmt: skip


class ManifestTests(SynchronousTestCase):
    """read_manifest()."""

    def refused(self, content: bytes) -> str:
        """Return why *content* is refused."""
        with self.assertRaises(Invalid) as caught:
            read_manifest(content)
        return str(caught.exception)

    def test_good(self) -> None:
        """Everything of a good one is kept, in its order."""
        document = {"name": "acme/a", "type": "library", "require": {"php": ">=8.1", "a/b": "^1 || ^2"}, "authors": [{"name": "A"}], "x-own": [1]}
        manifest = read_manifest(json.dumps(document).encode())
        self.assertEqual(("acme/a", ()), (manifest.name, manifest.warnings))
        self.assertEqual(list(document.items()), list(manifest.document.items()))

    def test_warnings(self) -> None:
        """What is only not nice is dropped, and said."""
        document = {"name": "acme/a", "homepage": "nowhere", "keywords": ["a", "b,c"], "authors": [{"email": "me"}, {"name": "B"}]}
        manifest = read_manifest(json.dumps(document).encode())
        self.assertEqual({"name": "acme/a", "keywords": ["a"], "authors": [{"name": "B"}]}, manifest.document)
        self.assertEqual(
            (
                "homepage : invalid value (nowhere), must be an http/https URL",
                r"keywords.1 : invalid value (b,c), must match [\p{N}\p{L} ._-]+",
                "authors.0.email : invalid value (me), must be a valid email address",
            ),
            manifest.warnings,
        )

    def test_errors(self) -> None:
        """All that is wrong is listed in Composer's words."""
        document = {"name": "Acme/FooBar", "version": "x", "require": {"a/b": "^"}, "time": "soon"}
        self.assertEqual(
            [
                "Invalid package information: ",
                "name : Acme/FooBar is invalid, it should not contain uppercase characters. We suggest using acme/foo-bar instead.",
                'version : invalid value (x): Invalid version string "x"',
                "time : invalid value (soon): it is not a date",
                'require.a/b : invalid version constraint (Could not parse version constraint ^: Invalid version string "^")',
            ],
            self.refused(json.dumps(document).encode()).split("\n"),
        )

    def test_broken(self) -> None:
        """JSON that is none: where it breaks, without its content."""
        self.assertRegex(self.refused(b'{\n "name": "a/b",\n}'), "does not contain valid JSON: .* on line 2")
        self.assertEqual("composer.json does not contain a JSON object", self.refused(b"[]"))
        for content in (b"", b"\xff", b"[" * 100_000, b'{"name": "a/b"} x', b'{"name":"\xc3("}'):
            self.assertIn("valid JSON", self.refused(content))
        deep = b'{"name": "a/b", "extra": ' + b'{"a":' * 400 + b"1" + b"}" * 401
        self.assertEqual("composer.json is nested too deeply", self.refused(deep))
        self.assertIn("larger than", self.refused(b" " * (MAX_BYTES + 1)))

    def test_dates(self) -> None:
        """Dates as people and programs write them."""
        for text in ("2024-01-02", "2024-01-02 03:04:05", "2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05Z", "Tue, 02 Jan 2024 03:04:05 +0000"):
            read_manifest(json.dumps({"name": "a/b", "time": text}).encode())

    def test_not_too_many_messages(self) -> None:
        """A thousand mistakes make fifty lines."""
        text = self.refused(json.dumps({"name": "a/b", "require": {f"c/d{number}": "^" for number in range(1000)}}).encode())
        self.assertEqual("and 950 more", text.split("\n")[-1])

    @given(st.dictionaries(KEYS, VALUES, max_size=6))
    def test_any_document(self, document: dict[str, Any]) -> None:
        """Whatever JSON holds, it is read or refused, and the input stays as it was."""
        try:
            read_manifest(json.dumps({"name": "acme/a", **document}).encode())
        except Invalid as error:
            self.assertTrue(str(error))


class NameTests(SynchronousTestCase):
    """validate_package_name()."""

    def test_good(self) -> None:
        """Names that may be published."""
        for name in ("acme/a", "a/b--c", "a1/b.c_d-e", "0/0"):
            self.assertEqual(name, validate_package_name(name))

    def test_bad(self) -> None:
        """The first thing that is wrong."""
        for name, words in (
            ("acme", "it should have a vendor name"), ("a/b/c", "it should have a vendor name"), ("con/a", "is reserved"), ("a/LPT1", "is reserved"),
            ("a/b.json", "-json suffix"), ("Acme/A", "We suggest using acme/a instead"), ("ext-json", "platform"), ("a/b\n", "vendor name"),
            ("a/" + "b" * 300, "more than 200 characters"), ("a/" + "-" * 100, "vendor name"), ("", "vendor name"),
        ):  # fmt: skip
            with self.assertRaises(Invalid) as caught:
                validate_package_name(name)
            self.assertIn(words, str(caught.exception), name)
