"""A synchronisation with upstreams of every shape; patches on what is served."""

import json
from datetime import datetime
from hashlib import sha1, sha256
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from packeton.adapters.database.mirrors import MirrorRecords
from packeton.adapters.database.syncs import SyncRecords
from packeton.core.caching.decisions import SyncState
from packeton.core.caching.modes import Mode
from packeton.core.composer.names import PackageName
from packeton.core.composer.patches import PatchStrategy
from packeton.errors import Invalid, NotFound, UpstreamFailed, UpstreamTimedOut
from packeton.features.mirroring.approvals import Approvals
from packeton.features.mirroring.mirrors import MAX_NOTICES
from packeton.features.mirroring.policy import Policy, PolicyRules
from packeton.features.mirroring.refreshing import UpstreamSource, read_changes
from packeton.features.mirroring.synchronising import Changes, Synchroniser
from packeton.interfaces.upstream import IHttpClient, IUpstreamResponse, UpstreamRequest
from tests.support.mirror import BASE, URL, MirrorTestCase
from tests.support.scripted import immediately
from tests.support.shapes import PACKAGES, SHAPES, make_shape


class _Synchronised(MirrorTestCase):
    """A mirror with its synchronisation."""

    def start(self, files: dict[str, bytes], mode: Mode = Mode.FULL, **rules: Any) -> None:
        self.build(files, lazy=mode is Mode.LAZY, **rules)
        self.packages, self.records = MirrorRecords(self.cache.database), SyncRecords(self.cache.database)
        self.mode = mode
        self.restart()

    def restart(self) -> None:
        """As another process on the same store."""
        policy = Policy(PolicyRules(alias="up", mode=self.mode), records=self.packages, now=self.cache.now)
        mirror = self.reconfigure(policy)
        self.source = UpstreamSource(mirror, mirror._originals, self.cache.storage, self.cache.records, immediately)
        self.sync = Synchroniser(
            "up", self.mode, None, self.source, self.records, self.packages, policy, self.cache.clock, "me"
        )
        self.approvals = Approvals(policy, self.packages, self.cache.now)

    def run_sync(self) -> SyncState:
        self.client.asked.clear()
        return self.now(self.sync.run())


class ShapeTests(_Synchronised):
    """Every kind of upstream."""

    def test_full(self) -> None:
        """After a full synchronisation everything is served without asking upstream, whatever its shape; then unchanged."""
        for shape in SHAPES:
            with self.subTest(shape):
                self.start(make_shape(shape, BASE))
                state = self.run_sync()
                self.assertEqual((0, None), (state.failed, state.error))
                listed = self.now(self.records.names("up"))
                if shape in {"v2", "relative", "mirrored", "patterns", "partial", "lazy"} and len(listed) < len(PACKAGES):
                    continue  # it does not tell all its names
                self.assertEqual(sorted(PACKAGES), sorted(listed), shape)
                self.client.down = {"*"}
                self.cache.clock.advance(30)
                for name in PACKAGES:
                    self.assertTrue(self.second(name)["packages"][name])
                self.client.down = set()
                again = self.run_sync()
                self.assertEqual(0, again.changed)


class ListingTests(_Synchronised):
    """What upstream lists, and its feed."""

    def test_changes(self) -> None:
        """Names without `~dev`; resync, errors and what is not understood mean everything; the timestamp is upstream's."""
        update = {"type": "update", "time": 1, "package": "Acme/Foo~dev"}
        for document, expected in (
            ({"actions": [update, {**update, "package": "a/b", "type": "delete"}], "timestamp": 7},
             Changes(timestamp=7, names=frozenset({"acme/foo", "a/b"}))),
            ({"actions": [], "timestamp": 8}, Changes(timestamp=8, names=frozenset())),
            ({"actions": [{"type": "resync", "time": 1, "package": "*"}], "timestamp": 9}, Changes(timestamp=9, names=None)),
            ({"error": "since is missing", "timestamp": 10}, Changes(timestamp=10, names=None)),
            ({"actions": [update, 5], "timestamp": 11}, Changes(timestamp=11, names=None)),
            ({"actions": {}, "timestamp": "x"}, Changes(timestamp=3, names=None)),
        ):  # fmt: skip
            self.assertEqual(expected, read_changes(document, 3))

    def feed(self, **answer: Any) -> None:
        self.client.files["/repo/changes.json"] = json.dumps(answer).encode()

    def test_lazy_with_feed(self) -> None:
        """Packages in use are asked for when the feed says that they changed, and only then."""
        files = {f"/repo/p2/acme/{name}.json": _document(f"acme/{name}") for name in ("a", "b")}
        root = {"packages": [], "metadata-url": "/repo/p2/%package%.json", "metadata-changes-url": "/repo/changes.json"}
        self.start({**files, "/repo/packages.json": json.dumps(root).encode()}, Mode.LAZY)
        for name in ("acme/a", "acme/b"):
            self.second(name)
        self.now(self.policy.write_notes())
        self.feed(actions=[{"type": "resync", "package": "*"}], timestamp=50)
        self.run_sync()
        self.assertEqual(1, self.client.asked["/repo/p2/acme/a.json"])
        self.assertEqual(1, self.client.asked["/repo/p2/acme/b.json"])
        self.feed(actions=[{"type": "update", "package": "acme/b"}, {"type": "update", "package": "acme/z"}], timestamp=60)
        self.client.files["/repo/p2/acme/b.json"] = _document("acme/b", "2.0.0")
        self.client.dates["/repo/p2/acme/b.json"] = "Tue, 14 Nov 2023 23:00:00 GMT"
        state = self.run_sync()
        self.assertEqual((0, 1), (self.client.asked["/repo/p2/acme/a.json"], self.client.asked["/repo/p2/acme/b.json"]))
        self.assertEqual((1, 60), (state.changed, state.changes_since))
        self.client.asked.clear()
        self.assertEqual("2.0.0", self.second("acme/b")["packages"]["acme/b"][0]["version"])
        self.assertEqual(0, sum(self.client.asked.values()))

    def test_listed_file_is_away(self) -> None:
        """A file that the root names ends the run with its address when it cannot be had, and is asked for by the next."""
        for shape, word in (("v1", "outer"), ("satis", "include")):
            with self.subTest(shape):
                files = make_shape(shape, BASE)
                self.start(files)
                self.run_sync()
                held = self.second("acme/front")
                old = next(path for path in files if word in path)
                content = files.pop(old) + b" "
                kind = sha1 if shape == "satis" else sha256
                before, after = old.rpartition("$")[2].removesuffix(".json"), kind(content).hexdigest()
                files["/repo/packages.json"] = files["/repo/packages.json"].replace(before.encode(), after.encode())
                self.client.dates["/repo/packages.json"] = "Wed, 15 Nov 2023 22:13:20 GMT"
                self.restart()
                run = self.deferred(self.sync.run())
                for _ in range(100):
                    self.cache.clock.advance(0.1)
                self.assertIn("this file is named, and cannot be had", str(self.failureResultOf(run, UpstreamFailed).value))
                self.assertEqual(held, self.second("acme/front"))
                files[old.replace(before, after)] = content
                self.cache.clock.advance(3600)
                self.assertIsNone(self.run_sync().error)

    def test_list_is_asked_for(self) -> None:
        """A list of names is asked for by each run, however fresh our copy is; new packages are fetched."""
        files = {f"/repo/p2/acme/{name}.json": _document(f"acme/{name}") for name in ("a", "b")}
        root = {"packages": [], "metadata-url": "/repo/p2/%package%.json", "list": "/repo/list.json"}
        files |= {"/repo/packages.json": json.dumps(root).encode(), "/repo/list.json": b'{"packageNames": ["acme/a"]}'}
        self.start(files)
        self.assertEqual(1, self.run_sync().total)
        self.client.files["/repo/list.json"] = b'{"packageNames": ["acme/a", "acme/b"]}'
        self.client.dates["/repo/list.json"] = "Tue, 14 Nov 2023 23:00:00 GMT"
        state = self.run_sync()
        self.assertEqual((2, 1), (state.total, state.changed))
        self.assertEqual(1, self.client.asked["/repo/p2/acme/b.json"])

    def test_forget(self) -> None:
        """Metadata is forgotten, entry and body; the root, dists and what is pinned stay."""
        self.start(make_shape("classic", BASE))
        self.run_sync()
        keys = [entry.key for entry in self.now(self.cache.records.matching("mirror/up/*"))]
        pinned = next(key for key in keys if "acme" in key)
        self.now(self.cache.records.pin(pinned, True))
        blobs = len(list(self.cache.blobs.listing()))
        self.now(self.source.forget())
        left = {entry.key for entry in self.now(self.cache.records.matching("mirror/up/*"))}
        self.assertEqual({"mirror/up/packages.json", pinned}, left)
        self.assertLess(len(list(self.cache.blobs.listing())), blobs)


class PatchTests(_Synchronised):
    """Patches, as clients see them."""

    def moment(self) -> datetime:
        rendition = self.now(self.mirror.package_rendition(PackageName.parse("acme/a"), dev=False, mirror_url=URL))
        return rendition.last_modified

    def version(self) -> dict[str, Any]:
        return self.second("acme/a")["packages"]["acme/a"][0]

    def test_patched(self) -> None:
        """A patch shows in p2 with a later date, for each change of it, and so does taking it away; others stay."""
        files = {f"/repo/p2/acme/{name}.json": _document(f"acme/{name}") for name in ("a", "b")}
        root = {"packages": [], "metadata-url": "/repo/p2/%package%.json"}
        self.start({**files, "/repo/packages.json": json.dumps(root).encode()}, Mode.LAZY)
        dates = [self.moment()]
        untouched = self.second("acme/b")
        upstream = self.now(self.source.versions(PackageName.parse("acme/a")))

        def patch(strategy: PatchStrategy, content: dict[str, Any]) -> None:
            self.now(self.approvals.patch("acme/a", "1.0.0", strategy, content, upstream))
            dates.append(self.moment())

        patch(PatchStrategy.MERGE, {"require": {"php": ">=8"}})
        self.assertEqual({"php": ">=8"}, self.version()["require"])
        patch(PatchStrategy.MERGE_RECURSIVE, {"require": {"ext-json": "*"}})
        self.assertEqual({"php": ">=5", "ext-json": "*"}, self.version()["require"])
        self.restart()
        self.assertEqual(dates[-1], self.moment())
        patch(PatchStrategy.MERGE, {})
        self.assertEqual({"php": ">=5"}, self.version()["require"])
        self.assertEqual(sorted(set(dates)), dates)
        self.assertEqual(untouched, self.second("acme/b"))
        self.assertEqual([], self.now(self.approvals.patches()))

    def test_refused(self) -> None:
        """What Composer would not take, and what upstream has not, is no patch."""
        files = {"/repo/p2/acme/a.json": _document("acme/a")}
        root = {"packages": [], "metadata-url": "/repo/p2/%package%.json"}
        self.start({**files, "/repo/packages.json": json.dumps(root).encode()}, Mode.LAZY)
        upstream = self.now(self.source.versions(PackageName.parse("acme/a")))
        for version, content, kind in (("1.0.0", {"name": "other/name"}, Invalid), ("9.9.9", {"type": "x"}, NotFound)):
            self.failureResultOf(
                self.deferred(self.approvals.patch("acme/a", version, PatchStrategy.MERGE, content, upstream)), kind
            )


@implementer(IHttpClient)
class Hanging:
    """An upstream that answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[IUpstreamResponse]] = []

    async def request(self, request: UpstreamRequest) -> IUpstreamResponse:
        self.waiting.append(Deferred())
        return await self.waiting[-1]


class NotificationTests(MirrorTestCase):
    """Notifications while upstream hangs."""

    def test_bounded(self) -> None:
        """So many wait; more are dropped at once."""
        self.build({"/repo/packages.json": b'{"packages": [], "notify-batch": "/downloads/"}'}, notify=True)
        hanging = Hanging()
        self.mirror._client = hanging
        waiting = [self.deferred(self.mirror.notify(b"{}")) for _ in range(MAX_NOTICES + 3)]
        self.assertEqual(MAX_NOTICES, len(hanging.waiting))
        for dropped in waiting[MAX_NOTICES:]:
            self.assertIsNone(self.successResultOf(dropped))
        for answer in hanging.waiting:
            answer.errback(UpstreamTimedOut("slow"))
        for one in waiting[:MAX_NOTICES]:
            self.assertIsNone(self.successResultOf(one))
        self.deferred(self.mirror.notify(b"{}"))
        self.assertEqual(MAX_NOTICES + 1, len(hanging.waiting))


def _document(name: str, version: str = "1.0.0") -> bytes:
    entry = {"name": name, "version": version, "version_normalized": f"{version}.0", "require": {"php": ">=5"}}
    return json.dumps({"packages": {name: [entry]}, "minified": "composer/2.0"}).encode()

