"""Versions: normal forms, stabilities, order."""

import contextlib
import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.versions import (
    compare,
    is_dev,
    normalize,
    normalize_branch,
    parse_numeric_alias_prefix,
    php_version_compare,
    stability_of,
    version_key,
)
from packeton.errors import Invalid

NORMAL = {
    "1.0.0": "1.0.0.0", "1.2.3.4": "1.2.3.4", "1.0.0RC1dev": "1.0.0.0-RC1-dev", "1.0.0-rC15-dev": "1.0.0.0-RC15-dev",
    "1.0.0.RC.15-dev": "1.0.0.0-RC15-dev", "1.0.0-rc1": "1.0.0.0-RC1", "1.0.0.pl3-dev": "1.0.0.0-patch3-dev",
    "1.0-dev": "1.0.0.0-dev", "0": "0.0.0.0", "99999": "99999.0.0.0", "10.4.13-beta": "10.4.13.0-beta",
    "10.4.13beta2": "10.4.13.0-beta2", "10.4.13-b": "10.4.13.0-beta", "v1.0.0": "1.0.0.0", "2010.01": "2010.01.0.0",
    "2010-01-02": "2010.01.02", "20100102-203040": "20100102.203040", "20100102.203040-p1": "20100102.203040-patch1",
    "dev-master": "dev-master", "master": "dev-master", "dev-trunk": "dev-trunk", "1.x-dev": "1.9999999.9999999.9999999-dev",
    "1.2.x-dev": "1.2.9999999.9999999-dev", "dev-feature-foo": "dev-feature-foo", "DEV-FOOBAR": "dev-FOOBAR",
    "dev-foo as 1.0": "dev-foo", "dev-load-varnish-only-when-used as ^2.0": "dev-load-varnish-only-when-used",
    "1.0.0+foo": "1.0.0.0", "1.0.0-alpha.3.1+foo": "1.0.0.0-alpha3.1", "1.0.0-alpha2.1+foo@dev": "1.0.0.0-alpha2.1",
    "1.0.0-stable": "1.0.0.0", " 1.0": "1.0.0.0", "v20100102": "20100102", "1.0.0-p1": "1.0.0.0-patch1",
}  # fmt: skip
NOT_VERSIONS = (
    "", "a", "1.0.0-meh", "1.0.0.0.0", "1.0.0+foo bar", "foobar-dev", "1.0 .2", "1.0-SNAPSHOT", "feature-foo", "^8 || ^", "1..0",
)  # fmt: skip


class NormalisationTests(SynchronousTestCase):
    """From what people write to what is compared."""

    def test_versions(self) -> None:
        """The forms that Composer's own tests know."""
        for text, normal in NORMAL.items():
            self.assertEqual(normal, normalize(text), text)

    def test_not_versions(self) -> None:
        """What is no version is refused in Composer's words."""
        for text in NOT_VERSIONS:
            with self.assertRaises(Invalid) as caught:
                normalize(text)
            self.assertEqual(f'Invalid version string "{text}"', str(caught.exception))

    def test_alias_hints(self) -> None:
        """A wrong side of an alias is told apart."""
        cases = {
            ("foo", "dev-x as foo"): ' in "dev-x as foo", the alias must be an exact version',
            ("foo", "foo as 1.0"): ' in "foo as 1.0", the alias source must be an exact version,'
            " if it is a branch name you should prefix it with dev-",
        }
        for (version, full), hint in cases.items():
            with self.assertRaises(Invalid) as caught:
                normalize(version, full)
            self.assertEqual(f'Invalid version string "foo"{hint}', str(caught.exception))

    def test_overlong(self) -> None:
        """A text too long to be meant is refused before any pattern sees it."""
        with self.assertRaises(Invalid):
            normalize("1" * 5000)

    def test_branches(self) -> None:
        """Numeric branches are ranges' upper ends, others are names."""
        cases = {
            "v1.x": "1.9999999.9999999.9999999-dev", "v1.*": "1.9999999.9999999.9999999-dev",
            "v1.0": "1.0.9999999.9999999-dev", "2.0": "2.0.9999999.9999999-dev", "v1.0.3.X": "1.0.3.9999999-dev",
            "2": "2.9999999.9999999.9999999-dev", "main": "dev-main", "feature/a": "dev-feature/a", "1.0.0.0.0": "dev-1.0.0.0.0",
        }  # fmt: skip
        for name, normal in cases.items():
            self.assertEqual(normal, normalize_branch(name), name)

    def test_alias_prefixes(self) -> None:
        """The numeric part of a branch's version."""
        cases = {"0.x-dev": "0.", "1.0.x-dev": "1.0.", "1.x-dev": "1.", "1.2-dev": "1.2.", "dev-develop": None, "x-dev": None}
        for name, prefix in cases.items():
            self.assertEqual(prefix, parse_numeric_alias_prefix(name), name)

    def test_stabilities(self) -> None:
        """The stability of versions in any form."""
        cases = {
            "1": "stable", "1.0": "stable", "3.2.1": "stable", "v3.2.1": "stable", "v2.0.x-dev": "dev", "v2.0.x-dev#abc123": "dev",
            "v2.0.x-dev#trunk/@123": "dev", "3.0-RC2": "RC", "dev-master": "dev", "3.1.2-dev": "dev", "dev-feature+issue-1": "dev",
            "3.1.2-p1": "stable", "3.1.2-pl2": "stable", "3.1.2-patch": "stable", "3.1.2-alpha5": "alpha", "3.1.2-beta": "beta",
            "2.0B1": "beta", "1.2.0a1": "alpha", "1.2_a1": "alpha", "2.0.0rc1": "RC", "1.0.0-alpha11+cs-1.1.0": "alpha", "1-2_dev": "dev",
        }  # fmt: skip
        for version, stability in cases.items():
            self.assertEqual(stability, stability_of(version), version)

    def test_development(self) -> None:
        """Branches and what ends with -dev."""
        self.assertEqual([True, True, False], [is_dev(text) for text in ("dev-main", "1.9999999.9999999.9999999-dev", "1.0.0.0-RC1")])

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text has a normal form or is refused, and a branch of any name has one."""
        normalize_branch(text)
        stability_of(text)
        try:
            normal = normalize(text)
        except Invalid:
            return
        version_key(normal)

    @given(st.integers(0, 99999), st.integers(0, 10**6), st.sampled_from(["", "-alpha", "-beta2", "-RC1", "-patch3", "-dev"]))
    def test_normal_is_final(self, major: int, minor: int, suffix: str) -> None:
        """Normalising a normal form changes nothing."""
        normal = normalize(f"{major}.{minor}{suffix}")
        self.assertEqual(normal, normalize(normal))


ASCENDING = (
    "dev-main", "0.9.0.0", "1.0.0.0-dev", "1.0.0.0-alpha1", "1.0.0.0-alpha2", "1.0.0.0-beta1", "1.0.0.0-RC1", "1.0.0.0",
    "1.0.0.0-patch1", "1.0.1.0", "1.2.0.0", "1.10.0.0", "1.9999999.9999999.9999999-dev", "2.0.0.0", "9999999-dev",
)  # fmt: skip
PARTS = st.sampled_from(["0", "1", "10", "dev", "alpha", "beta", "RC", "patch", "a", "x", "9999999"])
TIDY = st.lists(st.tuples(PARTS, st.sampled_from("-.")), min_size=1, max_size=5).map(
    lambda parts: "".join(part + mark for part, mark in parts)[:-1]
)


class HostileTests(SynchronousTestCase):
    """Long texts, of which upstreams may send any."""

    def test_no_text_takes_long(self) -> None:
        """The time grows with the length only."""
        for piece in ("+\n", "1.", "#a", "a", "-", "1a", " as ", "@dev", ".dev", "9"):
            text = piece * 20_000
            began = time.thread_time()
            stability_of(text)
            normalize_branch(text)
            version_key(text)
            php_version_compare(text, text + "1")
            parse_numeric_alias_prefix(text)
            with self.assertRaises(Invalid):
                normalize(text)
            with contextlib.suppress(Invalid):
                normalize(text[:4096])
            self.assertLess(time.thread_time() - began, 5, piece)


class OrderTests(SynchronousTestCase):
    """version_compare()."""

    def test_ascending(self) -> None:
        """From development over releases to patch levels."""
        for lower, higher in pairwise(ASCENDING):
            self.assertEqual((-1, 1), (php_version_compare(lower, higher), php_version_compare(higher, lower)), (lower, higher))
            self.assertLess(version_key(lower), version_key(higher))

    def test_odd(self) -> None:
        """What PHP answers to things that are no versions."""
        for left, right, order in (("", "", 0), ("", "1", -1), ("1.", "1.", -1), ("1", "1.0", -1), ("#", "1", 0), ("1-2+3", "1.2.3", 0)):
            self.assertEqual(order, php_version_compare(left, right), (left, right))

    def test_huge_numbers(self) -> None:
        """Digits without end are one very large number."""
        self.assertEqual(0, php_version_compare("1." + "9" * 5000, "1." + "9" * 30))
        self.assertEqual(version_key("1." + "9" * 5000), version_key("1." + "9" * 30))

    @given(TIDY, TIDY)
    def test_key_is_the_order(self, left: str, right: str) -> None:
        """The sort key orders as the comparison does."""
        ours, theirs = version_key(left), version_key(right)
        self.assertEqual((ours > theirs) - (ours < theirs), php_version_compare(left, right))

    def test_comparator(self) -> None:
        """Signs, and named branches."""
        for left, sign, right, answer in (
            ("1.0.0.0", "<", "2.0.0.0", True), ("1.0.0.0", "=", "1.0.0.0", True), ("1.0.0.0", "<>", "1.0.0.0", False),
            ("dev-a", "==", "dev-a", True), ("dev-a", "<", "dev-b", False), ("dev-a", "<", "1.0.0.0", True), ("dev-a", "!=", "1.0", True),
        ):  # fmt: skip
            self.assertIs(answer, compare(left, sign, right), (left, sign, right))
        with self.assertRaises(Invalid) as caught:
            compare("1", "~", "2")
        self.assertEqual('Invalid operator "~" given, expected one of: =, ==, <, <=, >, >=, <>, !=', str(caught.exception))
