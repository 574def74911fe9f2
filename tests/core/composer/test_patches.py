"""Patches of metadata."""

import json
import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.patches import PatchStrategy, check_patch, patched
from packeton.errors import Invalid
from tests.support.php import ask_composer

VERSION = {"name": "a/b", "version": "v1.0", "version_normalized": "1.0.0.0", "require": {"php": "^7", "x/y": "1"}, "keywords": ["k"], "type": "library"}


class PatchTests(SynchronousTestCase):
    """patched() and check_patch()."""

    def test_strategies(self) -> None:
        """Each strategy's own way."""
        patch = {"require": {"php": "^8"}, "keywords": ["l"]}
        self.assertEqual({**VERSION, **patch}, patched(VERSION, PatchStrategy.MERGE, patch))
        self.assertEqual(patch, patched(VERSION, PatchStrategy.REPLACE, patch))
        merged = {**VERSION, "require": {"php": ["^7", "^8"], "x/y": "1"}, "keywords": ["k", "l"]}
        self.assertEqual(merged, patched(VERSION, PatchStrategy.MERGE_RECURSIVE, patch))
        self.assertEqual(["k"], VERSION["keywords"])

    def test_recursion_is_php(self) -> None:
        """Random objects are merged as PHP merges them."""
        chance = random.Random(20261124)

        def value(depth: int) -> Any:
            kind = chance.randint(0, 5 if depth else 3)
            if kind > 3:
                return {key: value(depth - 1) for key in chance.sample("abc", chance.randint(1, 3))}
            return [[value(depth - 1) if depth else 1 for _ in range(chance.randint(1, 2))], "text", 7, True][kind]

        pairs = [tuple({key: value(3) for key in chance.sample("abc", 2)} for _ in range(2)) for _ in range(2000)]
        answers = ask_composer([("array_merge_recursive", *pair) for pair in pairs])
        for (left, right), theirs in zip(pairs, answers, strict=True):
            self.assertEqual(theirs, patched(left, PatchStrategy.MERGE_RECURSIVE, right), (left, right))

    def test_checked(self) -> None:
        """What cannot be served is refused."""
        self.assertEqual("^8", check_patch(VERSION, PatchStrategy.MERGE, {"require": {"php": "^8"}})["require"]["php"])
        for strategy, patch, words in (
            (PatchStrategy.MERGE, [], "JSON object"), (PatchStrategy.REPLACE, {"name": "a/b"}, "no version and no version_normalized"), (PatchStrategy.MERGE, {"name": "c/d"}, "cannot change"),
            (PatchStrategy.MERGE_RECURSIVE, {"require": {"php": "^8"}}, "require.php"), (PatchStrategy.MERGE, {"require": {"a/c": "^"}}, "version constraint"),
            (PatchStrategy.MERGE, {"version": "x"}, "Invalid version string"), (PatchStrategy.MERGE, {"x": "y" * 300_000}, "larger"), (PatchStrategy.MERGE_RECURSIVE, {"name": "x"}, "no name"),
        ):  # fmt: skip
            with self.assertRaises(Invalid) as caught:
                check_patch(VERSION, strategy, patch)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(Invalid):
            check_patch(VERSION, PatchStrategy.MERGE_RECURSIVE, {"extra": json.loads("[" * 300 + "]" * 300)})
