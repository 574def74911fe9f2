"""One package for both generations, and what we change in it."""

from typing import Any

from hypothesis import given
from hypothesis.strategies import booleans, dictionaries, integers, lists, none, recursive, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.editions import Edits, edited, first_generation, is_branch, second_generation, with_uid
from packeton.core.composer.metadata import versions_of
from packeton.core.composer.minifier import MINIFIED

NAME = "acme/foo"
REFERENCE = "a" * 40
VALUES = recursive(
    none() | booleans() | integers(-5, 5) | text("ab", max_size=3),
    lambda inner: lists(inner, max_size=2) | dictionaries(text("xy", max_size=2), inner, max_size=2),
    max_leaves=4,
)
VERSIONS = lists(
    dictionaries(sampled_from(["odd", "require", "extra", "type"]), VALUES, max_size=3), max_size=5
).map(lambda many: [{"name": NAME, "version": f"1.{n}.0", "version_normalized": f"1.{n}.0.0", **one}
                    for n, one in enumerate(many)])  # fmt: skip


def version(number: str, **more: Any) -> dict[str, Any]:
    dist = {"type": "zip", "url": "https://x.example/a.zip", "reference": REFERENCE, "shasum": ""}
    source = {"type": "git", "url": "https://x.example/a.git", "reference": REFERENCE}
    normalized = number if number.startswith("dev-") else f"{number}.0"
    return {"name": NAME, "version": number, "version_normalized": normalized, "dist": dist, "source": source, **more}


class GenerationTests(SynchronousTestCase):
    """From one to the other."""

    def test_second(self) -> None:
        """Branches apart, no uids, the default branch by its own name, and what stands beside the versions."""
        old = {
            "1.0.0": version("1.0.0", uid=1),
            "dev-master": version("dev-master", version_normalized="9999999-dev", uid=2),
            "dev-main": version("dev-main", version_normalized="9999999-dev", version_normalized_v2="dev-main", uid=3),
            "1.x-dev": version("1.x-dev", version_normalized="1.9999999.9999999.9999999-dev"),
            "2.0.0-RC1": version("2.0.0-RC1", version_normalized="2.0.0.0-RC1"),
        }
        documents = [{"packages": {NAME: old, "acme/other": {}}, "security-advisories": [1], "filter": {"list": []}}]
        stable = second_generation(documents, NAME, Edits(), dev=False)
        self.assertEqual(([1], {"list": []}, MINIFIED), (stable["security-advisories"], stable["filter"], stable["minified"]))
        self.assertEqual([NAME], list(stable["packages"]))
        self.assertEqual(["1.0.0", "2.0.0-RC1"], [one["version"] for one in versions_of(stable, NAME)])
        dev = {one["version"]: one for one in versions_of(second_generation(documents, NAME, Edits(), dev=True), NAME)}
        self.assertEqual(
            {"dev-master": "dev-master", "dev-main": "dev-main", "1.x-dev": "1.9999999.9999999.9999999-dev"},
            {name: one["version_normalized"] for name, one in dev.items()},
        )
        self.assertFalse(any("uid" in one or "version_normalized_v2" in one for one in dev.values()))
        self.assertEqual([], second_generation([{"packages": {NAME: {}}}], NAME, Edits(), dev=True)["packages"][NAME])

    def test_first(self) -> None:
        """One map, a uid for each version that is the same each time, 9999999-dev for the old default branches."""
        stable = {"minified": MINIFIED, "packages": {NAME: [version("1.1.0"), {"version": "1.0.0"}]}, "filter": 1}
        dev = {"packages": {NAME: [version("dev-trunk"), version("dev-main")]}, "filter": 2, "odd": 3}
        document = first_generation([stable, dev], NAME, Edits())
        self.assertEqual((1, 3), (document["filter"], document["odd"]))
        self.assertNotIn("minified", document)
        versions = document["packages"][NAME]
        self.assertEqual(["1.1.0", "1.0.0", "dev-trunk", "dev-main"], list(versions))
        self.assertEqual("9999999-dev", versions["dev-trunk"]["version_normalized"])
        self.assertEqual("dev-main", versions["dev-main"]["version_normalized"])
        uids = [one["uid"] for one in versions.values()]
        self.assertEqual(4, len(set(uids)))
        self.assertTrue(all(1 << 48 <= uid < 1 << 53 for uid in uids))
        self.assertEqual(document, first_generation([stable, dev], NAME, Edits()))
        self.assertNotEqual(with_uid({"version": "1"}, "a/b")["uid"], with_uid({"version": "1"}, "a/c")["uid"])
        self.assertEqual(7, with_uid({"version": "1", "uid": 7}, "a/b")["uid"])

    @given(VERSIONS)
    def test_there_and_back(self, versions: list[dict[str, Any]]) -> None:
        """Nothing is lost on the way to Composer 1 and back, nulls and odd keys included."""
        first = first_generation([{"packages": {NAME: versions}}], NAME, Edits())
        second = second_generation([first], NAME, Edits(), dev=False)
        self.assertEqual(repr(versions), repr([ordered(one, two) for one, two in zip(versions_of(second, NAME), versions, strict=True)]))

    def test_branches(self) -> None:
        """What is of stability dev."""
        table = {"dev-x": True, "1.x-dev": True, "1.0": False, "1.0-beta": False, "dev-x#abc": True, "": False}
        self.assertEqual(table, {text: is_branch({"version": text}) for text in table})
        self.assertTrue(is_branch({"version_normalized": "9999999-dev"}))


def ordered(one: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """Return *one* with its keys in the order of *like*: minified documents have another."""
    assert set(one) == set(like)
    return {key: one[key] for key in like}


class EditTests(SynchronousTestCase):
    """What is changed, and nothing else."""

    def change(self, versions: list[Any], edits: Edits, **document: Any) -> list[dict[str, Any]]:
        return list(versions_of(edited({**document, "packages": {NAME: versions}}, edits), NAME))

    def test_source(self) -> None:
        """`source` goes where there is a dist, also when it was left out as equal to the one before."""
        versions = [version("2.0.0"), {"version": "1.0.0", "dist": "__unset"}, {"version": "0.9.0"}]
        found = self.change(versions, Edits(hide_source=True), minified=MINIFIED)
        self.assertEqual([False, True, True], ["source" in one for one in found])
        self.assertEqual([True, False, False], ["dist" in one for one in found])

    def test_built(self) -> None:
        """With our URLs and without sources, what had no dist gets one of its commit; without a commit it stays."""
        versions = [version("2.0.0", dist=None), version("1.0.0", dist=None, source={"type": "path", "url": "/x"})]
        one, two = self.change(versions, Edits(mirror_url="https://p", hide_source=True))
        expected = f"https://p/zipball/{NAME}/2.0.0.0/ref{REFERENCE}.zip"
        self.assertEqual({"type": "zip", "url": expected, "reference": REFERENCE, "shasum": ""}, one["dist"])
        self.assertNotIn("source", one)
        self.assertEqual((None, True), (two["dist"], "source" in two))
        self.assertEqual(versions, self.change(versions, Edits(mirror_url="https://p")))

    def test_shasum(self) -> None:
        """Ours is put in where there is none, by version and reference."""
        versions = [version("2.0.0"), version("1.0.0"), version("0.9.0", dist={"url": "https://x", "shasum": "theirs", "reference": REFERENCE})]
        known = {("2.0.0.0", REFERENCE): "1" * 40, ("0.9.0.0", REFERENCE): "2" * 40, ("1.0.0.0", "b" * 40): "3" * 40}
        found = self.change(versions, Edits(shasums=known))
        self.assertEqual(["1" * 40, "", "theirs"], [one["dist"]["shasum"] for one in found])

    def test_patched(self) -> None:
        """Patches see full versions; what they give is minified again, unless that would lose a null."""
        seen: list[Any] = []

        def patch(name: str, versions: Any) -> Any:
            seen.append((name, [sorted(one) for one in versions]))
            return [{**one, "abandoned": value} for one, value in zip(versions, (True, None), strict=True)]

        document = {"minified": MINIFIED, "packages": {NAME: [version("2.0.0"), {"version": "1.0.0"}]}}
        result = edited(document, Edits(patched=patch))
        self.assertEqual(seen[0][1][0], seen[0][1][1])
        self.assertNotIn("minified", result)
        self.assertEqual([True, None], [one["abandoned"] for one in versions_of(result, NAME)])
        plain = edited(document, Edits(patched=lambda _, versions: versions))
        self.assertEqual(document["packages"][NAME][1], plain["packages"][NAME][1])

    def test_nothing(self) -> None:
        """No edits, no work."""
        self.assertFalse(Edits())
        for edits in (Edits(mirror_url="https://p"), Edits(hide_source=True), Edits(shasums={("1", ""): "x"})):
            self.assertTrue(edits)

    @given(VERSIONS)
    def test_keeps(self, versions: list[dict[str, Any]]) -> None:
        """Whatever else a version has, it keeps."""
        self.assertEqual(versions, self.change(versions, Edits(mirror_url="https://p", hide_source=True)))
