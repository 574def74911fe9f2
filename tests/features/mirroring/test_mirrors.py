"""Mirrors of repositories of every shape: what each generation of Composer is given."""

import json
from collections.abc import Iterator
from hashlib import sha1, sha256
from typing import Any

from packeton.core.caching.modes import AllowList
from packeton.core.composer.metadata import versions_of
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Resource
from packeton.errors import NotFound, NotHad, UpstreamFailed
from packeton.features.mirroring.dists import DistRequest
from packeton.features.mirroring.policy import Policy, PolicyRules
from tests.support.mirror import BASE, URL, MirrorTestCase
from tests.support.shapes import PACKAGES, SHAPES, make_shape, versions_of_all, zips

OLD = {"v1", "lazy", "satis", "inline"}
"""Shapes without documents for Composer 2."""


def by_number(versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {version["version"]: version for version in versions}


class SecondGenerationTests(MirrorTestCase):
    """Composer 2 uses `metadata-url` with every upstream."""

    def test_equal_version_by_version(self) -> None:
        """Every version of every package is upstream's, whatever the shape; branches are apart."""
        expected = versions_of_all(BASE)
        for shape in SHAPES:
            self.build(make_shape(shape, BASE))
            root = self.root()
            self.assertEqual(f"{URL}/p2/%package%.json", root["metadata-url"], shape)
            self.assertEqual({"shape": shape}, root["novelty"], shape)
            self.assertNotIn("up.example", json.dumps({**root, "packages": []}), shape)
            for name, versions in expected.items():
                found: dict[str, Any] = {}
                for dev in (False, True):
                    document = self.second(name, dev=dev)
                    half = by_number(list(versions_of(document, name)))
                    self.assertTrue(all(number.startswith("dev-") is dev for number in half), (shape, half))
                    found.update(half)
                if shape == "partial" and name == "acme/lib":
                    continue  # the root has them, and for these Composer asks for nothing
                self.assertEqual(by_number(versions), found, (shape, name))
            absent = self.mirror.package_rendition(PackageName.parse("acme/absent"), dev=False, mirror_url=URL)
            self.failureResultOf(self.deferred(absent), NotFound)

    def test_bytes(self) -> None:
        """Where upstream has such a document it is passed on as it is, unknown keys and all."""
        self.build(files := make_shape("v2", BASE))
        name = PackageName.parse("acme/front")
        body = self.body(self.mirror.package_rendition(name, dev=False, mirror_url=URL))
        self.assertEqual(files["/p2/acme/front.json"], body)

    def test_names(self) -> None:
        """`available-packages` of upstream stay; a small old repository gets them; the limit holds."""
        names = sorted(PACKAGES)
        for shape, expected in {
            "v2": None, "available": names, "patterns": None, "v1": names, "satis": names, "inline": names, "lazy": None,
        }.items():  # fmt: skip
            self.build(make_shape(shape, BASE))
            self.assertEqual(expected, self.root().get("available-packages"), shape)
        self.build(make_shape("patterns", BASE))
        self.assertEqual(["acme/*"], self.root()["available-package-patterns"])
        self.build(make_shape("v1", BASE), max_names=2)
        self.assertNotIn("available-packages", self.root())

    def test_all_names(self) -> None:
        """Whoever synchronises gets all names that upstream tells, or learns that it does not."""

        async def collected() -> list[str]:
            return sorted({name async for some in self.mirror.names() for name in some})

        for shape in ("available", "v1", "classic", "satis", "inline"):
            self.build(make_shape(shape, BASE))
            self.assertEqual(sorted(PACKAGES), self.now(collected()), shape)
        self.build(make_shape("lazy", BASE))
        self.failureResultOf(self.deferred(collected()), NotFound)


class ChangedTests(MirrorTestCase):
    """A repository that becomes one of another kind."""

    def test_as_it_was(self) -> None:
        """What we hold is served on while the new kind's files cannot be had; then theirs are."""
        for before, after in (("v2", "lazy"), ("lazy", "v2"), ("v2", "v1"), ("v1", "v2")):
            with self.subTest(before=before, after=after):
                self.build(make_shape(before, BASE))
                held = by_number(list(versions_of(self.second("acme/front"), "acme/front")))
                files = make_shape(after, BASE)
                self.client.files = files
                self.client.dates["/repo/packages.json"] = "Wed, 15 Nov 2023 22:13:20 GMT"
                self.client.down = set(files) - {"/repo/packages.json"}
                self.cache.clock.advance(3600)
                self.now(self.mirror.refresh_root())
                self.assertEqual(after in OLD, self.now(self.mirror.root()).is_old)
                self.assertEqual(held, by_number(list(versions_of(self.second("acme/front"), "acme/front"))))
                self.client.down = set()
                self.cache.clock.advance(3600)
                self.client.asked.clear()
                self.assertEqual(held, by_number(list(versions_of(self.second("acme/front"), "acme/front"))))
                self.assertIn(True, ["acme/front" in path for path in self.client.asked])

    def test_changed_by_another(self) -> None:
        """A root that another process fetched counts at once, also for who asks only for a package."""
        for before, after in (("v1", "v2"), ("lazy", "v2"), ("v2", "v1")):
            with self.subTest(before=before, after=after):
                files = make_shape(after, BASE)
                mine = self.build({**files, **make_shape(before, BASE)})
                versions = set(by_number(list(versions_of(self.second("acme/front"), "acme/front"))))
                self.client.files["/repo/packages.json"] = files["/repo/packages.json"]
                self.client.dates["/repo/packages.json"] = "Wed, 15 Nov 2023 22:13:20 GMT"
                self.assertTrue(self.now(self.reconfigure().refresh_root()))
                self.mirror = mine
                self.client.asked.clear()
                self.assertEqual(versions, set(by_number(list(versions_of(self.second("acme/front"), "acme/front")))))
                self.assertEqual(after == "v2", "/p2/acme/front.json" in self.client.asked)


class FirstGenerationTests(MirrorTestCase):
    """Composer 1: lists with hashes, files of packages, or one document at a time."""

    def packages(self, root: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Go through a root as Composer 1 does, and hold every file against its hash."""
        for path, told in root.get("includes", {}).items():
            content = self.file(path)
            self.assertEqual(told["sha1"], sha1(content).hexdigest())
            yield from json.loads(content)["packages"].items()
        listed = {}
        for path, told in root.get("provider-includes", {}).items():
            content = self.file(path.replace("%hash%", told["sha256"]))
            self.assertEqual(told["sha256"], sha256(content).hexdigest())
            listed.update(json.loads(content)["providers"])
        for name, told in listed.items():
            self.assertEqual(f"{URL}/pkg/%package%$%hash%.json", root["providers-url"])
            content = self.first(name, told["sha256"])
            self.assertEqual(told["sha256"], sha256(content).hexdigest())
            yield name, json.loads(content)["packages"][name]
        if "providers-lazy-url" in root:
            self.assertEqual(f"{URL}/pkg/%package%.json", root["providers-lazy-url"])
            yield from root["packages"].items() if root["packages"] else ()
            for name in set(PACKAGES) - set(listed) - set(root["packages"]):
                yield name, json.loads(self.first(name))["packages"][name]

    def assert_all(self, root: dict[str, Any], about: object, **edits: object) -> None:
        """Every version is upstream's, with a uid of its own."""
        uids = set()
        found = dict(self.packages(root))
        for name, versions in versions_of_all(BASE, first=True).items():
            theirs = found[name].values() if isinstance(found[name], dict) else found[name]
            ours = by_number(list(theirs))
            for version in versions:
                mine = ours[version["version"]]
                uids.add(mine.pop("uid"))
                version.pop("uid")
                self.assertEqual({**version, **edits} if edits else version, mine, about)
        self.assertEqual(sum(map(len, PACKAGES.values())), len(uids), about)

    def test_every_shape(self) -> None:
        """All packages can be had, whole lists or not."""
        for shape in SHAPES:
            for lazy in (True, False):
                self.build(make_shape(shape, BASE), lazy=lazy)
                self.assert_all(self.root(1), (shape, lazy))

    def test_ways(self) -> None:
        """Lists with hashes where whole lists are wanted and upstream has them; files of packages where these are few."""
        for shape, lazy, key in (
            ("v1", True, "providers-lazy-url"),
            ("v1", False, "provider-includes"),
            ("classic", False, "provider-includes"),
            ("satis", True, "includes"),
            ("inline", True, "includes"),
            ("v2", False, "providers-lazy-url"),
        ):
            self.build(make_shape(shape, BASE), lazy=lazy)
            self.assertIn(key, self.root(1), (shape, lazy))
            self.assertNotIn("includes", self.root(2))

    def test_untouched(self) -> None:
        """Where nothing is changed, lists and documents are upstream's bytes under upstream's hashes."""
        self.build(files := make_shape("v1", BASE), lazy=False)
        includes = self.root(1)["provider-includes"]
        theirs = json.loads(files["/repo/packages.json"])["provider-includes"]
        self.assertEqual(theirs["p/outer$%hash%.json"], includes["p/outer$%hash%.json"])
        self.assertIn("p/inner$%hash%.json", includes)

    def test_rewritten(self) -> None:
        """With our dist URLs all hashes are of what we send; what we do not hold yet is had without a hash."""
        self.build(files := make_shape("v1", BASE), lazy=False, dists="rewrite")
        self.assertEqual({}, json.loads(self.file(self.path(self.root(1), "inner")))["providers"])
        root = self.root(1)
        for name in PACKAGES:
            self.first(name)
        again = self.root(1)
        self.assertNotEqual(root["provider-includes"], again["provider-includes"])
        found = dict(self.packages(again))
        urls = [version["dist"]["url"] for versions in found.values() for version in versions.values()]
        self.assertEqual(sum(map(len, PACKAGES.values())), len(urls))
        self.assertTrue(all(url.startswith(f"{URL}/zipball/") for url in urls), urls)
        listed = json.loads(self.file(self.path(again, "outer")))["providers"]
        self.assertEqual({"acme/front", "acme/lib"}, set(listed))
        self.assertNotIn(listed["acme/front"]["sha256"], json.dumps(list(files)))

    def path(self, root: dict[str, Any], name: str) -> str:
        path = f"p/{name}$%hash%.json"
        return path.replace("%hash%", str(root["provider-includes"][path]["sha256"]))

    def test_another_hash(self) -> None:
        """What is asked for by a hash that it has not is not there."""
        self.build(make_shape("v1", BASE), lazy=False)
        self.root(1)
        for work in (
            self.mirror.old_rendition(PackageName.parse("acme/front"), "0" * 64, mirror_url=URL),
            self.mirror.file_rendition(f"p/outer${'0' * 64}.json", URL),
            self.mirror.file_rendition(f"p/other${'0' * 64}.json", URL),
            self.mirror.file_rendition(f"include-packeton/all${'0' * 40}.json", URL),
            self.mirror.file_rendition("p/outer.json", URL),
        ):
            self.failureResultOf(self.deferred(work), NotFound)

    def test_disabled(self) -> None:
        """`disable_v1` leaves nothing for Composer 1; `disable_v2` leaves Composer 2 what Composer 1 has."""
        self.build(make_shape("classic", BASE), disable_v1=True)
        old = {"providers-url", "providers-lazy-url", "provider-includes", "includes"}
        self.assertEqual(set(), old & set(self.root(1)))
        self.build(make_shape("partial", BASE), disable_v1=True)
        self.assertEqual([], self.root()["packages"])
        self.assertTrue(self.second("acme/lib")["packages"]["acme/lib"])
        for shape in SHAPES:
            self.build(make_shape(shape, BASE), disable_v2=True, lazy=False)
            root = self.root()
            self.assertNotIn("metadata-url", root)
            self.assert_all(root, shape)


class PolicyTests(MirrorTestCase):
    """What is not allowed is nowhere, and upstream is not asked for it."""

    policy_of_one = Policy(PolicyRules(allowed=AllowList(names=frozenset({"acme/front"}))))

    def test_everywhere(self) -> None:
        """Not in metadata of either kind, nor in lists, files or dists."""
        for shape in SHAPES:
            self.build(make_shape(shape, BASE), self.policy_of_one, lazy=False)
            root = self.root()
            self.assertEqual(["acme/front"], root["available-packages"], shape)
            self.assertNotIn("acme/lib", root["packages"], shape)
            old = self.root(1)
            (path,) = old["includes"]
            self.assertEqual({"acme/front"}, set(json.loads(self.file(path))["packages"]), shape)
            before = self.client.asked.copy()
            lib = PackageName.parse("acme/lib")
            for work in (
                self.mirror.package_rendition(lib, dev=False, mirror_url=URL),
                self.mirror.old_rendition(lib, None, mirror_url=URL),
            ):
                self.failureResultOf(self.deferred(work), NotFound)
            with self.assertRaises(AssertionError):
                self.dist("acme/lib", "2.0.0.0", "d" * 40)
            self.assertEqual(before, self.client.asked, shape)

    def test_lists(self) -> None:
        """A list of upstream's is cut down to what patterns allow."""
        policy = Policy(PolicyRules(allowed=AllowList(patterns=("acme/f*",))))
        self.build(make_shape("v1", BASE), policy, lazy=False)
        root = self.root(1)
        self.assertEqual(["acme/f*"], root["available-package-patterns"])
        for path, told in root["provider-includes"].items():
            listed = json.loads(self.file(path.replace("%hash%", told["sha256"])))["providers"]
            self.assertLessEqual(set(listed), {"acme/front"})


class DistTests(MirrorTestCase):
    """Dists by version and reference, from every shape."""

    def test_every_version(self) -> None:
        """Each generation's URL of each version gives its bytes, with either form of the address."""
        content = zips()
        for shape in SHAPES:
            for dists in ("mirrors", "rewrite"):
                self.build(make_shape(shape, BASE), dists=dists)
                self.root()
                for name, versions in PACKAGES.items():
                    for _, normalized, letter in versions:
                        if "/" in normalized:
                            continue
                        expected = content[f"/zips/{name}/{letter or 'none'}.zip"]
                        reference = "" if letter is None else letter * 40
                        self.assertEqual(expected, self.dist(name, normalized, reference), (shape, name, normalized))
                self.assertEqual(content["/zips/acme/front/c.zip"], self.dist("acme/front", "9999999-dev", "c" * 40))

    def test_says_why(self) -> None:
        """Who is told that a dist cannot be had is told why."""
        self.build(make_shape("v2", BASE))
        del self.client.files["/zips/acme/front/a.zip"]
        name = PackageName.parse("acme/front")
        for reference, why in (("a" * 40, "a.zip: upstream answered 404"), ("nosuch", "the metadata has no such version")):
            with self.subTest(reference):
                wanted = DistRequest(package=name, version="1.0.0.0", reference=reference, type="zip")
                failure = self.failureResultOf(self.deferred(self.dists.open(wanted)), NotHad)
                self.assertIn(why, str(failure.value))

    def test_mirrors_of_upstream(self) -> None:
        """Upstream's own mirror is tried first, and the dist's address after it."""
        self.build(make_shape("mirrored", BASE))
        self.dist("acme/front", "1.0.0.0", "a" * 40)
        self.assertEqual(1, self.client.asked[f"/cdn/acme/front/{'a' * 40}.zip"])
        self.assertEqual(0, self.client.asked["/zips/acme/front/a.zip"])
        self.dist("acme/null", "1.0.0.0", "")
        self.assertEqual(1, self.client.asked["/zips/acme/null/none.zip"])

    def test_another_type(self) -> None:
        """A dist is had as what it is only."""
        self.build(make_shape("v2", BASE))
        with self.assertRaises(AssertionError):
            self.dist("acme/front", "1.0.0.0", "a" * 40, "tar")

    def test_tar(self) -> None:
        """A dist that is no zip is passed on as it is."""
        files = make_shape("v2", BASE)
        version = {
            "name": "acme/tar", "version": "1.0.0", "version_normalized": "1.0.0.0",
            "dist": {"type": "tar", "url": f"{BASE}/acme.tgz", "reference": "a" * 40, "shasum": sha1(b"tar").hexdigest()},
        }  # fmt: skip
        files["/p2/acme/tar.json"] = json.dumps({"packages": {"acme/tar": [version]}}).encode()
        files["/acme.tgz"] = b"tar"
        for dists in ("mirrors", "rewrite"):
            self.build(files, dists=dists)
            self.assertEqual(b"tar", self.dist("acme/tar", "1.0.0.0", "a" * 40, "tar"))
        (version,) = self.second("acme/tar")["packages"]["acme/tar"]
        self.assertEqual(f"{URL}/zipball/acme/tar/1.0.0.0/ref{'a' * 40}.tar", version["dist"]["url"])

    def test_lists_and_searches(self) -> None:
        """They show what may be had."""
        files, names = make_shape("v2", BASE), sorted(PACKAGES)
        root = json.loads(files["/repo/packages.json"])
        files["/repo/packages.json"] = json.dumps({**root, "list": "/list.json", "search": "/search.json"}).encode()
        files["/list.json"] = json.dumps({"packageNames": names, "odd": 1}).encode()
        files["/search.json"] = json.dumps({"results": [{"name": name, "n": 1} for name in names]}).encode()
        self.build(files)
        self.assertEqual(files["/list.json"], self.body(self.mirror.satellite_rendition(Resource.LIST)))
        self.reconfigure(Policy(PolicyRules(allowed=AllowList(names=frozenset({"acme/lib"})))))
        found = self.document(self.mirror.satellite_rendition(Resource.LIST))
        self.assertEqual({"packageNames": ["acme/lib"], "odd": 1}, found)
        found = self.document(self.mirror.satellite_rendition(Resource.SEARCH))
        self.assertEqual({"results": [{"name": "acme/lib", "n": 1}]}, found)

    def test_shasum_and_source(self) -> None:
        """What we hold gets its SHA-1, and the date moves; `source` goes where there is a dist."""
        self.build(make_shape("v1", BASE), dists="rewrite", dist_shasum=True, hide_source=True)
        name = PackageName.parse("acme/front")
        before = self.now(self.mirror.package_rendition(name, dev=False, mirror_url=URL)).last_modified
        content = self.dist("acme/front", "1.0.0.0", "a" * 40)
        after = self.now(self.mirror.package_rendition(name, dev=False, mirror_url=URL)).last_modified
        self.assertGreater(after, before)
        versions = by_number(list(versions_of(self.second("acme/front"), "acme/front")))
        self.assertEqual(sha1(content).hexdigest(), versions["1.0.0"]["dist"]["shasum"])
        self.assertEqual("", versions["1.1.0"]["dist"]["shasum"])
        self.assertFalse(any("source" in version for version in versions.values()))


class DateTests(MirrorTestCase):
    """Last-Modified: upstream's, until what we send of it changes."""

    def test_moves_on(self) -> None:
        """Each change of what we do moves it on by a second at least, back to where it was as well."""
        name = PackageName.parse("acme/front")
        for shape in ("v2", "v1", "satis"):
            self.build(make_shape(shape, BASE))
            dates = []
            for rules in ({}, {"dists": "rewrite"}, {"hide_source": True}, {"hide_source": False, "dists": "mirrors"}):
                self.reconfigure(**rules)
                self.root()
                for _ in range(2):  # the same again has the same date
                    rendition = self.now(self.mirror.package_rendition(name, dev=False, mirror_url=URL))
                date = self.now(self.mirror.package_rendition(name, dev=False, mirror_url="https://else")).last_modified
                self.assertEqual(rendition.last_modified, date)
                dates.append(date)
            self.assertEqual("Tue, 14 Nov 2023 22:13:20", f"{dates[0]:%a, %d %b %Y %H:%M:%S}", shape)
            self.assertEqual(sorted(set(dates)), dates, shape)

    def test_root(self) -> None:
        """The root's too, for each generation apart; what hangs on the client's address is no change."""
        for generation in (1, 2):
            self.build(make_shape("satis", BASE))
            dates = []
            for rules in ({}, {"info": "hello"}, {"dists": "rewrite"}, {"disable_v1": True}):
                self.reconfigure(**rules)
                for url in (URL, "https://else.example/mirror/up"):
                    dates.append(self.now(self.mirror.root_rendition(url, generation)).last_modified)
            self.assertEqual(dates[::2], dates[1::2])
            self.assertEqual(sorted(set(dates)), dates[::2])

    def test_other_packages(self) -> None:
        """Of one file with many packages, only those that changed get another date."""
        files = make_shape("satis", BASE)
        self.build(files)
        names = [PackageName.parse(name) for name in PACKAGES]
        before = [self.now(self.mirror.package_rendition(name, dev=False, mirror_url=URL)).last_modified for name in names]
        content = json.loads(next(content for path, content in files.items() if "include" in path))
        content["packages"]["acme/lib"]["2.0.1"]["type"] = "project"
        text = json.dumps(content).encode()
        digest = sha1(text).hexdigest()
        files[f"/repo/include/all${digest}.json"] = text
        files["/repo/packages.json"] = json.dumps(
            {"packages": [], "includes": {f"include/all${digest}.json": {"sha1": digest}}}
        ).encode()
        for path in ("/repo/packages.json", f"/repo/include/all${digest}.json"):
            self.client.dates[path] = "Wed, 15 Nov 2023 22:13:20 GMT"
        self.cache.clock.advance(700)
        self.root()
        after = [self.now(self.mirror.package_rendition(name, dev=False, mirror_url=URL)).last_modified for name in names]
        moved = {str(name) for name, one, two in zip(names, before, after, strict=True) if two > one}
        self.assertEqual({"acme/lib"}, moved)


class TroubleTests(MirrorTestCase):
    """Upstreams that are wrong, or become so."""

    def test_wrong_hash(self) -> None:
        """A document, a list or a file of packages that is not of its hash is refused, by name."""
        for shape, part in (("v1", "/v1/acme/front$"), ("v1", "/repo/p/outer$"), ("satis", "/repo/include/all$")):
            files = make_shape(shape, BASE)
            path = next(path for path in files if path.startswith(part))
            files[path] += b" "
            self.build(files)
            error = self.failureResultOf(self.deferred(self.package("acme/front")), UpstreamFailed)
            self.assertIn("another SHA", str(error.value))

    def test_stays(self) -> None:
        """What was had is served on when lists or files change and cannot be had, or the root is another kind."""
        for shape in ("v1", "satis"):
            files = make_shape(shape, BASE)
            self.build(files)
            before = self.second("acme/front")
            changed = json.loads(files["/repo/packages.json"])
            text = json.dumps(changed).replace(next(iter(hashes(changed))), "0" * 40 if shape == "satis" else "0" * 64)
            files["/repo/packages.json"] = text.encode()
            self.client.dates["/repo/packages.json"] = "Wed, 15 Nov 2023 22:13:20 GMT"
            self.cache.clock.advance(700)
            self.root()
            self.assertEqual(before, self.second("acme/front"), shape)

    def test_another_format(self) -> None:
        """From Composer 1's to Composer 2's and back, between two questions."""
        one, two = make_shape("v1", BASE), make_shape("v2", BASE)
        self.build({**one, **two})
        for number, files in enumerate((one, two, one)):
            self.client.files["/repo/packages.json"] = files["/repo/packages.json"]
            self.client.dates["/repo/packages.json"] = f"Wed, 15 Nov 2023 22:13:2{number} GMT"
            self.cache.clock.advance(700)
            self.root()
            self.assertEqual({"1.1.0", "1.0.0"}, set(by_number(list(versions_of(self.second("acme/front"), "acme/front")))))

    def test_away(self) -> None:
        """Without upstream, what is held is served, roots and documents of both kinds."""
        for shape in SHAPES:
            self.build(make_shape(shape, BASE))
            kept = self.root(), self.root(1), self.second("acme/front"), self.first("acme/front")
            self.client.down.add("*")
            self.cache.clock.advance(700)
            self.assertEqual(kept, (self.root(), self.root(1), self.second("acme/front"), self.first("acme/front")), shape)

    def test_no_repository(self) -> None:
        """An upstream that is none is named, with its address."""
        for content in (b"<html>", b"{}", b'{"packages": 3}'):
            self.build({"/repo/packages.json": content})
            error = self.failureResultOf(self.deferred(self.mirror.root_rendition(URL)), UpstreamFailed)
            self.assertIn(f"{BASE}/repo/packages.json", str(error.value))

    def package(self, name: str) -> Any:
        return self.mirror.package_rendition(PackageName.parse(name), dev=False, mirror_url=URL)


class RefreshTests(MirrorTestCase):
    """What whoever synchronises needs."""

    def test_refresh(self) -> None:
        """Asked now and conditionally; True when something changed."""
        for shape, path in (("v2", "/p2/acme/front.json"), ("lazy", "/v1/acme/front.json")):
            files = make_shape(shape, BASE)
            self.build(files)
            name = PackageName.parse("acme/front")
            self.assertTrue(self.now(self.mirror.refresh(name)))
            asked = self.client.asked[path]
            self.assertFalse(self.now(self.mirror.refresh(name)))
            self.assertEqual(asked + 1, self.client.asked[path])
            files[path] = files[path].replace(b"library", b"project")
            self.client.dates[path] = "Wed, 15 Nov 2023 22:13:20 GMT"
            self.assertTrue(self.now(self.mirror.refresh(name)))
            self.assertIn(b"project", self.first("acme/front"))

    def test_root(self) -> None:
        """The root too."""
        files = make_shape("v2", BASE)
        self.build(files)
        self.assertTrue(self.now(self.mirror.refresh_root()))
        self.assertFalse(self.now(self.mirror.refresh_root()))
        files["/repo/packages.json"] += b" "
        self.client.dates["/repo/packages.json"] = "Wed, 15 Nov 2023 22:13:20 GMT"
        self.assertTrue(self.now(self.mirror.refresh_root()))


def hashes(root: dict[str, Any]) -> Iterator[str]:
    for key in ("includes", "provider-includes"):
        for told in root.get(key, {}).values():
            yield from told.values()
