"""
Bringing a package up to date: read its source, compare, store, tell.

Theory of operation: a source delivers what is new in batches; some are stored as a whole at once, so that a crawl that
is cut off leaves whole versions, and the next one goes on where it ended. What came from refs that are gone goes at
the end of a crawl that read everything (a tag pushed by mistake is not installable any more, but the references of
its version stay known, so that a lock can still be installed). A ref that cannot be read keeps its last good version,
and says why.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import orjson
from attrs import asdict, define, evolve, field, frozen
from twisted.logger import Logger

from packeton.core.composer.advisory_forms import ADOPTED, as_kept
from packeton.core.composer.monorepos import tags_that_changed
from packeton.core.texts import legible
from packeton.errors import Conflict, Invalid, NotFound, PacketonError, UpstreamFailed, VcsFailed, VcsReason
from packeton.features.packages.archives import Archives
from packeton.features.packages.describing import described, newest_of
from packeton.features.packages.families import Family, Names
from packeton.features.packages.github import FORGE
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.packages import (
    Change,
    IPackageRecords,
    IVersionRecords,
    KnownReference,
    Package,
    RefOutcome,
    RefProblem,
    RepoType,
    StoredVersion,
)
from packeton.interfaces.revisions import IRevisions, Subject
from packeton.interfaces.sources import (
    AskForge,
    Audit,
    EventKind,
    Finding,
    ForgeFacts,
    ISource,
    Listener,
    OnLog,
    PackageEvent,
    SourceReport,
)

__all__ = ["Outcome", "UpdateRequest", "UpdateResult", "Updates"]

log = Logger()

RENDERED_WITH = "_renderedWith"
"""In the package's settings: a digest of what shaped the stored versions besides their source."""
DEFAULT_BRANCH = "_defaultBranch"
RENDERING = "2"
"""Moves when the same source gives other version objects than before."""
PLURAL = {"tag": "tags", "branch": "branches", "upload": "uploads"}
MAX_LISTED = 20
AT_ONCE = 100
"""Versions that are stored at once. Sources deliver fewer, as requests wait meanwhile; a transaction has its price."""
TAG = "tag:"
"""What the refs of tags begin with. A tag that is broken stays so: it is told of, and fails no update. A branch can be
mended, so it does, but for what is wrong inside a mono-repo. Source: Composer's VcsRepository, `hadInvalidBranches`;
contract 04 section 2.2 of the reference."""


class Outcome(StrEnum):
    """How an update ended. Source: the reference's job statuses."""

    COMPLETED = "completed"
    FAILED = "failed"
    GONE = "package_gone"
    DELETED = "package_deleted"


@frozen(kw_only=True)
class UpdateRequest:
    """What to do besides reading what is new."""

    update_equal_refs: bool = False
    """Read everything again."""
    delete_before: bool = False
    """Keep nothing that is not found now; works together with `update_equal_refs`."""


@frozen(kw_only=True)
class UpdateResult:
    """How it went."""

    outcome: Outcome
    message: str
    changes: tuple[Change, ...] = ()
    problems: int = 0
    """Refs that give no version though they should."""
    may_pass: bool = False
    """Trying again soon may help."""


DELETED_MEANWHILE: Final = UpdateResult(outcome=Outcome.DELETED, message="The package was deleted meanwhile.")


@define
class _Run:
    """One update under way."""

    package: Package
    family: Family
    request: UpdateRequest
    at: datetime
    log: OnLog
    changes: list[Change] = field(factory=list)
    good: set[str] = field(factory=set)
    """Refs that gave a version."""
    is_news: bool = False
    """Something changed that others keep in memory."""


@define
class Updates:
    """Updates of packages."""

    _packages: IPackageRecords
    _versions: IVersionRecords
    _revisions: IRevisions
    _sources: dict[RepoType, ISource]
    _archives: Archives
    _in_thread: InThread
    _now: Now
    _listeners: list[Listener] = field(factory=list)
    _prebuild: bool = False
    _audit: Audit | None = None
    _forge: AskForge | None = None

    def listen(self, listener: Listener) -> None:
        """Have *listener* told what happens to packages."""
        self._listeners.append(listener)

    async def run(self, package_id: int, request: UpdateRequest, on_log: OnLog) -> UpdateResult:
        """Update a package; for a child, its mono-repo. Never raises PacketonError, but StorageFailed."""
        package = await self._packages.get(package_id)
        if package is not None and package.parent_id is not None:
            package = await self._packages.get(package.parent_id)
        if package is None:
            return UpdateResult(outcome=Outcome.DELETED, message="The package was deleted.")
        family = Family(package, await self._packages.children(package.id))
        run = _Run(package=package, family=family, request=request, at=self._now(), log=on_log)
        try:
            report = await self._read(run)
            await self._finish(run, report)
        except PacketonError as error:
            if await self._packages.get(package.id) is None:
                return DELETED_MEANWHILE
            if isinstance(error, NotFound):
                raise
            return await self._failed(run, error)
        finally:
            await self._publish(run)
        if await self._packages.get(package.id) is None:
            return DELETED_MEANWHILE
        result = await self._completed(run, first=package.crawled_at is None)
        await self._look_over(run, report)
        return result

    async def _read(self, run: _Run) -> SourceReport:
        package, request = run.package, run.request
        known = await self._versions.known(package.id)
        if request.update_equal_refs or request.delete_before or _shaped_by(package) != _shaped_before(package):
            known = {}

        waiting: list[Finding] = []

        async def store() -> None:
            findings, waiting[:] = tuple(waiting), ()
            if findings:
                await self._store(run, findings)

        async def deliver(findings: Sequence[Finding]) -> None:
            waiting.extend(findings)
            if sum(max(1, len(finding.versions)) for finding in waiting) >= AT_ONCE:
                await store()

        try:
            report = await self._sources[package.repo_type].read(package, known, deliver, run.log)
        except PacketonError:
            await store()
            raise
        await store()
        written = report.names.get(package.directory)
        if package.repo_type is RepoType.VCS and written not in {None, package.name}:
            told = f"composer.json on the default branch has the name {written} now; all is published as {package.name}"
            run.log(f"{told}: submit the repository again to have a package of the new name")
        kept = run.good if request.delete_before else report.refs
        removed = await self._versions.retain(package.id, kept, run.at)
        for change in removed:
            run.log(f"Removed {run.family.name_of(change.package_id)} {change.version}: it is not there any more")
        run.changes += removed
        if package.repo_type is RepoType.MONO_REPO and not run.family.children():
            raise Invalid(
                "its patterns find no package: nothing on the default branch matches, or no composer.json that "
                "does has a name that can be had"
            )
        return report

    async def _store(self, run: _Run, findings: Sequence[Finding]) -> None:
        for finding in findings:
            for new in Names(run.family, run.package, finding).missing():
                await self._add_child(run, new)
        outcomes = await self._in_thread(_outcomes, run.family, run.package, findings)
        for outcome in outcomes:
            for problem in outcome.problem.split("\n") if outcome.problem else ():
                run.log(f"{outcome.ref}: {problem}")
        run.good.update(outcome.ref for outcome in outcomes if outcome.versions)
        changes = await self._versions.apply(run.package.id, outcomes, run.at)
        for change in changes:
            run.log(f"{change.kind.capitalize()} {run.family.name_of(change.package_id)} {change.version}")
        run.changes += changes

    async def _add_child(self, run: _Run, new: Package) -> None:
        try:
            made = await self._packages.create(evolve(new, created_at=run.at))
        except Conflict:
            run.family.refuse(new.name, f"there is another package {new.name} already")
            return
        run.is_news = True
        run.log(f"Added the package {made.name} of {made.directory}")
        run.family.add(made)

    async def _finish(self, run: _Run, report: SourceReport) -> None:
        """Write down what describes the package and its children."""
        if run.package.repo_type is RepoType.MONO_REPO:
            for child in run.family.children():
                hidden = await self._unmodified(run.package, child)
                run.changes += await self._versions.hide(child.id, hidden)
        facts = None if self._forge is None else await self._forge(run.package, report, run.log)
        changed = {change.package_id for change in run.changes}
        for member in run.family.members():
            is_shaped = member.id != run.package.id or _is_noted(run.package, report, facts)
            if member.id in changed or member.crawled_at is None or not is_shaped:
                await self._describe(run, report, facts if member.id == run.package.id else None, member)
        await self._packages.crawled([member.id for member in run.family.members()], run.at)
        if self._prebuild:
            await self._build_archives(run)

    async def _describe(self, run: _Run, report: SourceReport, facts: ForgeFacts | None, member: Package) -> None:
        """Save what a package says of itself now."""
        held = await self._packages.get(member.id)
        if held is None:
            return
        telling, readme, now = await self._telling(held), report.readmes.get(held.directory), held
        if telling is not None:
            now = await self._in_thread(described, held, telling, readme, report.default_branch, run.package.url)
        said = {name: value for name, value in asdict(now, recurse=False).items() if value != getattr(held, name)}
        if facts is not None:
            said |= {"readme": facts.readme} if facts.has_readme else {}
            said |= {"language": facts.language} if facts.language is not None else {}
        noted: dict[str, Any] = {}
        if held.id == run.package.id:
            noted = {RENDERED_WITH: _shaped_by(run.package), DEFAULT_BRANCH: report.default_branch}
            noted[FORGE] = None if facts is None else facts.noted
            noted |= {} if report.advisories is None else {ADOPTED: as_kept(report.advisories)}
        await self._packages.change(
            held.id, lambda stored: evolve(stored, **{**said, "settings": {**stored.settings, **noted}})
        )
        run.is_news = True

    async def _telling(self, package: Package) -> StoredVersion | None:
        """Return the version that speaks for the package; only this one is read, of however many."""
        default = await self._versions.default(package.id)
        if default is not None:
            return default
        newest = await self._in_thread(newest_of, await self._versions.index(package.id))
        return None if newest is None else await self._versions.get(newest.id)

    async def _unmodified(self, parent: Package, child: Package) -> Sequence[str]:
        """Return the versions that a mono-repo's setting leaves out: nothing changed since the patch before."""
        if not parent.settings.get("skipNotModifyTag"):
            return ()
        trees = await self._versions.trees(child.id)
        tags = [(normalized, tree) for normalized, ref, tree in trees if ref.startswith("tag:")]
        changed = frozenset(tags_that_changed(tags))
        return [normalized for normalized, _ in tags if normalized not in changed]

    async def _build_archives(self, run: _Run) -> None:
        """Build the archives of all versions that have none, one after the other."""
        for member in run.family.members():
            for stored in await self._versions.of_package(member.id):
                if stored.dist_reference is None:
                    continue
                known = KnownReference(
                    reference=stored.dist_reference,
                    version=stored.version,
                    normalized=stored.normalized,
                    is_dev=stored.is_dev,
                    released_at=stored.released_at,
                    source=stored.reference,
                    directory=stored.directory,
                    version_id=stored.id,
                )
                try:
                    await self._archives.prebuild(member, known)
                except NotFound as error:
                    run.log(f"{member.name} {stored.version}: no archive: {error}")

    async def _publish(self, run: _Run) -> None:
        """Let everybody see what changed, from now on: since the run began clients may have asked what is new."""
        now = self._now()
        for package_id, mine in sorted(_by_package(run.changes).items()):
            await self._packages.touch(
                package_id,
                stable=any(not change.is_dev for change in mine),
                dev=any(change.is_dev for change in mine),
                at=now,
            )
        if run.is_news or run.changes:
            await self._revisions.bump(Subject.PACKAGES)

    async def _completed(self, run: _Run, *, first: bool) -> UpdateResult:
        problems = await self._versions.problems(run.package.id)
        changes = _by_package(run.changes)
        for member in run.family.members():
            mine = changes.get(member.id, ())
            if mine or (first and member.id == run.package.id):
                kind = EventKind.PERSISTED if first else EventKind.REFRESHED
                await self.tell(PackageEvent(kind=kind, package=member, changes=tuple(mine)))
        told = _told_of(problems, run.package.name)
        result = UpdateResult(
            outcome=Outcome.FAILED, message=told or "", changes=tuple(run.changes), problems=len(problems)
        )
        if problems and await self._is_failure(run, problems):
            await self._note_problem(run, result.message)
            return result
        held = await self._packages.get(run.package.id)
        if held is not None and held.problem != told:
            await self._packages.change(held.id, lambda stored: evolve(stored, problem=told, notified=False))
        count = len(run.changes)
        message = f"Update of {run.package.name} complete: {count} version{'' if count == 1 else 's'} changed."
        return evolve(result, outcome=Outcome.COMPLETED, message="\n".join(filter(None, (message, told))))

    async def _is_failure(self, run: _Run, problems: Sequence[RefProblem]) -> bool:
        """Say if an update with problems failed: nothing is there, or a branch is broken, which can be mended."""
        if run.package.repo_type is not RepoType.MONO_REPO and any(not one.ref.startswith(TAG) for one in problems):
            return True
        found = [await self._versions.index(member.id) for member in run.family.members()]
        return not any(found)

    async def _look_over(self, run: _Run, report: SourceReport) -> None:
        if self._audit is None:
            return
        try:
            event = await self._audit(run.package, report, run.log)
        except PacketonError as error:
            run.log(f"The security advisories could not be checked: {error}")
        except Exception:
            log.failure("The security advisories of {name} could not be checked", name=run.package.name)
        else:
            if event is not None:
                await self.tell(event)

    async def _failed(self, run: _Run, error: PacketonError) -> UpdateResult:
        gone = isinstance(error, VcsFailed) and error.reason is VcsReason.GONE
        message = legible(f"{run.package.name} could not be updated: {error}")
        run.log(message)
        await self._note_problem(run, message)
        return UpdateResult(
            outcome=Outcome.GONE if gone else Outcome.FAILED,
            message=message,
            changes=tuple(run.changes),
            may_pass=_may_pass(error),
        )

    async def _note_problem(self, run: _Run, message: str) -> None:
        """Keep what a maintainer should know, and tell of it unless it was told already."""
        held = await self._packages.get(run.package.id)
        if held is None:
            return
        saved = await self._packages.change(held.id, lambda stored: evolve(stored, problem=message, notified=True))
        await self.tell(
            PackageEvent(kind=EventKind.FAILED, package=saved, message=message, is_news=not held.notified)
        )

    async def tell(self, event: PackageEvent) -> None:
        """Tell the listeners; one that fails disturbs nobody."""
        for listener in self._listeners:
            try:
                await listener(event)
            except Exception:
                log.failure("What happened to {name} could not be told", name=event.package.name)


def _outcomes(family: Family, package: Package, findings: Sequence[Finding]) -> Sequence[RefOutcome]:
    """Return what is to be stored. Not for the reactor's thread: requests would wait for it."""
    outcomes = []
    for finding in findings:
        versions, problems = Names(family, package, finding).drafts()
        problems = [legible(problem) for problem in (*finding.problems, *problems)]
        outcomes.append(
            RefOutcome(
                ref=finding.ref,
                commit=finding.commit,
                versions=tuple(versions),
                problem="\n".join(problems) or None,
                skipped=not versions and not problems,
            )
        )
    return outcomes


def _by_package(changes: Sequence[Change]) -> Mapping[int, Sequence[Change]]:
    found: dict[int, list[Change]] = {}
    for change in changes:
        found.setdefault(change.package_id, []).append(change)
    return found


def _told_of(problems: Sequence[RefProblem], name: str) -> str | None:
    """Return what a maintainer should know of refs that cannot be published; None without any."""
    if not problems:
        return None
    listed = [f"{one.ref}: {one.problem}" for one in problems[:MAX_LISTED]]
    more = [f"… and {len(problems) - MAX_LISTED} more"] if len(problems) > MAX_LISTED else []
    kinds = Counter(one.ref.partition(":")[0] for one in problems)
    counts = [f"{count} {PLURAL.get(kind, 'versions') if count > 1 else kind}" for kind, count in sorted(kinds.items())]
    return "\n".join([f"{' and '.join(counts)} of {name} cannot be published; all others are.", *listed, *more])


def _may_pass(error: PacketonError) -> bool:
    if isinstance(error, VcsFailed):
        return error.reason is VcsReason.UNREACHABLE
    return isinstance(error, UpstreamFailed)


def _shaped_by(package: Package) -> str:
    """Return a digest of what shapes versions besides their source."""
    keys = ("requirePatches", "customComposerJson", "glob", "excludedGlob", "customVersions")
    facts: list[Any] = [RENDERING, package.name, package.directory, package.url, str(package.repo_type)]
    facts += [package.settings.get(key) for key in keys]
    return sha256(orjson.dumps(facts)).hexdigest()[:24]


def _is_noted(package: Package, report: SourceReport, facts: ForgeFacts | None) -> bool:
    """Say if the package's settings hold already what a crawl writes into them."""
    if report.advisories is not None and package.settings.get(ADOPTED, []) != as_kept(report.advisories):
        return False
    held = (_shaped_before(package), package.settings.get(DEFAULT_BRANCH), package.settings.get(FORGE))
    return held == (_shaped_by(package), report.default_branch, None if facts is None else facts.noted)


def _shaped_before(package: Package) -> str | None:
    found = package.settings.get(RENDERED_WITH)
    return found if isinstance(found, str) else None
