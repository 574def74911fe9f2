"""The pieces of work that children do: module-level functions, one for each method of the port."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from packeton.adapters.children import Outlet
from packeton.adapters.vcs import archiving, crawling
from packeton.adapters.vcs.checkout import LINKED, Checkout
from packeton.adapters.vcs.detecting import kind_of
from packeton.adapters.vcs.git import GitCheckout
from packeton.adapters.vcs.hg import HgCheckout, hg_folder_of
from packeton.adapters.vcs.history import subjects
from packeton.adapters.vcs.locks import exclusive
from packeton.adapters.vcs.mirror import fetch_commit, folder_of, opened, updated
from packeton.adapters.vcs.svn import SvnCheckout
from packeton.adapters.vcs.values import Job
from packeton.core.composer.sources import dist_reference
from packeton.errors import Invalid, NotFound, VcsFailed, VcsReason
from packeton.interfaces.vcs import ArchiveOrder, BuiltArchive, Crawl, CrawlPlan, PlainManifest, RefKind, VcsKind

__all__ = ["archive", "changelog", "crawl", "default_manifest", "forget", "list_files", "tidy"]

MAX_SUBJECTS = 10_000


def crawl(outlet: Outlet, job: Job, plan: CrawlPlan) -> Crawl:
    """As ICheckouts.crawl. A copy that turns out to be damaged is made anew, once."""
    kind = kind_of(job)
    for anew in (False, True):
        try:
            with _fresh(job, kind, outlet, anew=anew) as checkout:
                return crawling.crawl(checkout, plan, job.bounds, outlet, job.address.url)
        except VcsFailed as error:
            if error.reason != VcsReason.DAMAGED or anew:
                raise
            outlet.tell(f"{error}; the copy is made anew")
    raise AssertionError("unreachable")


def default_manifest(outlet: Outlet, job: Job, directory: str) -> PlainManifest:
    """As ICheckouts.default_manifest."""
    kind = kind_of(job)
    with _fresh(job, kind, outlet) as checkout:
        branch, commit = _default(job, checkout)
        path = f"{directory}/composer.json".lstrip("/")
        content = checkout.read(commit, path)
        found = checkout.find(commit, directory) if content is None else None
        if found is not None and found.is_link:
            raise Invalid(LINKED)
        return PlainManifest(kind=kind, branch=branch, commit=commit, content=content)


def list_files(outlet: Outlet, job: Job) -> Sequence[str]:
    """As ICheckouts.list_files."""
    with _readable(job, outlet) as checkout:
        _, commit = _default(job, checkout)
        paths = []
        for entry in checkout.entries(commit, ""):
            if entry.mode:
                paths.append(entry.path.decode(errors="replace"))
            if len(paths) > job.bounds.max_files:
                raise VcsFailed(f"{job.address.url}: there are too many files", reason=VcsReason.TOO_LARGE)
        return sorted(paths)


def changelog(_outlet: Outlet, job: Job, from_: str, to: str) -> Sequence[str]:
    """As ICheckouts.changelog."""
    with opened(job) as mirror:
        if mirror is None:
            raise NotFound(f"{job.address.url}: there is no copy of this repository")
        checkout = GitCheckout(mirror, job.bounds)
        ends = [checkout.commit_of(reference) for reference in (from_, to)]
        for reference, commit in zip((from_, to), ends, strict=True):
            if commit is None:
                raise NotFound(f"{reference[:100]}: there is no such tag, branch or commit")
        return subjects(mirror, ends[0] or "", ends[1] or "", MAX_SUBJECTS)


def archive(outlet: Outlet, job: Job, order: ArchiveOrder, destination: Path) -> BuiltArchive:
    """As ICheckouts.archive."""
    kind = kind_of(job)
    if kind == VcsKind.GIT:
        return _git_archive(outlet, job, order, destination)
    with _readable(job, outlet) as checkout:
        commit, made = _committed(checkout, order.reference)
        return _built(outlet, job, checkout, commit, made, order, destination)


def forget(_outlet: Outlet, job: Job) -> None:
    """As ICheckouts.forget."""
    for path in (folder_of(job), hg_folder_of(job)):
        _remove(path)


def tidy(_outlet: Outlet, folder: Path, unused_for: timedelta) -> int:
    """As ICheckouts.tidy."""
    oldest = time.time() - unused_for.total_seconds()
    old = [path for path in folder.glob("*/??/*") if path.is_dir() and path.stat().st_mtime < oldest]
    for path in old:
        _remove(path.with_name(path.name.partition(".")[0]))
    return len(old)


def _remove(path: Path) -> None:
    """Remove a copy and what killed children left of it; nobody waits for the lock of one that is not used."""
    with exclusive(path.with_suffix(".lock")):
        gone = path.with_name(f"{path.name}.new-gone")
        if path.exists():
            path.rename(gone)
        for leftover in path.parent.glob(f"{path.name}.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        path.with_suffix(".lock").unlink(missing_ok=True)


@contextmanager
def _fresh(job: Job, kind: VcsKind, outlet: Outlet, *, anew: bool = False) -> Iterator[Checkout]:
    """Open a checkout that was just brought up to date."""
    if kind == VcsKind.GIT:
        with updated(job, outlet.tell, anew=anew) as mirror:
            checkout = GitCheckout(mirror, job.bounds)
            yield checkout
            checkout.close()
    elif kind == VcsKind.HG:
        with HgCheckout.updated(job, outlet.tell) as copy:
            yield copy
    else:
        with SvnCheckout.opened(job, outlet.tell) as repository:
            yield repository


@contextmanager
def _readable(job: Job, outlet: Outlet) -> Iterator[Checkout]:
    """Open a checkout, without asking the server where that can be."""
    with opened(job) as mirror:
        if mirror is not None:
            yield GitCheckout(mirror, job.bounds)
            return
    with _fresh(job, kind_of(job), outlet) as checkout:
        yield checkout


def _default(job: Job, checkout: Checkout) -> tuple[str, str]:
    tips = (tip for tip in checkout.tips() if tip.kind == RefKind.BRANCH and tip.name == checkout.default)
    followed = next((followed for tip in tips if (followed := checkout.follow(tip)) is not None), None)
    if followed is None:
        raise VcsFailed(f"{job.address.url}: the repository has no branch", reason=VcsReason.EMPTY)
    return checkout.default or "", followed[0]


def _git_archive(outlet: Outlet, job: Job, order: ArchiveOrder, destination: Path) -> BuiltArchive:
    """Use what we hold; else ask for what is new; else for this one commit."""
    with opened(job) as mirror:
        if mirror is not None:
            checkout = GitCheckout(mirror, job.bounds)
            commit = checkout.commit_of(order.reference)
            if commit is not None:
                return _built(outlet, job, checkout, commit, checkout.time_of(commit), order, destination)
    with updated(job, outlet.tell) as mirror:
        checkout = GitCheckout(mirror, job.bounds)
        commit = checkout.commit_of(order.reference)
        if commit is None and len(order.reference) == 40 and fetch_commit(job, mirror, order.reference.encode()):
            commit = checkout.commit_of(order.reference)
        if commit is None:
            told = f"{order.reference[:100]}: the repository does not give out this commit"
            raise NotFound(f"{job.address.url}: {told}")
        return _built(outlet, job, checkout, commit, checkout.time_of(commit), order, destination)


def _committed(checkout: Checkout, reference: str) -> tuple[str, datetime]:
    """Return the commit and time of a reference: a ref's commit, or the sha1 of one (Subversion's dists)."""
    for tip in checkout.tips():
        followed = checkout.follow(tip)
        if followed is not None and reference in {followed[0], dist_reference(followed[0])}:
            return followed
    raise NotFound(f"{reference[:100]}: there is no such commit")


def _built(
    outlet: Outlet,
    job: Job,
    checkout: Checkout,
    commit: str,
    made: datetime,
    order: ArchiveOrder,
    destination: Path,
) -> BuiltArchive:
    built = archiving.build(job, checkout, commit, made, order, destination)
    for warning in built.warnings:
        outlet.tell(warning)
    return built
