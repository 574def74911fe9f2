"""What is published of our own packages, and to whom."""

import gzip
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

import orjson
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.connection import Database
from packeton.adapters.database.versions import VersionRecords
from packeton.core.access.identities import ANONYMOUS, Grant, Identity, with_implied
from packeton.core.access.repositories import Repository
from packeton.core.composer.minifier import expanded
from packeton.errors import Denied, NotFound, StorageFailed
from packeton.features.advisories.own import OwnAdvisories
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.dates import PATIENCE_SECONDS, Dates
from packeton.features.packages.digests import FORM
from packeton.features.packages.publishing import Published, Publishing
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.repositories import Repositories, RootRules
from packeton.features.packages.shelf import Shelf
from packeton.interfaces.packages import VersionDocument
from tests.support.packages import NEW_YEAR, MemoryPackages, MemoryRevisions, draft, outcome, package
from tests.support.scripted import immediately

T = TypeVar("T")
DAY = timedelta(days=1)
BASE = "https://packages.example.com"
A, B, C, D = "a" * 40, "b" * 40, "c" * 40, "d" * 40
FULL = Audience(identity=Identity(name="boss", user_id=1, roles=with_implied(["ROLE_FULL_CUSTOMER"])))


def customer(*grants: Grant, **fields: Any) -> Audience:
    """Return a customer with these grants."""
    return Audience(identity=Identity(name="c", user_id=7, roles=with_implied([]), grants=grants, **fields))


class PublishingTestCase(SynchronousTestCase):
    """Two packages of three and one versions."""

    rules = DistRules(enabled=True, replace=True, mirror=True)
    root_rules = RootRules()

    def setUp(self) -> None:
        self.memory = MemoryPackages()
        self.addCleanup(self.memory.close)
        self.revisions = MemoryRevisions()
        self.packages, self.versions = self.memory.packages, self.memory.versions
        self.a = self.ok(self.packages.create(package("acme/a")))
        self.b = self.ok(self.packages.create(package("acme/b")))
        self.store(
            self.a.id,
            outcome("tag:v1.0.0", A, draft(self.a.id, "v1.0.0", "1.0.0.0", A, document={"description": "one"})),
            outcome("tag:2.0.0", B, draft(self.a.id, "2.0.0", "2.0.0.0", B, document={"description": "two"})),
            outcome("branch:main", C, draft(self.a.id, "dev-main", "dev-main", C, document={"default-branch": True})),
        )
        self.store(self.b.id, outcome("tag:1.0", D, draft(self.b.id, "1.0", "1.0.0.0", D, name="acme/b")))
        self.restart()

    def restart(self) -> None:
        """Begin with nothing in memory."""
        catalogue = Catalogue(self.packages, self.versions, self.revisions)
        shelf = Shelf(1 << 20)
        self.publishing = Publishing(catalogue, self.rules, self.versions, immediately, shelf, self.checksums)
        self.repositories = Repositories(
            self.publishing, self.root_rules, self.packages, self.versions, self.revisions, immediately, shelf,
            lambda: NEW_YEAR + 30 * DAY,
        )  # fmt: skip

    async def checksums(self, _: int) -> dict[str, str]:
        return {f"{A}.zip": "5" * 40, f"{A}.tar": "6" * 40}

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def absent(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.failureResultOf(Deferred.fromCoroutine(coroutine), NotFound)

    def store(self, package_id: int, *outcomes: Any, at: Any = NEW_YEAR) -> None:
        self.ok(self.versions.apply(package_id, outcomes, at))
        self.changed(package_id, at)

    def changed(self, package_id: int, at: Any = NEW_YEAR) -> None:
        self.ok(self.packages.touch(package_id, stable=True, dev=True, at=at))
        self.ok(self.revisions.bump("packages"))

    def save(self, name: str, **fields: Any) -> None:
        held = self.ok(self.packages.find(name))
        assert held is not None
        self.ok(self.packages.change(held.id, lambda one: evolve(one, **fields)))
        self.ok(self.revisions.bump("packages"))

    def p2(self, audience: Audience, name: str = "acme/a", *, dev: bool = False, base: str = BASE) -> Published:
        return self.ok(self.publishing.p2(audience, name, base, dev=dev))

    def seen(self, audience: Audience, name: str = "acme/a", *, dev: bool = False) -> list[str]:
        """Return the versions in the p2 document."""
        document = self.document(self.p2(audience, name, dev=dev))
        return [version["version"] for version in expanded(document["packages"][name])]

    def document(self, published: Published) -> Any:
        finished = self.ok(published.content())
        self.assertEqual(finished.body, gzip.decompress(finished.gzipped))
        return orjson.loads(finished.body)

    def root(self, audience: Audience, generation: int | None = 2) -> Any:
        return self.document(self.ok(self.repositories.root(audience, BASE, "", generation)))



class UndatedTests(PublishingTestCase):
    """While nobody takes the date of a new content."""

    def restart(self) -> None:
        """Dates are written when the test says so."""
        super().restart()
        self.clock = Clock()
        self.writing: list[Deferred[None]] = []
        self.publishing.dates = Dates(self.slowly, self.clock)

    async def slowly(self, *arguments: Any) -> datetime:
        self.writing.append(Deferred())
        await self.writing[-1]
        return await self.versions.published_at(*arguments)

    def test_slow(self) -> None:
        """A document goes out without a date after a while, and gets it once it is written down; it is written once."""
        asked = [Deferred.fromCoroutine(self.publishing.p2(FULL, "acme/a", BASE, dev=False)) for _ in range(2)]
        asked.append(Deferred.fromCoroutine(self.repositories.root(FULL, BASE, "", 2)))
        self.clock.advance(PATIENCE_SECONDS - 0.1)
        for one in asked:
            self.assertNoResult(one)
        self.clock.advance(0.2)
        undated = [self.successResultOf(one).dated for one in asked]
        self.assertEqual([None] * 3, [one.last_modified for one in undated])
        self.assertEqual(2, len(self.writing))
        for writing in self.writing:
            writing.callback(None)
        again = Deferred.fromCoroutine(self.publishing.p2(FULL, "acme/a", BASE, dev=False))
        self.writing[-1].callback(None)
        dated = self.successResultOf(again).dated
        self.assertEqual(undated[0].etag, dated.etag)
        self.assertIsNotNone(dated.last_modified)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_failing(self) -> None:
        """So it does when the database takes nothing; content is never withheld."""
        asked = Deferred.fromCoroutine(self.publishing.p2(FULL, "acme/a", BASE, dev=False))
        self.writing[0].errback(StorageFailed("the disk is full"))
        found = self.successResultOf(asked)
        self.assertIsNone(found.dated.last_modified)
        self.assertIn(b"2.0.0", self.ok(found.content()).body)  # type: ignore[arg-type]  # awaitable


class MetadataTests(PublishingTestCase):
    """p2 documents."""

    def test_document(self) -> None:
        """Minified, newest first, stable and dev apart, every dist on us under the address the client used."""
        document = self.document(self.p2(FULL))
        self.assertEqual("composer/2.0", document["minified"])
        two, one = expanded(document["packages"]["acme/a"])
        self.assertEqual(("2.0.0", "v1.0.0"), (two["version"], one["version"]))
        self.assertEqual({"type": "zip", "url": f"{BASE}/zipball/acme/a/{B}.zip", "reference": B}, two["dist"])
        self.assertEqual("5" * 40, one["dist"]["shasum"])
        self.assertEqual(["dev-main"], self.seen(FULL, dev=True))
        self.assertEqual([], self.seen(FULL, "acme/b", dev=True))
        self.assertIn("http://other/x/zipball", repr(self.document(self.p2(FULL, base="http://other/x"))))
        self.absent(self.publishing.p2(FULL, "acme/c", BASE, dev=False))
        self.absent(self.publishing.p2(FULL, "Acme/A", BASE, dev=False))

    def test_restricted(self) -> None:
        """A constraint, a freeze, no grant, nobody."""
        self.assertEqual(["v1.0.0"], self.seen(customer(Grant(package="acme/a", constraint="^1.0"))))
        self.assertEqual([], self.seen(customer(Grant(package="acme/a", constraint="^1.0")), dev=True))
        frozen = customer(Grant(package="acme/*", updates_until=NEW_YEAR))
        self.assertEqual([], self.seen(frozen))
        self.absent(self.publishing.p2(customer(Grant(package="acme/b")), "acme/a", BASE, dev=False))
        self.absent(self.publishing.p2(Audience(identity=ANONYMOUS), "acme/a", BASE, dev=False))

    def test_archived_and_abandoned(self) -> None:
        """An abandoned package says so, an archived one is gone."""
        before = self.p2(FULL).dated
        self.save("acme/a", abandoned=True, replacement="acme/b")
        after = self.p2(FULL)
        self.assertEqual({"acme/b"}, {version["abandoned"] for version in expanded(self.document(after)["packages"]["acme/a"])})
        self.assertGreater(after.dated.last_modified, before.last_modified)
        self.save("acme/a", archived=True)
        self.absent(self.publishing.p2(FULL, "acme/a", BASE, dev=False))
        self.assertEqual(["acme/b"], self.root(FULL)["available-packages"])

    def test_subrepository(self) -> None:
        """Only its packages; all of them when it is public; addresses lead back there."""
        repository = Repository(id=3, slug="team", name="Team", packages=frozenset({"acme/a"}), public=True, by_path=True)
        audience = Audience(identity=ANONYMOUS, repository=repository)
        self.assertIn(f"{BASE}/team/zipball/acme/a/{A}.zip", repr(self.document(self.p2(audience))))
        self.absent(self.publishing.p2(audience, "acme/b", BASE, dev=False))
        root = self.root(audience)
        self.assertEqual(["acme/a"], root["available-packages"])
        self.assertEqual(("/team/p2/%package%.json", "/metadata/changes.json", "Subrepository team"), (root["metadata-url"], root["metadata-changes-url"], root["_comment"]))
        hosted = Audience(identity=FULL.identity, repository=evolve(repository, public=False, by_path=False))
        self.assertEqual(("/p2/%package%.json", ["acme/a"]), (self.root(hosted)["metadata-url"], self.root(hosted)["available-packages"]))


class DateTests(PublishingTestCase):
    """Last-Modified and ETag: for each content its own."""

    def test_of_contents(self) -> None:
        """Two audiences that see the same share a date; one that sees something else has another; it survives a restart."""
        one, half = customer(Grant(package="acme/a")), customer(Grant(package="acme/a", constraint="^1.0"))
        self.assertEqual(self.p2(FULL).dated, self.p2(one).dated)
        self.assertNotEqual(self.p2(FULL).dated.last_modified, self.p2(half).dated.last_modified)
        self.assertNotEqual(self.p2(FULL).dated.etag, self.p2(half).dated.etag)
        dates = self.p2(FULL).dated, self.p2(half).dated
        self.restart()
        self.assertEqual(dates, (self.p2(FULL).dated, self.p2(half).dated))

    def test_exact(self) -> None:
        """The date is that of the change; a change within the same second moves it nevertheless, and never back."""
        held = self.ok(self.packages.find("acme/a"))
        assert held is not None
        first = self.p2(FULL).dated.last_modified
        self.assertEqual(held.stable_modified_at, first)
        for reference, at in ((C, NEW_YEAR), (D, NEW_YEAR - DAY)):
            self.store(self.a.id, outcome("tag:2.0.0", reference, draft(self.a.id, "2.0.0", "2.0.0.0", reference)), at=at)
            second = self.p2(FULL).dated.last_modified
            self.assertGreater(second, first)
            first = second

    def test_other_class_keeps_its_own(self) -> None:
        """A change of branches moves the date of branches only."""
        stable, dev = self.p2(FULL).dated, self.p2(FULL, dev=True).dated
        self.ok(self.versions.apply(self.a.id, [outcome("branch:main", D, draft(self.a.id, "dev-main", "dev-main", D))], NEW_YEAR + DAY))
        self.ok(self.packages.touch(self.a.id, stable=False, dev=True, at=NEW_YEAR + DAY))
        self.ok(self.revisions.bump("packages"))
        self.assertEqual(stable, self.p2(FULL).dated)
        self.assertEqual(NEW_YEAR + DAY, self.p2(FULL, dev=True).dated.last_modified)
        self.assertNotEqual(dev, self.p2(FULL, dev=True).dated)

    def test_of_roots(self) -> None:
        """A root's date moves with what is in it."""

        def date(audience: Audience) -> Any:
            return self.ok(self.repositories.root(audience, BASE, "", 2)).dated

        before, mine = date(FULL), date(customer(Grant(package="acme/a")))
        self.assertNotEqual(before.last_modified, mine.last_modified)
        self.save("acme/b", archived=True)
        self.assertNotEqual(before.last_modified, date(FULL).last_modified)
        self.assertEqual(mine, date(FULL))  # what the customer saw before is what everybody sees now


class RootTests(PublishingTestCase):
    """packages.json in all its forms."""

    def forms(self) -> list[set[str]]:
        names = {"provider-includes", "providers-url", "providers-lazy-url", "metadata-url", "available-packages"}
        return [names & set(self.root(FULL, generation)) for generation in (1, 2, None)]

    def test_auto(self) -> None:
        """By the generation of the client."""
        one = {"provider-includes", "providers-url", "metadata-url", "available-packages"}
        two = {"providers-lazy-url", "metadata-url", "available-packages"}
        self.assertEqual([one, two, two], self.forms())
        root = self.root(FULL)
        self.assertEqual(
            ([], "/downloads/%package%", "/downloads/", [{"dist-url": "/zipball/%package%/%reference%.%type%", "preferred": True}]),
            (root["packages"], root["notify"], root["notify-batch"], root["mirrors"]),
        )

    def test_forced(self) -> None:
        """As `packeton.metadata.format` says, whoever asks."""
        both = {"provider-includes", "providers-url", "metadata-url", "available-packages"}
        for form, expected in {
            "only_v1": {"provider-includes", "providers-url"},
            "only_v2": {"providers-url", "metadata-url", "available-packages"},
            "full": both,
        }.items():
            self.root_rules = RootRules(format=form, info="hello")
            self.restart()
            self.assertEqual([expected] * 3, self.forms())
            self.assertEqual("hello", self.root(FULL)["info"])
            self.assertEqual("metadata-url" in expected, "security-advisories" in self.root(FULL))  # nothing reads it without

    def test_names(self) -> None:
        """Who sees what."""
        self.assertEqual(["acme/a", "acme/b"], self.root(FULL)["available-packages"])
        self.assertEqual(["acme/b"], self.root(customer(Grant(package="acme/b")))["available-packages"])
        self.assertEqual([], self.root(customer())["available-packages"])


class FirstGenerationTests(PublishingTestCase):
    """Composer 1: root, providers, packages by their digests."""

    def chain(self, audience: Audience) -> dict[str, Any]:
        """Follow it from the root with nothing in memory at each step; return the packages."""
        include = self.root(audience, 1)["provider-includes"]["p/providers$%hash%.json"]["sha256"]
        self.restart()
        providers = self.ok(self.repositories.providers(audience, BASE, include))
        self.assertEqual(include, sha256(providers.body).hexdigest())
        packages = {}
        for name, digests in orjson.loads(providers.body)["providers"].items():
            self.restart()
            finished = self.ok(self.publishing.v1(audience, name, BASE, digests["sha256"]))
            self.assertEqual(digests["sha256"], sha256(finished.body).hexdigest())
            packages |= orjson.loads(finished.body)["packages"]
        return packages

    def test_chain(self) -> None:
        """All digests are those of the bytes, on a cold cache too; the default branch is 9999999-dev."""
        packages = self.chain(FULL)
        self.assertEqual({"acme/a", "acme/b"}, set(packages))
        main = packages["acme/a"]["dev-main"]
        self.assertEqual(("9999999-dev", "dev-main"), (main["version_normalized"], main["version_normalized_v2"]))
        uids = [version["uid"] for versions in packages.values() for version in versions.values()]
        self.assertEqual(4, len(set(uids)))
        self.assertEqual(f"{BASE}/zipball/acme/b/{D}.zip", packages["acme/b"]["1.0"]["dist"]["url"])

    def test_restricted(self) -> None:
        """A customer's chain has what it sees, and no other's file."""
        audience = customer(Grant(package="acme/a", constraint="^1.0"), Grant(package="acme/b", constraint="^9"))
        self.assertEqual({"acme/a": {"v1.0.0"}}, {name: set(versions) for name, versions in self.chain(audience).items()})
        digest = self.ok(self.publishing.digests(FULL, BASE))["acme/a"]
        self.absent(self.publishing.v1(audience, "acme/a", BASE, digest))
        self.absent(self.publishing.v1(audience, "acme/b", BASE))
        self.absent(self.repositories.providers(audience, BASE, "0" * 64))

    def test_change(self) -> None:
        """A change of one package changes its digest only."""
        before = self.ok(self.publishing.digests(FULL, BASE))
        self.store(self.b.id, outcome("tag:1.1", A, draft(self.b.id, "1.1", "1.1.0.0", A, name="acme/b")))
        after = self.ok(self.publishing.digests(FULL, BASE))
        self.assertEqual(before["acme/a"], after["acme/a"])
        self.assertNotEqual(before["acme/b"], after["acme/b"])


class CountedVersions(VersionRecords):
    """Records that tell what was read of them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.read: list[tuple[list[int], list[int]]] = []

    async def documents(self, package_ids: Sequence[int], version_ids: Sequence[int]) -> Sequence[VersionDocument]:
        self.read.append((list(package_ids), list(version_ids)))
        return await super().documents(package_ids, version_ids)


class KeptDigestsTests(FirstGenerationTests):
    """Digests that outlive the process, as archives have no checksums; all that holds without them holds too."""

    checksums = None  # type: ignore[assignment]

    def setUp(self) -> None:
        super().setUp()
        self.versions = CountedVersions(self.memory.database)
        self.read = self.versions.read
        self.restart()

    def digests(self, audience: Audience, base: str = BASE) -> Any:
        return self.ok(self.publishing.digests(audience, base))

    def exact(self, audience: Audience, base: str = BASE) -> None:
        """Each digest is that of the bytes."""
        for name, digest in self.digests(audience, base).items():
            self.ok(self.publishing.v1(audience, name, base, digest))

    def test_start(self) -> None:
        """Nothing is read again after a start but what changed meanwhile; what is told is the same."""
        half = customer(Grant(package="acme/a", constraint="^1.0"), Grant(package="acme/b", constraint="^9"))
        before = [self.digests(FULL), self.digests(half)]
        self.assertEqual([([1, 2], [])], self.read)  # the second choice is of the same versions
        self.restart()
        self.assertEqual(before, [self.digests(FULL), self.digests(half)])
        self.assertEqual(1, len(self.read))
        self.store(self.b.id, outcome("tag:1.1", A, draft(self.b.id, "1.1", "1.1.0.0", A, name="acme/b")))
        self.restart()
        after = [self.digests(FULL), self.digests(half)]
        self.assertEqual(([2], []), self.read[-1])
        self.assertEqual((before[0]["acme/a"], before[1]), (after[0]["acme/a"], after[1]))
        for audience in (FULL, half):
            self.exact(audience)

    def test_what_else_is_rendered(self) -> None:
        """Another address, other rules, an abandoned package: other digests, and exact ones."""
        self.digests(FULL)
        self.exact(FULL, "http://other")
        self.save("acme/a", abandoned=True)
        self.restart()
        self.exact(FULL)
        self.rules = evolve(self.rules, endpoint="https://cdn.example.com")
        self.restart()
        self.exact(FULL)

    def test_rights(self) -> None:
        """Nobody is told a digest of a package that they do not see, whatever others asked before."""
        self.digests(FULL)
        self.save("acme/a", visible_for_all=True)
        self.assertEqual({"acme/a"}, set(self.digests(customer())))
        self.save("acme/a", visible_for_all=False)
        self.restart()
        self.assertEqual({}, self.digests(customer()))
        self.assertEqual({"acme/b"}, set(self.digests(customer(Grant(package="acme/b")))))
        self.save("acme/b", archived=True)
        self.assertEqual({}, self.digests(customer(Grant(package="acme/b"))))

    def test_many_versions(self) -> None:
        """Of a package with very many versions only those are read that somebody sees."""
        drafts = [draft(self.b.id, f"2.{number}", f"2.{number}.0.0", D, name="acme/b") for number in range(600)]
        self.store(self.b.id, *(outcome(f"tag:{one.version}", D, one) for one in drafts))
        few = customer(Grant(package="acme/b", constraint="2.7 || 2.9"))
        self.exact(few)
        self.assertEqual([([], 2)], [(packages, len(versions)) for packages, versions in self.read])
        self.exact(FULL)
        self.exact(customer(Grant(package="acme/b", constraint="<2.300")))

    def test_wrong_one(self) -> None:
        """A process that died between storing and saying so leaves a wrong digest: one client is refused, then it is right."""
        self.ok(self.versions.apply(self.b.id, [outcome("tag:1.0", A, draft(self.b.id, "1.0", "1.0.0.0", A, name="acme/b"))], NEW_YEAR))
        right = self.digests(FULL)["acme/b"]
        self.ok(self.versions.apply(self.b.id, [outcome("tag:1.0", D, draft(self.b.id, "1.0", "1.0.0.0", D, name="acme/b"))], NEW_YEAR))
        self.restart()
        root = self.root(FULL, 1)
        wrong = self.digests(FULL)["acme/b"]
        self.assertEqual(right, wrong)
        self.absent(self.publishing.v1(FULL, "acme/b", BASE, "0" * 64))
        self.assertEqual(root, self.root(FULL, 1))
        self.absent(self.publishing.v1(FULL, "acme/b", BASE, wrong))
        self.assertNotEqual(root, self.root(FULL, 1))
        self.chain(FULL)

    def test_database_that_takes_nothing(self) -> None:
        """Digests are told while nothing can be written or read of those that were kept; one write waits, not many."""
        hanging: list[Deferred[None]] = []

        async def keep(*_: object) -> None:
            hanging.append(Deferred())
            await hanging[-1]

        async def digests(_: str) -> bytes:
            raise StorageFailed("the disk is gone")

        self.versions.keep_digests, self.versions.digests = keep, digests  # type: ignore[method-assign]
        before = self.digests(FULL)
        self.store(self.b.id, outcome("tag:1.1", A, draft(self.b.id, "1.1", "1.1.0.0", A, name="acme/b")))
        self.assertNotEqual(before, self.digests(FULL))
        self.assertEqual(1, len(hanging))
        hanging[0].errback(StorageFailed("the disk is full"))
        self.chain(FULL)

    def test_form(self) -> None:
        """What is rendered of a version is what it was when FORM was last moved: kept digests are of these bytes."""
        finished = self.ok(self.publishing.v1(FULL, "acme/a", BASE))
        pinned = "54dd7e07893e91254670d6a094cf1e53b3468eb6872a5fa48f4fd00296ee8302"
        self.assertEqual((1, pinned), (FORM, sha256(finished.body).hexdigest()))


class AdvisoryTests(PublishingTestCase):
    """Security advisories about packages of ours."""

    def setUp(self) -> None:
        super().setUp()
        catalogue = self.publishing.catalogue
        self.own = OwnAdvisories(catalogue, self.packages, self.revisions, lambda: NEW_YEAR + DAY, lambda: "PKTN-1")
        self.publishing = Publishing(catalogue, self.rules, self.versions, immediately, Shelf(1 << 20), self.checksums, self.own.of)

    def write(self, **fields: Any) -> None:
        said = {"affectedVersions": "<2", "title": "Leaks", **fields}
        self.ok(self.own.write(self.a, said, Identity(name="admin", roles=with_implied(["ROLE_ADMIN"]))))

    def known(self, audience: Audience, dev: bool = False) -> Any:
        document = orjson.loads(self.ok(self.ok(self.publishing.p2(audience, "acme/a", BASE, dev=dev)).content()).body)
        return [one["advisoryId"] for one in document["security-advisories"]] if "security-advisories" in document else None

    def test_metadata(self) -> None:
        """Metadata says what is known, and gets a new date when that changes; without advisories it says nothing."""
        before = self.ok(self.publishing.p2(FULL, "acme/a", BASE, dev=False)).dated
        self.assertIsNone(self.known(FULL))
        self.write()
        self.write(advisoryId="ACME-1")
        self.write(advisoryId="ACME-1", title="Leaks more")
        self.assertEqual((["ACME-1", "PKTN-1"], None), (self.known(FULL), self.known(FULL, dev=True)))
        after = self.ok(self.publishing.p2(FULL, "acme/a", BASE, dev=False)).dated
        self.assertGreater(after.last_modified, before.last_modified)
        changes = self.ok(self.packages.changes(NEW_YEAR + DAY, 10))
        self.assertEqual([("acme/a", False)], [(change.package, change.is_dev) for change in changes])
        maintainer = Identity(name="admin", roles=with_implied(["ROLE_ADMIN"]))
        for number in ("ACME-1", "PKTN-1"):
            self.ok(self.own.withdraw(self.a, number, maintainer))
        self.failureResultOf(Deferred.fromCoroutine(self.own.withdraw(self.a, "PKTN-1", maintainer)), NotFound)
        self.assertIsNone(self.known(FULL))

    def test_root(self) -> None:
        """The root says where to ask, under the address that the client used; which one that is moves no date."""
        audience = customer(Grant(package="acme/a"))
        repositories = self.repositories
        found = [self.ok(repositories.root(audience, base, "", 2)) for base in (BASE, "http://other.example")]
        for base, root in zip((BASE, "http://other.example"), found, strict=True):
            document = orjson.loads(self.ok(root.content()).body)
            self.assertEqual({"metadata": True, "api-url": f"{base}/api/security-advisories/"}, document["security-advisories"])
        self.assertEqual(found[0].dated, found[1].dated)

    def test_other_addresses(self) -> None:
        """Once the settings say otherwise which address is ours, no copy of before is good any more."""
        before = self.ok(self.publishing.p2(FULL, "acme/a", BASE, dev=False)).dated
        rules = evolve(self.rules, addresses="another proxy is trusted")
        publishing = Publishing(self.publishing.catalogue, rules, self.versions, immediately, Shelf(1 << 20), self.checksums)
        after = self.ok(publishing.p2(FULL, "acme/a", BASE, dev=False)).dated
        self.assertGreater(after.last_modified, before.last_modified)
        self.assertNotEqual(after.etag, before.etag)

    def test_for_whom(self) -> None:
        """Written by who may edit the package; asked for by who sees it, and only packages that have any are named."""
        self.write()
        for identity in (FULL.identity, customer(Grant(package="acme/a")).identity):
            self.failureResultOf(Deferred.fromCoroutine(self.own.write(self.a, {"affectedVersions": "*", "title": "x"}, identity)), Denied)
        asked = ["acme/a", "acme/b", "acme/a", "psr/log"]
        self.assertEqual(["acme/a"], list(self.ok(self.own.about(FULL, asked))))
        self.assertEqual(["acme/a"], list(self.ok(self.own.about(customer(Grant(package="acme/a")), asked))))
        self.assertEqual([], list(self.ok(self.own.about(customer(Grant(package="acme/b")), asked))))
        sub = Repository(id=1, slug="s", name="S", packages=frozenset({"acme/b"}), public=True, by_path=True)
        self.assertEqual([], list(self.ok(self.own.about(Audience(identity=ANONYMOUS, repository=sub), asked))))


class ChangesTests(PublishingTestCase):
    """The feed of changes."""

    def ask(self, since: Any) -> Any:
        return self.ok(self.repositories.changes(FULL, str(since), f"{BASE}/metadata/changes.json"))

    def test_feed(self) -> None:
        """Updates and deletes after the moment, branches first; seconds are understood."""
        day = int((NEW_YEAR + 10 * DAY).timestamp())
        self.changed(self.a.id, NEW_YEAR + 11 * DAY)
        self.ok(self.packages.remove(self.b.id, NEW_YEAR + 12 * DAY))
        answer = self.ask(day * 10_000)
        self.assertTrue(answer.is_good)
        found = [(action["type"], action["package"]) for action in answer.document["actions"]]
        self.assertEqual([("update", "acme/a~dev"), ("delete", "acme/b~dev"), ("update", "acme/a"), ("delete", "acme/b")], found)
        self.assertEqual(answer.document, self.ask(day).document)
        self.assertEqual([], self.ask(answer.document["timestamp"]).document["actions"])

    def test_odd_questions(self) -> None:
        """Too old means all anew; none, or nonsense, is told how to ask."""
        self.assertEqual("resync", self.ask(1_600_000_000).document["actions"][0]["type"])
        for since in ("", "0", "12", "x", "9" * 30):
            self.assertFalse(self.ask(since).is_good, since)
