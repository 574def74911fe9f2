"""Foreign repositories of every generation, as documents by address."""

from collections.abc import Coroutine
from hashlib import sha256
from typing import Any, TypeVar

import orjson
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.roots import Root
from packeton.errors import BadContent, NotFound, UpstreamFailed
from packeton.features.packages.foreign_reading import MAX_FILES, ForeignReader
from tests.support.scripted import immediately

T = TypeVar("T")
URL = "https://repo.example/"
OLD = {"packages": {"acme/a": {
    "1.0.0": {"name": "acme/a", "version": "1.0.0", "version_normalized": "1.0.0.0", "uid": 1},
    "dev-master": {"name": "acme/a", "version": "dev-master", "version_normalized": "9999999-dev", "uid": 2},
}, "acme/other": {"2.0.0": {"name": "acme/other", "version": "2.0.0", "version_normalized": "2.0.0.0"}}}}  # fmt: skip
MODERN = {"packages": {"acme/a": [{"name": "acme/a", "version": "1.0.0", "version_normalized": "1.0.0.0"}]}}
DEV = {"packages": {"acme/a": [{"name": "acme/a", "version": "dev-master", "version_normalized": "dev-master"}]}}


def hashed(document: Any) -> tuple[bytes, str]:
    content = orjson.dumps(document)
    return content, sha256(content).hexdigest()


class ForeignReaderTests(SynchronousTestCase):
    """Names and versions."""

    def reader(self, root: dict[str, Any], **files: Any) -> ForeignReader:
        self.asked: list[str] = []

        async def fetch(address: str) -> bytes | None:
            self.asked.append(address.removeprefix(URL))
            found = files.get(self.asked[-1])
            return found if found is None or isinstance(found, bytes) else orjson.dumps(found)

        return ForeignReader(Root(document=root, url=f"{URL}packages.json"), fetch, immediately)

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, kind: type[Exception], coroutine: Coroutine[Any, Any, T]) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), kind).value)

    def generations(self) -> dict[str, ForeignReader]:
        document, digest = hashed(OLD)
        listing, of_listing = hashed({"providers": {"acme/a": {"sha256": digest}}})
        provided = {"packages": [], "providers-url": "/p/%package%$%hash%.json"}
        files = {f"p/acme/a${digest}.json": document}
        return {
            "metadata": self.reader({"metadata-url": "/p2/%package%.json", "available-packages": ["acme/a"]}, **{"p2/acme/a.json": MODERN, "p2/acme/a~dev.json": DEV}),
            "root": self.reader(OLD),
            "includes": self.reader({"packages": {}, "includes": {"i/all.json": {}}}, **{"i/all.json": OLD}),
            "nested": self.reader({"packages": {}, "includes": {"a.json": {}}}, **{"a.json": {"includes": {"b.json": {}, "a.json": {}}}, "b.json": OLD}),
            "providers": self.reader({**provided, "providers": {"Acme/A": {"sha256": digest}}}, **files),
            "provider-includes": self.reader({**provided, "provider-includes": {"p/all$%hash%.json": {"sha256": of_listing}}}, **{f"p/all${of_listing}.json": listing}, **files),
            "lazy": self.reader({"packages": [], "providers-lazy-url": "/p/%package%.json", "list": "/list.json"}, **{"p/acme/a.json": OLD, "list.json": {"packageNames": ["acme/a"]}}),
        }  # fmt: skip

    def test_every_generation(self) -> None:
        """All versions, as Composer 2 has them, and all names; what is not there is NotFound."""
        for kind, reader in self.generations().items():
            with self.subTest(kind):
                found = self.ok(reader.versions("acme/a"))
                self.assertEqual({"1.0.0": "1.0.0.0", "dev-master": "dev-master"}, {one["version"]: one["version_normalized"] for one in found})
                self.assertFalse([one for one in found if "uid" in one])
                self.assertIn("acme/a", self.ok(reader.names()) or ())
                self.refused(NotFound, reader.versions("acme/none"))

    def test_read_once(self) -> None:
        """Lists are read once, however many packages are looked at."""
        reader = self.generations()["nested"]
        for name in ("acme/a", "acme/other"):
            self.ok(reader.versions(name))
        self.assertEqual(["acme/a", "acme/other"], self.ok(reader.names()))
        self.assertEqual(["a.json", "b.json"], self.asked)
        self.assertIsNone(self.ok(self.reader({"packages": [], "providers-lazy-url": "/p/%package%.json"}).names()))

    def test_other_content(self) -> None:
        """What has not the hash that it is listed with is not taken; what is listed must be there."""
        digest = "0" * 64
        root = {"packages": [], "providers-url": "/p/%package%$%hash%.json", "providers": {"acme/a": {"sha256": digest}}}
        place = f"p/acme/a${digest}.json"
        self.assertIn("another content", self.refused(BadContent, self.reader(root, **{place: OLD}).versions("acme/a")))
        self.assertIn("not there", self.refused(UpstreamFailed, self.reader(root).versions("acme/a")))
        root = {"packages": [], "includes": {"a.json": {"sha1": "0" * 40}}}
        self.refused(BadContent, self.reader(root, **{"a.json": OLD}).versions("acme/a"))

    def test_bounded(self) -> None:
        """Files that lead to ever more files come to an end."""
        files = {f"{n}.json": {"includes": {f"{n + 1}.json": {}}} for n in range(MAX_FILES + 2)}
        reader = self.reader({"packages": [], "includes": {"0.json": {}}}, **files)
        self.assertIn(str(MAX_FILES), self.refused(UpstreamFailed, reader.versions("acme/a")))
        self.assertEqual(MAX_FILES, len(self.asked))
