"""Packages and versions in the database."""

import json
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha1
from typing import Any, TypeVar

from attrs import evolve
from sqlalchemy import Engine, event
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.errors import Conflict, NotFound
from packeton.interfaces.packages import ChangeKind, RepoType
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite
from tests.support.packages import NEW_YEAR, draft, outcome, package

T = TypeVar("T")
DAY = timedelta(days=1)
A, B, C = "a" * 40, "b" * 40, "c" * 40


@contextmanager
def counted(engine: Engine) -> Iterator[Counter[str]]:
    """Count statements by their first three words; one for many rows is one."""
    asked: Counter[str] = Counter()

    def on_statement(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked[" ".join(statement.split()[:3])] += 1

    event.listen(engine, "before_cursor_execute", on_statement)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", on_statement)


class RecordsTestCase(OnSqlite, SynchronousTestCase):
    """Records on an empty database."""

    def setUp(self) -> None:
        self.database = self.make_database()
        self.packages, self.versions = PackageRecords(self.database), VersionRecords(self.database)

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))


class PackageTests(RecordsTestCase):
    """PackageRecords."""

    def test_round_trip(self) -> None:
        """What was stored comes back, with its maintainers; the name is taken then."""
        given = package(settings={"glob": "src/*"}, maintainers=frozenset({1, 2}), url="https://x.example/a", host="x.example", path="a")
        made = self.ok(self.packages.create(given))
        self.assertEqual(given, evolve(made, id=0, revision=0))
        self.assertEqual(made, self.ok(self.packages.find("acme/a")))
        self.assertEqual([made], self.ok(self.packages.at_address("x.example", "a")))
        self.assertIsNone(self.ok(self.packages.find("Acme/A")))
        self.failureResultOf(Deferred.fromCoroutine(self.packages.create(given)), Conflict)
        summary = self.ok(self.packages.summaries()).packages[0]
        self.assertEqual((made.id, "acme/a", frozenset({1, 2}), False), (summary.id, summary.name, summary.maintainers, summary.is_child))

    def test_change_moves_dates_when_it_shows(self) -> None:
        """A description moves the revision only; abandoning moves the dates of the metadata too, and never back."""
        made = self.ok(self.packages.create(package()))
        described = self.ok(self.packages.change(made.id, lambda held: evolve(held, description="what it is", maintainers=frozenset({3}))))
        self.assertGreater(described.revision, made.revision)
        self.assertEqual((made.stable_modified_at, frozenset({3})), (described.stable_modified_at, described.maintainers))
        abandoned = self.ok(self.packages.change(made.id, lambda held: evolve(held, abandoned=True, updated_at=NEW_YEAR - DAY)))
        self.assertGreater(abandoned.stable_modified_at, described.stable_modified_at)
        self.assertGreater(abandoned.dev_modified_at, described.dev_modified_at)
        self.assertEqual({(False, False), (True, False)}, {(change.is_dev, change.deleted) for change in self.ok(self.packages.changes(NEW_YEAR - 2 * DAY, 10))})

    def test_remove(self) -> None:
        """A parent takes its children along; the feed tells of it; what comes after is not taken for the old one."""
        parent = self.ok(self.packages.create(package(repo_type=RepoType.MONO_REPO)))
        child = self.ok(self.packages.create(package("acme/b", parent_id=parent.id, directory="b")))
        self.ok(self.versions.apply(parent.id, [outcome("tag:1.0", A, draft(child.id, "1.0", "1.0.0.0", A))], NEW_YEAR))
        self.assertEqual(["acme/b"], [found.name for found in self.ok(self.packages.children(parent.id))])
        self.assertEqual(["acme/a", "acme/b"], self.ok(self.packages.remove(parent.id, NEW_YEAR + DAY)))
        self.assertEqual([], self.ok(self.packages.names()))
        self.assertEqual([], self.ok(self.versions.index(child.id)))
        changes = self.ok(self.packages.changes(NEW_YEAR, 10))
        self.assertEqual([("acme/a", True), ("acme/b", True)], sorted((c.package, c.deleted) for c in changes if not c.is_dev))
        self.failureResultOf(Deferred.fromCoroutine(self.packages.change(parent.id, lambda held: held)), NotFound)
        again = self.ok(self.packages.create(evolve(package(), created_at=NEW_YEAR + DAY)))
        self.assertGreater(again.revision, parent.revision)

    def test_stale(self) -> None:
        """Never crawled first; then by the interval, or after a week where a hook keeps it fresh."""
        for name, fields in {
            "acme/new": {},
            "acme/old": {"crawled_at": NEW_YEAR - DAY},
            "acme/fresh": {"crawled_at": NEW_YEAR},
            "acme/hooked": {"crawled_at": NEW_YEAR - DAY, "auto_updated": True},
            "acme/forgotten": {"crawled_at": NEW_YEAR - 8 * DAY, "auto_updated": True},
            "acme/off": {"settings": {"disabledUpdate": True}},
            "acme/left": {"abandoned": True},
            "acme/zip": {"repo_type": RepoType.ARTIFACT},
        }.items():
            self.ok(self.packages.create(package(name, **fields)))
        found = self.ok(self.packages.stale(now=NEW_YEAR + timedelta(hours=1), interval_seconds=43200, limit=10))
        self.assertEqual(["acme/new", "acme/forgotten", "acme/old"], [one.name for one in found])


class VersionTests(RecordsTestCase):
    """VersionRecords."""

    def setUp(self) -> None:
        super().setUp()
        self.package = self.ok(self.packages.create(package()))

    def apply(self, *outcomes: Any) -> list[tuple[ChangeKind, str]]:
        changes = self.ok(self.versions.apply(self.package.id, outcomes, NEW_YEAR))
        return [(change.kind, change.normalized) for change in changes]

    def normalized(self) -> list[str]:
        return [version.normalized for version in self.ok(self.versions.index(self.package.id))]

    def draft(self, version: str, normalized: str, reference: str, **fields: Any) -> Any:
        return draft(self.package.id, version, normalized, reference, **fields)

    def test_apply_and_again(self) -> None:
        """New, same, other: said as such; known commits are kept."""
        one = outcome("tag:v1.0", A, self.draft("v1.0", "1.0.0.0", A))
        self.assertEqual([(ChangeKind.ADDED, "1.0.0.0")], self.apply(one, outcome("tag:junk", B, skipped=True)))
        self.assertEqual([], self.apply(one))
        self.assertEqual({"tag:v1.0": A, "tag:junk": B}, self.ok(self.versions.known(self.package.id)))
        moved = outcome("tag:v1.0", C, self.draft("v1.0", "1.0.0.0", C))
        self.assertEqual([(ChangeKind.CHANGED, "1.0.0.0")], self.apply(moved))
        stored = self.ok(self.versions.of_package(self.package.id))
        self.assertEqual([(C, "tag:v1.0")], [(version.dist_reference, version.ref) for version in stored])

    def test_many_at_once(self) -> None:
        """Sixty versions take few statements, new or changed; what is the same already is left alone."""
        numbers = [f"1.{number}" for number in range(60)]

        def statements(said: str) -> Counter[str]:
            drafts = [self.draft(n, f"{n}.0.0", sha1(n.encode()).hexdigest(), document={"description": said}) for n in numbers]
            with counted(self.database.engine) as asked:
                self.apply(*(outcome(f"tag:{one.version}", A, one) for one in drafts))
            return asked

        new, changed, same = statements("first"), statements("second"), statements("second")
        self.assertEqual(1, new["INSERT INTO versions"])
        self.assertEqual((1, 1), (changed["UPDATE versions SET"], changed["UPDATE package_references SET"]))
        self.assertLess(max(changed.values()), 5, changed)
        self.assertNotIn("UPDATE versions SET", same)
        described = {json.loads(version.document)["description"] for version in self.ok(self.versions.of_package(self.package.id))}
        self.assertEqual({"second"}, described)

    def test_many_packages_at_once(self) -> None:
        """A ref of a mono-repo takes few statements, however many packages it has; each keeps what is its own."""
        made = [self.ok(self.packages.create(package(f"acme/p{number}"))) for number in range(20)]
        first = [draft(one.id, "1.0", "1.0.0.0", A) for one in made]
        second = [draft(one.id, f"1.{number % 2}", f"1.{number % 2}.0.0", B) for number, one in enumerate(made)]
        for drafts in (first, second):
            with counted(self.database.engine) as asked:
                changes = self.apply(outcome("tag:1.0", drafts[0].reference, *drafts))
            self.assertLess(max(asked.values()), 5, asked)
        kinds = Counter(changes)
        self.assertEqual({(ChangeKind.REMOVED, "1.0.0.0"): 10, (ChangeKind.CHANGED, "1.0.0.0"): 10, (ChangeKind.ADDED, "1.1.0.0"): 10}, kinds)
        for one, now in zip(made, second, strict=True):
            self.assertEqual([now.normalized], [found.normalized for found in self.ok(self.versions.index(one.id))])

    def test_chosen(self) -> None:
        """Versions by their ids, and the default branch's; hidden ones and those that are gone are missing."""
        self.apply(
            outcome("tag:v1.0", A, self.draft("v1.0", "1.0.0.0", A)),
            outcome("branch:main", B, self.draft("dev-main", "dev-main", B, is_default=True)),
        )
        first, main = self.ok(self.versions.of_package(self.package.id))
        self.assertEqual({first.id: first, main.id: main}, self.ok(self.versions.chosen([main.id, first.id, 99])))
        self.assertEqual({}, self.ok(self.versions.chosen([])))
        self.assertEqual(main, self.ok(self.versions.default(self.package.id)))
        self.ok(self.versions.hide(self.package.id, ["dev-main"]))
        self.assertEqual({first.id: first}, self.ok(self.versions.chosen([main.id, first.id])))
        self.assertIsNone(self.ok(self.versions.default(self.package.id)))

    def test_old_references_stay(self) -> None:
        """The commit that a branch was at, and that of a tag that is gone, are still known."""
        self.apply(outcome("branch:main", A, self.draft("dev-main", "dev-main", A)))
        self.apply(outcome("branch:main", B, self.draft("dev-main", "dev-main", B)))
        self.apply(outcome("tag:1.0", B, self.draft("1.0", "1.0.0.0", B)))
        (gone,) = self.ok(self.versions.retain(self.package.id, ["branch:main"], NEW_YEAR))
        self.assertEqual(("1.0.0.0", "1.0.0.0"), (gone.normalized, json.loads(gone.document or b"")["version_normalized"]))
        self.assertEqual(["dev-main"], self.normalized())
        old = self.ok(self.versions.with_reference(self.package.id, A))
        self.assertEqual([("dev-main", None)], [(known.normalized, known.version_id) for known in old])
        both = self.ok(self.versions.with_reference(self.package.id, B))
        self.assertEqual([("dev-main", True), ("1.0.0.0", False)], [(known.normalized, known.version_id is not None) for known in both])
        self.assertEqual(0, self.ok(self.versions.forget_references(NEW_YEAR)))
        self.assertEqual(2, self.ok(self.versions.forget_references(NEW_YEAR + DAY)))
        self.assertEqual(1, len(self.ok(self.versions.with_reference(self.package.id, B))))

    def test_ref_without_version(self) -> None:
        """A ref that gives another version now, or none, takes the old one away; with a problem it stays."""
        self.apply(outcome("branch:x", A, self.draft("dev-x", "dev-x", A)), outcome("branch:y", A, self.draft("dev-y", "dev-y", A)))
        self.assertEqual([(ChangeKind.REMOVED, "dev-x")], self.apply(outcome("branch:x", B, skipped=True)))
        self.assertEqual([], self.apply(outcome("branch:y", B, problem="broken JSON")))
        self.assertEqual(["dev-y"], self.normalized())
        problems = self.ok(self.versions.problems(self.package.id))
        self.assertEqual([("branch:y", "broken JSON")], [(problem.ref, problem.problem) for problem in problems])

    def test_second_ref_steps_in(self) -> None:
        """Two tags for one version: when the first goes, the other is not known any more, so it is read again."""
        self.apply(outcome("tag:1.0", A, self.draft("1.0", "1.0.0.0", A)), outcome("tag:v1.0", B, skipped=True))
        self.ok(self.versions.retain(self.package.id, ["tag:v1.0"], NEW_YEAR))
        self.assertEqual({}, self.ok(self.versions.known(self.package.id)))
        self.assertEqual([], self.normalized())

    def test_take_over(self) -> None:
        """A ref that takes a version from another one: the other is not known any more, and goes without harm."""
        self.apply(outcome("tag:1.0", A, self.draft("1.0", "1.0.0.0", A)))
        self.apply(outcome("tag:v1.0", B, self.draft("v1.0", "1.0.0.0", B)))
        self.assertEqual({"tag:v1.0": B}, self.ok(self.versions.known(self.package.id)))
        self.ok(self.versions.retain(self.package.id, ["tag:v1.0"], NEW_YEAR))
        self.assertEqual(["1.0.0.0"], self.normalized())

    def test_hide(self) -> None:
        """Hidden versions are nowhere, and come back."""
        self.apply(outcome("tag:1.0", A, self.draft("1.0", "1.0.0.0", A, tree="t")), outcome("tag:1.1", B, self.draft("1.1", "1.1.0.0", B, tree="t")))
        self.assertEqual(["1.1.0.0"], [change.normalized for change in self.ok(self.versions.hide(self.package.id, ["1.1.0.0"]))])
        self.assertEqual(["1.0.0.0"], self.normalized())
        self.assertEqual(2, len(self.ok(self.versions.trees(self.package.id))))
        self.assertEqual(1, len(self.ok(self.versions.hide(self.package.id, []))))
        self.assertEqual(["1.0.0.0", "1.1.0.0"], self.normalized())

    def test_remove_one(self) -> None:
        """A removed version comes back with the next crawl."""
        self.apply(outcome("tag:1.0", A, self.draft("1.0", "1.0.0.0", A)))
        gone = self.ok(self.versions.remove(self.package.id, "1.0.0.0", NEW_YEAR))
        self.assertEqual((ChangeKind.REMOVED, "1.0", A), (gone.kind, gone.version, gone.old_reference))
        self.assertIsNotNone(gone.document)
        self.assertIsNone(self.ok(self.versions.remove(self.package.id, "1.0.0.0", NEW_YEAR)))
        self.assertEqual({}, self.ok(self.versions.known(self.package.id)))

    def test_dates_of_contents(self) -> None:
        """Each content has a date of its own; the newest has the latest; a known one keeps its own."""
        first = self.ok(self.versions.published_at("p2/acme/a", "1" * 64, NEW_YEAR))
        second = self.ok(self.versions.published_at("p2/acme/a", "2" * 64, NEW_YEAR))
        self.assertEqual((NEW_YEAR, NEW_YEAR + timedelta(seconds=1)), (first, second))
        self.assertEqual(first, self.ok(self.versions.published_at("p2/acme/a", "1" * 64, NEW_YEAR + DAY)))
        for number in range(250):
            last = self.ok(self.versions.published_at("p2/acme/a", f"{number:064}", NEW_YEAR + DAY))
        self.assertEqual(NEW_YEAR + DAY + timedelta(seconds=249), last)

    def test_documents(self) -> None:
        """Of packages, and of single versions; hidden ones of neither."""
        self.apply(*(outcome(f"tag:{one}", A, self.draft(one, f"{one}.0.0", A)) for one in ("1.0", "1.1", "1.2")))
        self.ok(self.versions.hide(self.package.id, ["1.1.0.0"]))
        one, three = self.ok(self.versions.of_package(self.package.id))
        found = self.ok(self.versions.documents([self.package.id, 0], []))
        self.assertEqual({one.id: one.document, three.id: three.document}, {each.id: each.document for each in found})
        same = self.ok(self.versions.documents([], [one.id, one.id + 1]))
        self.assertEqual([("1.0", "1.0.0.0", False, False, A)], [
            (each.version, each.normalized, each.is_dev, each.is_default, each.dist_reference) for each in same
        ])  # fmt: skip

    def test_digests(self) -> None:
        """They are kept, replaced, and of too many the oldest are forgotten."""
        self.assertEqual(b"", self.ok(self.versions.digests("0" * 64)))
        for number in range(105):
            self.ok(self.versions.keep_digests(f"{number:064}", bytes([number]), 1_700_000_000_000_000 + number))
        self.ok(self.versions.keep_digests(f"{9:064}", b"new" * 30_000, 1_700_000_000_001_000))
        kept = [number for number in range(105) if self.ok(self.versions.digests(f"{number:064}"))]
        self.assertEqual([*range(5, 105)], kept)
        self.assertEqual(b"new" * 30_000, self.ok(self.versions.digests(f"{9:064}")))


class PostgresqlPackageTests(OnPostgresql, PackageTests):
    """On PostgreSQL."""


class MysqlPackageTests(OnMysql, PackageTests):
    """On MariaDB."""


class PostgresqlVersionTests(OnPostgresql, VersionTests):
    """On PostgreSQL."""


class MysqlVersionTests(OnMysql, VersionTests):
    """On MariaDB."""
