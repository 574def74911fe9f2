"""The minified form, both ways. The equality with Composer is in test_php_equality.py."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.minifier import expanded, minified

VALUES = st.sampled_from(["a", "b", 1, 1.0, True, [], ["x"], {}, {"p": "1", "q": "2"}, {"q": "2", "p": "1"}, ["y", {"z": 1}]])
VERSION = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=5).map(lambda held: {"name": "acme/a", **held})


class MinifierTests(SynchronousTestCase):
    """minified() and expanded()."""

    def test_example(self) -> None:
        """What stays is left out, what is new or other is said, what goes is unset."""
        versions = [{"name": "a/a", "version": "2", "bin": ["x"]}, {"name": "a/a", "version": "1"}, {"name": "a/a", "version": "0", "bin": ["x"]}]
        self.assertEqual(
            [versions[0], {"version": "1", "bin": "__unset"}, {"version": "0", "bin": ["x"]}],
            minified(versions),
        )
        self.assertEqual([], minified([]))

    @given(st.lists(VERSION, max_size=8))
    def test_inverse(self, versions: list[dict[str, Any]]) -> None:
        """What was minified is expanded to the same, to the type and the order of keys in values, and nothing is touched."""
        before = deepcopy(versions)
        result = list(expanded(minified(versions)))
        self.assertEqual(before, versions)
        by_key = [{key: repr(value) for key, value in version.items()} for version in result]
        self.assertEqual([{key: repr(value) for key, value in version.items()} for version in before], by_key)

    @given(st.lists(VERSION, min_size=1, max_size=8))
    def test_smallest(self, versions: list[dict[str, Any]]) -> None:
        """A version equal to the one before it takes no key."""
        self.assertEqual({}, minified([*versions, deepcopy(versions[-1])])[-1])
