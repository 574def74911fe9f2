"""Dists built out of their source, where they cannot be had."""

import tempfile
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import ensureDeferred

from packeton.core.composer.names import PackageName
from packeton.errors import NotFound, PacketonError, UpstreamRefused
from packeton.features.mirroring.dists import DistRequest
from packeton.interfaces.vcs import ArchiveOrder, BuiltArchive, OnLog, VcsAccess
from tests.support.mirror import BASE, MirrorTestCase
from tests.support.origin import make_zip
from tests.support.shapes import dumped, make_shape, versions_of_all

COMMIT = "b" * 40


@define
class Checkouts:
    """Writes an archive for every order, or fails."""

    orders: list[tuple[VcsAccess, ArchiveOrder]] = field(factory=list)
    error: Exception | None = None
    content: bytes | None = None

    async def archive(self, access: VcsAccess, order: ArchiveOrder, destination: Path, on_log: OnLog) -> BuiltArchive:
        self.orders.append((access, order))
        on_log("working")
        if self.error is not None:
            raise self.error
        content = make_zip("acme/front", order.reference) if self.content is None else self.content
        destination.write_bytes(content)
        return BuiltArchive(size=len(content), sha1="", sha256="", entries=3)


class BuildingTests(MirrorTestCase):
    """A mirror whose upstream has lost its zips."""

    def lost(self, **edits: Any) -> Checkouts:
        """Make the mirror; *edits* change every version."""
        files = {path: content for path, content in make_shape("v2", BASE).items() if not path.startswith("/zips/")}
        versions = [
            {**version, **edits} for version in versions_of_all(BASE)["acme/front"] if version["version"] != "dev-master"
        ]
        files["/p2/acme/front.json"] = dumped({"packages": {"acme/front": versions}})
        self.build(files)
        checkouts = Checkouts()
        self.build_with(checkouts)
        return checkouts

    def failure(self, version: str = "1.1.0.0", reference: str = COMMIT) -> PacketonError:
        wanted = DistRequest(package=PackageName.parse("acme/front"), version=version, reference=reference, type="zip")
        waiting = ensureDeferred(self.dists.open(wanted))
        self.cache.clock.pump([0.1] * 20)
        error = self.failureResultOf(waiting).value
        assert isinstance(error, PacketonError)
        return error

    def test_built_once(self) -> None:
        """What is 404 is built, stored, and served from then on; upstream and its source are asked once."""
        checkouts = self.lost()
        for _ in range(2):
            self.assertEqual(make_zip("acme/front", COMMIT), self.dist("acme/front", "1.1.0.0", COMMIT))
        ((access, order),) = checkouts.orders
        self.assertEqual(("https://git.invalid/acme/front.git", COMMIT), (access.url, order.reference))
        self.assertEqual(1, self.client.asked["/zips/acme/front/b.zip"])

    def test_no_dist(self) -> None:
        """A version without any dist, and an older commit of which the metadata knows nothing any more."""
        checkouts = self.lost(dist=None)
        self.assertEqual(make_zip("acme/front", COMMIT), self.dist("acme/front", "1.1.0.0", COMMIT))
        older = "f" * 40
        self.assertEqual(make_zip("acme/front", older), self.dist("acme/front", "1.1.0.0", older))
        self.assertEqual([COMMIT, older], [order.reference for _, order in checkouts.orders])

    def test_not_built(self) -> None:
        """Neither a zip that must have a checksum, nor what upstream damaged, nor what has no source."""
        dist = {"type": "zip", "url": f"{BASE}/zips/acme/front/b.zip", "reference": COMMIT}
        for edits in ({"dist": {**dist, "shasum": "0" * 40}}, {"source": None}, {"dist": {**dist, "type": "tar"}}):
            checkouts = self.lost(**edits)
            self.assertIsInstance(self.failure(), NotFound)
            self.assertEqual([], checkouts.orders)
        checkouts = self.lost()
        self.client.files["/zips/acme/front/b.zip"] = make_zip("acme/front", "b")[:-30]
        for _ in range(2):
            self.assertIn("damaged", str(self.failure()))
        self.assertEqual([], checkouts.orders)

    def test_upstream_away(self) -> None:
        """A failure that may pass is told, not built around."""
        checkouts = self.lost()
        self.client.down.add("/zips/acme/front/b.zip")
        self.assertNotIsInstance(self.failure(), NotFound)
        self.assertEqual([], checkouts.orders)

    def test_in_vain(self) -> None:
        """Both reasons are told; for half a minute nobody tries again."""
        checkouts = self.lost()
        checkouts.error = NotFound("no such commit")
        for _ in range(2):
            error = self.failure()
            self.assertIsInstance(error, NotFound)
            self.assertIn("answered 404", str(error))
            self.assertIn("no such commit", str(error))
        self.assertEqual(1, len(checkouts.orders))
        self.cache.clock.advance(31)
        checkouts.error = None
        self.assertEqual(make_zip("acme/front", COMMIT), self.dist("acme/front", "1.1.0.0", COMMIT))

    def test_bad_archive(self) -> None:
        """What was built is looked at like anything else, and leaves nothing behind."""
        checkouts = self.lost()
        checkouts.content = b"PK nonsense"
        self.assertIn("damaged", str(self.failure()))
        self.assertEqual(0, self.now(self.cache.records.totals("mirror/up/dist/*")).entries)

    def test_ssh(self) -> None:
        """Over ssh only with a key that was given for the address; the longest part that fits wins."""
        source = {"type": "git", "url": "git@git.acme.example:team/front.git", "reference": COMMIT}
        checkouts = self.lost(source=source)
        self.assertIn("no ssh key", str(self.failure()))
        self.assertEqual([], checkouts.orders)
        with tempfile.TemporaryDirectory() as folder:
            keys = {}
            for part in ("", "git.acme.example", "git.acme.example:team", "git.other.example"):
                keys[part] = Path(folder) / f"key-{len(keys)}"
                keys[part].write_text(f"key for {part}")
            checkouts = self.lost(source=source)
            self.build_with(checkouts, keys)
            self.dist("acme/front", "1.1.0.0", COMMIT)
        key = checkouts.orders[0][0].ssh_key
        assert key is not None
        self.assertEqual("key for git.acme.example:team", key.reveal())

    def test_private(self) -> None:
        """An address that upstream must not send us to is not read."""
        source = {"type": "git", "url": "https://private.example/x.git", "reference": COMMIT}
        checkouts = self.lost(source=source)
        error = self.failure()
        self.assertIn("private", str(error))
        self.assertNotIsInstance(error, UpstreamRefused)
        self.assertEqual([], checkouts.orders)
