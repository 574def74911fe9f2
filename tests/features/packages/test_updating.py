"""Bringing packages up to date, from a source that says what it is told to."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import orjson
from attrs import define, evolve, field
from sqlalchemy import event
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from packeton.errors import Conflict, Invalid, UpstreamFailed, VcsFailed, VcsReason
from packeton.features.packages.updating import Outcome, UpdateRequest, Updates
from packeton.interfaces.packages import Package, RepoType
from packeton.interfaces.sources import (
    Deliver,
    EventKind,
    Finding,
    FoundVersion,
    ISource,
    OnLog,
    PackageEvent,
    SourceFile,
    SourceReport,
)
from tests.support.packages import NEW_YEAR, MemoryPackages, MemoryRevisions, package
from tests.support.scripted import immediately

T = TypeVar("T")
DAY = timedelta(days=1)
A, B, C = "a" * 40, "b" * 40, "c" * 40


def found(version: str, normalized: str, reference: str, name: str = "acme/a", **fields: Any) -> FoundVersion:
    """Return a version as a source has it."""
    document = {"name": name, "version": version, "version_normalized": normalized, "time": "2025-01-01T00:00:00+00:00", **fields.pop("document", {})}
    return FoundVersion(version=document, source_reference=reference, dist_reference=reference, **fields)


def at(ref: str, commit: str, *versions: FoundVersion, **fields: Any) -> Finding:
    """Return what is at a ref."""
    return Finding(ref=ref, commit=commit, versions=versions, **fields)


@implementer(ISource)
@define
class ScriptedSource:
    """Has what *findings* say; does not deliver what is known."""

    findings: list[Finding] = field(factory=list)
    error: Exception | None = None
    report: dict[str, Any] = field(factory=dict)
    delivered: list[str] = field(factory=list)
    meanwhile: Callable[[], None] = lambda: None
    at_once: int = 1000
    """Findings that it delivers together."""

    async def read(self, package: Package, known: Mapping[str, str], deliver: Deliver, log: OnLog) -> SourceReport:
        new = [finding for finding in self.findings if known.get(finding.ref) != finding.commit]
        self.delivered = [finding.ref for finding in new]
        for begin in range(0, len(new), self.at_once):
            await deliver(new[begin : begin + self.at_once])
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return SourceReport(refs=frozenset(finding.ref for finding in self.findings), **self.report)


class UpdatingTestCase(SynchronousTestCase):
    """A package and its source."""

    def setUp(self) -> None:
        self.memory = MemoryPackages()
        self.addCleanup(self.memory.close)
        self.packages, self.versions = self.memory.packages, self.memory.versions
        self.revisions = MemoryRevisions()
        self.now = NEW_YEAR
        self.source = ScriptedSource()
        self.events: list[PackageEvent] = []
        self.lines: list[str] = []
        verifyObject(ISource, self.source)
        self.updates = Updates(
            self.packages, self.versions, self.revisions,
            dict.fromkeys(RepoType, self.source), None, immediately, lambda: self.now, [self.listen],  # type: ignore[arg-type]
        )  # fmt: skip

    async def listen(self, event: PackageEvent) -> None:
        self.events.append(event)

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def make(self, name: str = "acme/a", **fields: Any) -> Package:
        self.package = self.ok(self.packages.create(package(name, **fields)))
        return self.package

    def run_update(self, **request: Any) -> Any:
        self.now += timedelta(hours=1)
        self.lines.clear()
        self.events.clear()
        return self.ok(self.updates.run(self.package.id, UpdateRequest(**request), self.lines.append))

    def held(self, name: str = "acme/a") -> Package:
        found = self.ok(self.packages.find(name))
        assert found is not None
        return found

    def normalized(self, name: str = "acme/a") -> list[str]:
        return [version.normalized for version in self.ok(self.versions.index(self.held(name).id))]


class UpdateTests(UpdatingTestCase):
    """One package."""

    def setUp(self) -> None:
        super().setUp()
        self.make()
        self.source.findings = [
            at("tag:1.0", A, found("1.0", "1.0.0.0", A)),
            at("branch:main", B, found("dev-main", "dev-main", B, document={"default-branch": True, "description": "What it is", "type": "composer-plugin"})),
        ]

    def test_first_and_again(self) -> None:
        """The first update brings all and says so; the next one reads what is new, and moves dates only for that."""
        self.source.report = {"default_branch": "main", "readmes": {"": SourceFile(path="README.md", content=b"# A\n\nHello *you*")}}
        result = self.run_update()
        self.assertEqual((Outcome.COMPLETED, 2), (result.outcome, len(result.changes)))
        held = self.held()
        self.assertEqual(("What it is", "composer-plugin", "<p>Hello <em>you</em></p>", self.now, None), (held.description, held.type, held.readme, held.crawled_at, held.problem))
        self.assertEqual([EventKind.PERSISTED], [event.kind for event in self.events])
        self.assertEqual((self.now, self.now), (held.stable_modified_at, held.dev_modified_at))
        first = self.now
        self.run_update()
        self.assertEqual(([], []), (self.source.delivered, self.events))
        self.source.findings[1] = at("branch:main", C, found("dev-main", "dev-main", C, document={"default-branch": True}))
        result = self.run_update()
        self.assertEqual(["branch:main"], self.source.delivered)
        self.assertEqual([EventKind.REFRESHED], [event.kind for event in self.events])
        self.assertEqual((first, self.now), (self.held().stable_modified_at, self.held().dev_modified_at))
        self.assertEqual(2, self.revisions.current("packages"))  # a crawl that found nothing new is no news

    def test_told_when_published(self) -> None:
        """The feed has a change at the time at which it is published, not at which the reading began."""

        def meanwhile() -> None:
            self.now += timedelta(minutes=20)

        self.source.meanwhile = meanwhile
        self.run_update()
        changes = self.ok(self.packages.changes(NEW_YEAR + timedelta(seconds=1), 10))
        self.assertEqual({self.now}, {change.at for change in changes})

    def test_vanished(self) -> None:
        """A tag that is gone is gone at the next crawl; its reference is still known."""
        self.run_update()
        del self.source.findings[0]
        self.run_update()
        self.assertEqual(["dev-main"], self.normalized())
        self.assertEqual(1, len(self.ok(self.versions.with_reference(self.package.id, A))))
        self.assertEqual(1, len([line for line in self.lines if line.startswith("Removed acme/a 1.0")]))

    def test_one_broken_branch(self) -> None:
        """It is named with what is wrong; all others are there; a maintainer is told once, until it is good again."""
        broken = at("branch:1.1", C, problems=("composer.json does not contain valid JSON",))
        self.source.findings.append(broken)
        result = self.run_update()
        self.assertEqual((Outcome.FAILED, 1), (result.outcome, result.problems))
        self.assertIn("branch:1.1: composer.json does not contain valid JSON", result.message)
        self.assertEqual(["1.0.0.0", "dev-main"], self.normalized())
        self.assertEqual([True], [event.is_news for event in self.events if event.kind is EventKind.FAILED])
        self.run_update()
        self.assertEqual(([], [False]), (self.source.delivered, [event.is_news for event in self.events]))
        self.assertIn("branch:1.1", self.held().problem or "")
        self.source.findings[-1] = at("branch:1.1", B, found("1.1", "1.1.0.0", B))
        self.assertEqual(Outcome.COMPLETED, self.run_update().outcome)
        self.assertIsNone(self.held().problem)

    def test_one_broken_tag(self) -> None:
        """A tag stays broken for good: it is named with what is wrong, kept for the maintainer, and fails nothing."""
        self.source.findings.append(at("tag:1.1", C, problems=("composer.json does not contain valid JSON",)))
        for _ in range(2):
            result = self.run_update()
            self.assertEqual((Outcome.COMPLETED, 1), (result.outcome, result.problems))
            for text in (result.message, self.held().problem or ""):
                self.assertIn("1 tag of acme/a cannot be published; all others are.\ntag:1.1: composer.json does", text)
            self.assertEqual(["1.0.0.0", "dev-main"], self.normalized())
            self.assertNotIn(EventKind.FAILED, [event.kind for event in self.events])
        del self.source.findings[-1]
        self.run_update()
        self.assertIsNone(self.held().problem)
        self.source.findings = [at("tag:1.1", C, problems=("broken",))]
        self.assertEqual(Outcome.FAILED, self.run_update().outcome)  # nothing is left

    def test_broken_branch_keeps_its_last_good_version(self) -> None:
        """What is broken now does not take away what was good."""
        self.run_update()
        self.source.findings[1] = at("branch:main", C, problems=("broken",))
        self.run_update()
        self.assertEqual(["1.0.0.0", "dev-main"], self.normalized())

    def test_cut_off(self) -> None:
        """A crawl that fails half-way keeps what came, removes nothing, and is published."""
        self.run_update()
        del self.source.findings[0]
        self.source.findings.append(at("tag:2.0", C, found("2.0", "2.0.0.0", C)))
        self.source.error = VcsFailed("https://git.example.com/a.git: the server did not answer", reason=VcsReason.UNREACHABLE)
        before = self.held()
        result = self.run_update()
        self.assertEqual((Outcome.FAILED, True), (result.outcome, result.may_pass))
        self.assertEqual(["1.0.0.0", "dev-main", "2.0.0.0"], self.normalized())
        self.assertGreater(self.held().stable_modified_at, before.stable_modified_at)
        self.assertEqual(before.dev_modified_at, self.held().dev_modified_at)
        self.assertIn("the server did not answer", self.held().problem or "")

    def test_delivered_in_small_pieces(self) -> None:
        """What a source delivers in small pieces is stored in larger ones, and stays when the source fails then."""
        numbers = [f"1.{number}" for number in range(120)]
        self.source.findings = [at(f"tag:{one}", A, found(one, f"{one}.0.0", A)) for one in numbers]
        self.source.at_once, self.source.error = 10, UpstreamFailed("no answer")
        inserts = []

        def on_statement(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO versions"):
                inserts.append(statement)

        event.listen(self.memory.engine, "before_cursor_execute", on_statement)
        self.assertEqual(Outcome.FAILED, self.run_update().outcome)
        self.assertEqual((2, 120), (len(inserts), len(self.normalized())))

    def test_kinds_of_failures(self) -> None:
        """A repository that is gone, a package that is gone, an address that must not be used."""
        for error, expected in (
            (VcsFailed("gone", reason=VcsReason.GONE), (Outcome.GONE, False)),
            (VcsFailed("login", reason=VcsReason.LOGIN), (Outcome.FAILED, False)),
            (Invalid("no local paths"), (Outcome.FAILED, False)),
            (UpstreamFailed("away"), (Outcome.FAILED, True)),
        ):
            self.source.error = error
            result = self.run_update()
            self.assertEqual(expected, (result.outcome, result.may_pass))
        self.ok(self.packages.remove(self.package.id, self.now))
        self.assertEqual(Outcome.DELETED, self.run_update().outcome)

    def test_deleted_meanwhile(self) -> None:
        """Whatever a package that is deleted while it is read runs into, it is gone, and nobody is told of a failure."""
        for error in (Conflict("a version of no package"), VcsFailed("gone", reason=VcsReason.GONE), None):
            self.source.error = error
            self.source.meanwhile = lambda: self.ok(self.packages.remove(self.package.id, self.now))
            self.assertEqual((Outcome.DELETED, []), (self.run_update().outcome, self.events))
            self.source.meanwhile = lambda: None
            self.make()

    def test_forced(self) -> None:
        """Everything is read again; what did not change moves nothing; both flags work together."""
        self.run_update()
        held = self.held()
        result = self.run_update(update_equal_refs=True)
        self.assertEqual((["tag:1.0", "branch:main"], ()), (self.source.delivered, result.changes))
        self.assertEqual(held.stable_modified_at, self.held().stable_modified_at)
        self.source.findings[1] = at("branch:main", C, problems=("broken",))
        self.source.findings[0] = at("tag:1.0", A, found("1.0", "1.0.0.0", A, document={"description": "x"}))
        result = self.run_update(update_equal_refs=True, delete_before=True)
        self.assertEqual(["1.0.0.0"], self.normalized())
        self.assertIn(EventKind.REFRESHED, [event.kind for event in self.events])

    def test_other_name(self) -> None:
        """A ref whose composer.json has another name is said, and not published."""
        self.source.findings.append(at("tag:3.0", C, found("3.0", "3.0.0.0", C, name="acme/other")))
        self.assertIn("composer.json names acme/other, and this package is acme/a", self.run_update().message)
        self.assertEqual(["1.0.0.0", "dev-main"], self.normalized())

    def test_renamed(self) -> None:
        """A repository that names another package now goes on as the package that it was; the log says so."""
        for name, count in (("acme/a", 0), ("acme/new", 1)):
            self.source.report = {"names": {"": name}}
            self.assertEqual(Outcome.COMPLETED, self.run_update().outcome)
            lines = [line for line in self.lines if "has the name acme/new now; all is published as acme/a" in line]
            self.assertEqual(count, len(lines))

    def test_require_patches(self) -> None:
        """A patch changes the requirements of the versions it is for, at the next update although no ref moved."""
        self.source.findings[0] = at("tag:1.0", A, found("1.0", "1.0.0.0", A, document={"require": {"x/y": "^1", "x/z": "*"}}))
        self.run_update()
        patches = {"^1.0": {"x/y": "^1 || ^2", "x/z": "unset"}}
        self.ok(self.packages.change(self.held().id, lambda one: evolve(one, settings={**one.settings, "requirePatches": patches})))
        self.assertEqual(1, len(self.run_update().changes))
        stored = self.ok(self.versions.find(self.package.id, "1.0.0.0"))
        assert stored is not None
        self.assertEqual({"x/y": "^1 || ^2"}, orjson.loads(stored.document)["require"])
        self.run_update()
        self.assertEqual([], self.source.delivered)


class MonoRepoTests(UpdatingTestCase):
    """A package of packages."""

    def setUp(self) -> None:
        super().setUp()
        self.make("acme/mono", repo_type=RepoType.MONO_REPO, settings={"glob": "src/*/composer.json"}, maintainers=frozenset({5}))
        self.source.report = {"names": {"": "acme/mono"}, "directories": ("", "src/a", "src/b")}
        self.source.findings = [self.both("tag:1.0", "1.0", "1.0.0.0", A, "t1", "u1"), self.both("tag:1.0.1", "1.0.1", "1.0.1.0", B, "t1", "u2")]

    def both(self, ref: str, version: str, normalized: str, commit: str, tree_a: str, tree_b: str) -> Finding:
        return at(
            ref, commit,
            found(version, normalized, commit, name="acme/mono"),
            found(version, normalized, commit, directory="src/a", tree=tree_a),
            found(version, normalized, commit, name="acme/b", directory="src/b", tree=tree_b),
        )  # fmt: skip

    def test_children(self) -> None:
        """Packages are made as they are found, with the parent's maintainers and repository."""
        self.assertEqual(Outcome.COMPLETED, self.run_update().outcome)
        child = self.held("acme/b")
        self.assertEqual((self.package.id, "src/b", frozenset({5})), (child.parent_id, child.directory, child.maintainers))
        self.assertEqual(["1.0.0.0", "1.0.1.0"], self.normalized("acme/b"))
        self.assertEqual(["1.0.0.0", "1.0.1.0"], self.normalized("acme/mono"))
        self.assertEqual(self.now, child.crawled_at)
        self.assertEqual((), self.run_update(update_equal_refs=True, delete_before=True).changes)
        self.assertEqual(["1.0.0.0", "1.0.1.0"], self.normalized("acme/b"))

    def test_nothing_found(self) -> None:
        """Patterns that find nothing are a failure that says so."""
        self.source.findings = [at("tag:1.0", A, found("1.0", "1.0.0.0", A, name="acme/mono"))]
        result = self.run_update()
        self.assertEqual(Outcome.FAILED, result.outcome)
        self.assertIn("its patterns find no package", result.message)

    def test_skip_unmodified(self) -> None:
        """Patch releases that changed nothing of a package are none of it, as long as the setting says so."""
        self.ok(self.packages.change(self.package.id, lambda one: evolve(one, settings={**one.settings, "skipNotModifyTag": True})))
        self.run_update()
        self.assertEqual((["1.0.0.0"], ["1.0.0.0", "1.0.1.0"]), (self.normalized(), self.normalized("acme/b")))
        parent = self.held("acme/mono")
        self.ok(self.packages.change(parent.id, lambda one: evolve(one, settings={**one.settings, "skipNotModifyTag": False})))
        self.run_update()
        self.assertEqual(["1.0.0.0", "1.0.1.0"], self.normalized())

    def test_name_that_is_taken(self) -> None:
        """A name that another package has is said; the others are published."""
        self.ok(self.packages.create(package("acme/b")))
        result = self.run_update()
        self.assertEqual(Outcome.COMPLETED, result.outcome)
        self.assertIn("src/b: there is another package acme/b already", result.message)
        self.assertEqual((["1.0.0.0", "1.0.1.0"], []), (self.normalized(), self.normalized("acme/b")))

    def test_one_name_twice(self) -> None:
        """Two directories of one name: the first counts."""
        self.source.findings = [at("tag:1.0", A, found("1.0", "1.0.0.0", A, directory="src/a"), found("1.0", "1.0.0.0", A, directory="src/b"))]
        self.assertIn("src/b: acme/a is also in src/a; that one counts", self.run_update().message)
        self.assertEqual(["1.0.0.0"], self.normalized())

    def test_child_updates_the_parent(self) -> None:
        """Asking for a child reads the whole."""
        self.run_update()
        child = self.held("acme/b")
        self.source.findings.append(self.both("tag:2.0", "2.0", "2.0.0.0", C, "t2", "u3"))
        self.package = child
        self.run_update()
        self.assertEqual(["1.0.0.0", "1.0.1.0", "2.0.0.0"], self.normalized())


