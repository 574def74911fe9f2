"""Upstream's documents with something of a wrong type at each place: refused by name, or read as far as they go."""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.editions import Edits, edited, first_generation, second_generation
from packeton.core.composer.metadata import check_package, find_dist, read_package, versions_of
from packeton.core.composer.minifier import MINIFIED, minified
from packeton.core.composer.offers import Offer, offered
from packeton.core.composer.roots import Resource, Root, listed_in
from packeton.errors import BadContent, NotFound
from tests.support.shapes import SHAPES, make_shape

BASE = "https://up.example"
US = "https://p.example/mirror/up"
WRONG = (None, True, 7, -1.5, "", "x", "a/b", "http://[bad", [], {}, ["a"], [None], [[]], {"a": 1}, {"": None}, 10**30)
NAME = "acme/front"
EDITS = (Edits(), Edits(mirror_url=US), Edits(mirror_url=US, hide_source=True, shasums={("1.1.0.0", "b" * 40): "c" * 40}))


def places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to everything in a document; of a list only to its first element."""
    yield at
    inside = document.items() if isinstance(document, dict) else list(enumerate(document))[:1] if isinstance(document, list) else ()
    for key, value in inside:
        yield from places(value, (*at, key))


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    changed = outer = copy.deepcopy(document)
    for key in at[:-1]:
        outer = outer[key]
    outer[at[-1]] = value
    return changed


class NonsenseTests(SynchronousTestCase):
    """What is done with a document never ends in another error than those that are answered."""

    def play(self, documents: dict[str, bytes], use: Callable[[bytes], None]) -> tuple[int, int]:
        """Use each document in each damaged form; return how many were taken and refused."""
        taken = refused = 0
        for path, content in documents.items():
            document = json.loads(content)
            for at in places(document):
                for wrong in WRONG:
                    damaged = json.dumps(put(document, at, wrong)).encode()
                    try:
                        use(damaged)
                        taken += 1
                    except (BadContent, NotFound):
                        refused += 1
                    except Exception as error:
                        raise AssertionError(f"{path}: {wrong!r} at {at}") from error
        return taken, refused

    def test_packages(self) -> None:
        """Metadata of either generation, made into either generation, and searched for dists."""

        def use(content: bytes) -> None:
            check_package(content)
            documents = [read_package(content)]
            for edits in EDITS:
                orjson.dumps(edited(documents[0], edits))
                orjson.dumps(first_generation(documents, NAME, edits))
                for dev in (False, True):
                    orjson.dumps(second_generation(documents, NAME, edits, dev=dev))
            full = list(versions_of(documents[0], NAME))
            for reference in ("b" * 40, "", "d" * 40):
                find_dist(full, "1.1.0.0", reference)

        documents = {"p2": make_shape("v2", BASE)["/p2/acme/front.json"], "v1": make_shape("lazy", BASE)["/v1/acme/front.json"]}
        full = json.loads(documents["p2"])
        documents["small"] = json.dumps({**full, "minified": MINIFIED, "packages": {NAME: minified(full["packages"][NAME])}}).encode()
        for kind, document in documents.items():
            taken, refused = self.play({kind: document}, use)
            self.assertGreater(min(taken, refused), 20, kind)

    def test_roots(self) -> None:
        """Roots of every shape, made into ours."""

        def use(content: bytes) -> None:
            root = Root.read(content, f"{BASE}/packages.json")
            for included in (*root.provider_includes(), *root.includes()):
                self.assertTrue(included.url.startswith("http"))
            list(listed_in(root.document))
            for resource in Resource:
                with contextlib.suppress(NotFound):
                    root.address(resource, package=NAME, hash="a", query="q", type="")
            self.assertTrue(all(one.startswith("http") for one in root.dist_mirrors()))
            told = (root.available, root.has_listing, root.is_old)
            orjson.dumps([*told, offered(root, Offer(mirror_url=US, notify=True, info="hello"))])

        more = {"notify-batch": "/n", "search": "/s?q=%query%", "list": "/l", "info": "i", "security-advisories": {"api-url": "/a", "metadata": True},
                "filter": {"summary-url": "/f"}, "infos": [{"message": "m", "versions": "*"}], "available-package-patterns": ["a/*"]}  # fmt: skip
        roots = {shape: json.dumps({**json.loads(make_shape(shape, BASE)["/repo/packages.json"]), **more}).encode() for shape in SHAPES}
        taken, refused = self.play(roots, use)
        self.assertGreater(min(taken, refused), 50)
