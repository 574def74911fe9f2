"""Our ports answer what PHP and Composer's own classes answer: on real metadata and on generated texts."""

import json
import random
from functools import cmp_to_key
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.constraints import exactly, parse_constraints
from packeton.core.composer.manifest_names import package_name_error
from packeton.core.composer.manifest_rules import ManifestCheck
from packeton.core.composer.minifier import expanded, minified
from packeton.core.composer.versions import (
    compare,
    normalize,
    normalize_branch,
    parse_numeric_alias_prefix,
    php_version_compare,
    stability_of,
    version_key,
)
from packeton.errors import Invalid
from tests.support.php import Refused, ask_composer

UPSTREAM = Path(__file__).parents[4] / "shared" / "upstream"
LINKS = ("require", "require-dev", "conflict", "replace", "provide")
SEED = 20261124


def upstream_versions() -> dict[str, list[dict[str, Any]]]:
    """Return the versions of every document, in full. Raises SkipTest without the recorded metadata."""
    if not UPSTREAM.is_dir():
        raise SkipTest("the recorded upstream metadata is not here")
    found = {}
    for path in sorted(UPSTREAM.glob("p2/**/*.json")):
        document = json.loads(path.read_bytes())
        for versions in document["packages"].values():
            found[path.relative_to(UPSTREAM).as_posix()] = list(expanded(versions))
    return found


def answer(operation: str, *arguments: Any) -> Any:
    """Answer as ask_composer() does."""
    operations = {
        "normalize": normalize,
        "branch": normalize_branch,
        "prefix": lambda name: parse_numeric_alias_prefix(name) or False,
        "stability": stability_of,
        "constraint": lambda text: [str(parse_constraints(text)), parse_constraints(text).pretty],
        "allows": lambda text, version: parse_constraints(text).allows(version),
        "matches": lambda left, right: parse_constraints(left).matches(parse_constraints(right)),
        "version_compare": php_version_compare,
        "compare": compare,
    }
    try:
        return operations[operation](*arguments)
    except Invalid as error:
        return Refused(error)


class Equality(SynchronousTestCase):
    """Compare answers."""

    def check(self, questions: list[tuple[Any, ...]]) -> None:
        """Fail with the first differences."""
        theirs = ask_composer(questions)
        pairs = zip(questions, theirs, strict=True)
        wrong = ((question, expected, ours) for question, expected in pairs if (ours := answer(*question)) != expected)
        self.assertEqual([], list(islice(wrong, 10)))


class RealMetadataTests(Equality):
    """Everything in the recorded metadata."""

    def setUp(self) -> None:
        self.documents = upstream_versions()
        versions = [version for document in self.documents.values() for version in document]
        self.versions = sorted({version["version"] for version in versions})
        self.normalized = sorted({version["version_normalized"] for version in versions})
        links = [version.get(kind, {}) for version in versions for kind in LINKS]
        self.constraints = sorted({text for link in links if isinstance(link, dict) for text in link.values()})
        self.random = random.Random(SEED)

    def test_versions(self) -> None:
        """Normal forms and stabilities of every version; branches of every name."""
        self.assertGreater(len(self.versions), 1000)
        questions = [(kind, text) for kind in ("normalize", "stability") for text in {*self.versions, *self.normalized}]
        questions += [(kind, text.removeprefix("dev-").removesuffix("-dev")) for kind in ("branch",) for text in self.versions]
        self.check([*questions, *(("prefix", text) for text in self.versions)])

    def test_constraints(self) -> None:
        """The form of every constraint, and which versions and constraints it matches."""
        self.assertGreater(len(self.constraints), 500)
        questions: list[tuple[Any, ...]] = [("constraint", text) for text in self.constraints]
        for text in self.constraints:
            questions += [("allows", text, version) for version in self.random.sample(self.normalized, 25)]
            questions += [("matches", text, other) for other in self.random.sample(self.constraints, 10)]
        self.check(questions)

    def test_order(self) -> None:
        """Each document's versions sort as PHP sorts them, and any two compare alike."""
        documents = [[version["version_normalized"] for version in document] for document in self.documents.values()]
        for document in documents:
            self.random.shuffle(document)
        for document, theirs in zip(documents, ask_composer([("sort", document) for document in documents]), strict=True):
            self.assertEqual(theirs, sorted(document, key=version_key))
            self.assertEqual(theirs, sorted(document, key=cmp_to_key(php_version_compare)))
        pairs = [self.random.sample(self.normalized, 2) for _ in range(20_000)]
        signs = ["=", "==", "<", "<=", ">", ">=", "<>", "!="]
        self.check([("version_compare", *pair) for pair in pairs])
        self.check([("compare", left, self.random.choice(signs), right) for left, right in pairs])


class GeneratedTests(Equality):
    """Texts made out of what has a meaning."""

    PIECES = (
        "0", "1", "2", "10", "01", "2010", "12", "99999", "123456", "9223372036854775807", "99999999999999999999999", ".", ".", ".", "-", "_",
        "+", " ", ",", "|", "||", " - ", "x", "X", "*", ".x", ".*", "x-dev", ".x-dev", "dev", "-dev", "dev-", "Dev-", "master", "trunk", "as", " as ",
        "@", "@dev", "@stable", "@RC", "@Beta", "#", "#abc", "alpha", "a", "beta", "b2", "RC", "rc1", "-RC1", "p", "pl", "patch", "stable", "Stable",
        "v", "V", "^", "~", "~>", ">", ">=", "<", "<=", "=", "==", "!=", "<>", "foo", "/", "é", "\n", "\t", "(", "0-dev", "1.0", "1.2.3", "^1.2", "~1.2",
    )  # fmt: skip

    def setUp(self) -> None:
        self.random = random.Random(SEED)

    def texts(self, count: int, most: int) -> list[str]:
        """Return texts of up to *most* pieces."""
        return ["".join(self.random.choices(self.PIECES, k=self.random.randint(1, most))) for _ in range(count)]

    def test_versions(self) -> None:
        """Normal forms, stabilities, branches, prefixes of anything."""
        self.check([(kind, text) for text in self.texts(6000, 6) for kind in ("normalize", "stability", "branch", "prefix")])

    def test_constraints(self) -> None:
        """Forms and messages of anything."""
        texts = [*self.texts(8000, 4), *self.texts(6000, 9)]
        self.check([("constraint", text) for text in texts])

    def test_comparison(self) -> None:
        """version_compare() and the comparator of anything."""
        texts = self.texts(12_000, 5)
        questions: list[tuple[Any, ...]] = [("version_compare", left, right) for left, right in zip(texts, texts[::-1], strict=True)]
        questions += [("version_compare", text, text) for text in texts]
        signs = ["=", "==", "<", "<=", ">", ">=", "<>", "!=", "~"]
        questions += [("compare", left, self.random.choice(signs), right) for left, right in zip(texts, texts[::-1], strict=True)]
        self.check(questions)

    def test_matching(self) -> None:
        """Which of the readable ones match each other and which versions."""
        signs = ("", "", "!=", "<", "<=", ">", ">=", "^", "~")
        tails = ("", "", ".*", "-dev", "-beta1", "@dev", ".x-dev")
        ones = [
            self.random.choice(signs) + ".".join(str(self.random.randint(0, 3)) for _ in range(self.random.randint(1, 4))) + self.random.choice(tails)
            for _ in range(400)
        ] + ["*", "dev-a", "!=dev-a", "dev-b", "<>dev-b", ">=dev-a", "<dev-b", "1 - 2", "*.*", ">dev-a"] * 10
        marks = (" ", ",", " || ", "|")
        joined = ["".join(f"{self.random.choice(ones)}{self.random.choice(marks)}" for _ in range(3)) + self.random.choice(ones) for _ in range(800)]
        candidates = [*ones, *joined]
        readable = [text for text, theirs in zip(candidates, ask_composer([("constraint", text) for text in candidates]), strict=True) if not isinstance(theirs, Refused)]
        self.assertGreater(len(readable), 600)
        versions = [normalize(text) for text in ("dev-a", "dev-b", "dev-c", "1.0", "1.0-dev", "1.1.1-beta1", "2.x-dev", "2", "3.0.1", "0.0.1", "1.2.3.1")]
        questions: list[tuple[Any, ...]] = [("allows", text, version) for text in readable for version in versions]
        questions += [("matches", self.random.choice(readable), self.random.choice(readable)) for _ in range(15_000)]
        self.check(questions)
        self.assertTrue(exactly("dev-a").matches(parse_constraints("dev-a")))


def plain(value: Any) -> Any:
    """Return a document without what PHP cannot tell apart: lists and objects, and empty ones from none."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [(str(key), plain(held)) for key, held in pairs]
    return value


def unlicensed(warnings: list[str]) -> list[str]:
    """Return what is not about licences, which we do not check."""
    return [warning for warning in warnings if not warning.startswith("License ")]


class ManifestTests(Equality):
    """The validating loader."""

    PARTS: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("name", ("acme/a", "", " ", "Acme/FooBar", "acme", "acme/a.json", "con/a", 1, None, ["a"], "a_/b", "a--b/c", "a/b--c", "a/b---c")),
        ("version", ("1.0", "x", 1, 1.5, 2.0, True, False, ["1"], None, "", "dev-main")),
        ("config", ({"platform": {"php": "8.1", "ext-a": False, "ext-b": "x"}}, {"platform": {"php": 8}}, {"platform": "x"}, "x", {})),
        ("type", ("library", "a b", 1, "", "symfony-bundle")),
        ("target-dir", ("a", 1, [])),
        ("extra", ("x", {}, {"branch-alias": {"dev-main": "1.x-dev", "dev-a": "1.0", "dev-b": 1, "dev-c": "x-dev", "2.x-dev": "1.x-dev", "2-dev": "2.0.x-dev"}}, {"branch-alias": "x"})),
        ("bin", ("a", "", ["a", 1], [True, "b"], {"a": []}, 5)),
        ("scripts", ("x", {"a": "b"}, [])),
        ("description", ("text", 1, " ")),
        ("homepage", ("https://a.example/x", "http:///x", "ftp://a/b", "a", "https://u:p@h:99999/", "HTTP://a", "https://", "https://a:80", "http://a?b", "")),
        ("keywords", (["a b", "é1", "a,b", 1, None], "x", [])),
        ("authors", ([{"name": "A", "email": "a@b.example", "homepage": "x"}, "B", {"email": "a@b"}, {"name": 1}, {"email": "a b@c.de"}, {"email": '"q q"@c.de'}], "x", [{}])),
        ("support", ({"email": "x", "irc": "irc://a/b", "docs": "x", "wiki": 1}, {"email": "a.b+c@d-e.example", "irc": "http://a/b"}, {"email": "x"}, "x")),
        ("funding", ([{"type": "a", "url": "x"}, {"type": 1}, "x", {"url": "https://a"}], 1)),
        ("require", ({"php": ">=8", "a/b": "^1", "A/b": "1.*", "acme/a": "1"}, {"a/b": 1}, {"x": "1"}, {"a/b": "^"}, "x", {"a/b": "self.version"}, [], ["a/b"])),
        ("conflict", ({"a/b": "1", "c/d": "1", "e/f": "1"}, {"g/h": "<2"})),
        ("replace", ({"a/b": "1"}, {"e/f": "self.version", "c/d": "1"})),
        ("require-dev", ({"x/y": "@dev"}, {"ext-json": "*", "lib-": "*"})),
        ("suggest", ({"a/b": "why"}, {"a/b": 1}, "x")),
        ("minimum-stability", ("dev", "rc", "RC", "Alpha", "x", 1)),
        ("autoload", ({"psr-4": {"A\\": "src", "B": "b", "": "c"}}, {"psr-0": {}}, {"x": 1, "files": []}, "x")),
        ("source", ({"type": "git", "url": "u", "reference": "r"}, {"type": "git"}, {"type": 1, "url": "-x", "reference": " -y"}, "x", {})),
        ("dist", ({"type": "zip", "url": "u"}, {"url": 1, "reference": []})),
        ("include-path", (["a"], "a", [[]])),
        ("transport-options", ({}, "x", {"a": 1})),
        ("license", ("MIT", ["MIT", "nope"], 1)),
    )  # fmt: skip

    def compare(self, documents: list[dict[str, Any]]) -> None:
        """Fail where errors, warnings or what is left differ."""
        answers = ask_composer([("document", json.dumps(document)) for document in documents])
        for document, theirs in zip(documents, answers, strict=True):
            check = ManifestCheck(document)
            check.run()
            if isinstance(theirs, Refused):  # Composer itself breaks on it: a name that is no text
                self.assertTrue(check.errors, document)
                continue
            self.assertEqual((theirs["errors"], unlicensed(theirs["warnings"])), (check.errors, check.warnings), document)
            if not check.errors:
                left = {key: value for key, value in theirs["document"].items() if value != []}
                self.assertEqual(plain(left), plain({key: value for key, value in check.document.items() if value not in ([], {})}))

    def test_each_rule(self) -> None:
        """One wrong thing at a time."""
        base = {"name": "acme/a", "description": "d"}
        self.compare([{**base, key: value} for key, values in self.PARTS for value in values])

    def test_many_at_once(self) -> None:
        """All sorts of things at a time."""
        chance = random.Random(SEED)
        documents = []
        for _ in range(3000):
            chosen = chance.sample(self.PARTS, chance.randint(2, 8))
            documents.append({"name": "acme/a", **{key: chance.choice(values) for key, values in chosen}})
        self.compare(documents)

    def test_real_manifests(self) -> None:
        """What is published is good, and nothing of it is lost."""
        versions = [version for document in upstream_versions().values() for version in document]
        documents = random.Random(SEED).sample(versions, 2000)
        self.compare([{key: value for key, value in document.items() if key not in {"uid", "time"}} for document in documents])

    def test_names(self) -> None:
        """Names of all sorts."""
        chance = random.Random(SEED)
        pieces = ("a", "b", "A", "Foo", "1", ".", "-", "--", "_", "/", "/", "con", "json", ".json", "php", "ext-", "lib-", "é", " ", "com1", "\n")
        names = ["".join(chance.choices(pieces, k=chance.randint(1, 7))) for _ in range(8000)]
        for name, theirs in zip(names, ask_composer([("name", name) for name in names]), strict=True):
            self.assertEqual(theirs, package_name_error(name), name)


class MinifierTests(Equality):
    """MetadataMinifier."""

    def test_real_documents(self) -> None:
        """Real documents are minified and expanded to the same."""
        documents = [versions[:150] for versions in upstream_versions().values() if versions][::6]
        answers = ask_composer([("minify", document) for document in documents])
        for document, theirs in zip(documents, answers, strict=True):
            self.assertEqual([plain(version) for version in theirs], [plain(version) for version in minified(document)])
            self.assertEqual(document, list(expanded(minified(document))))
