"""
Our bare copy of a git repository.

It appears as a whole or not at all: a first fetch goes into a directory beside it, which is renamed when complete; a
later fetch adds a pack and then replaces `packed-refs` in one step. A child may therefore be killed at any moment;
what it leaves is removed by the next one. Nobody works in the copy, so it needs neither loose refs nor an index.

`logins` holds salted digests of the logins that the server let in: who comes with another one must ask the server
before anything is read, as two packages may have one address and not both of them the right to it.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from dulwich.client import GitClient
from dulwich.object_store import DiskObjectStore, ObjectStoreGraphWalker
from dulwich.objects import Commit, ObjectID, Tag
from dulwich.repo import Repo

from packeton.adapters.vcs.locks import exclusive
from packeton.adapters.vcs.packs import pack_sink, put_together, remove_leftovers
from packeton.adapters.vcs.ssh import new_host_keys, pinned
from packeton.adapters.vcs.transport import connected
from packeton.adapters.vcs.values import Job
from packeton.errors import VcsFailed, VcsReason

__all__ = ["HEADS", "TAGS", "Mirror", "fetch_commit", "folder_of", "opened", "updated"]

HEADS: Final = b"refs/heads/"
TAGS: Final = b"refs/tags/"
PREFIXES: Final = [b"HEAD", HEADS, TAGS]
MAX_HAVES = 256
MAX_PEELS = 10
MANY_PACKS = 40
MAX_PACKS = 400
"""So many without git's help: the copy is made anew."""
MAX_LOGINS = 100
Log = Callable[[str], None]


class Mirror:
    """A copy that is open for reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = DiskObjectStore(path / "objects")
        self.refs = _read_refs(path / "packed-refs")
        """Full names → what they point at, tags not yet followed."""
        self.head = (path / "HEAD").read_bytes().strip()

    @property
    def default_branch(self) -> bytes | None:
        """The full name of the default branch; None if it has no branch at all."""
        named = self.head.removeprefix(b"ref: ")
        if named in self.refs:
            return named
        for name in (b"refs/heads/main", b"refs/heads/master"):
            if name in self.refs:
                return name
        return min((name for name in self.refs if name.startswith(HEADS)), default=None)

    def commit(self, identity: bytes) -> Commit | None:
        """Return the commit that *identity* leads to; None where it leads to something else, or nowhere."""
        for _ in range(MAX_PEELS):
            try:
                found: Any = self.store[ObjectID(identity)]
            except KeyError:
                return None
            if isinstance(found, Commit):
                return found
            if not isinstance(found, Tag):
                return None
            identity = found.object[1]
        return None

    def followed(self) -> dict[str, tuple[str, int]]:
        """Return what `remember` kept: what refs point at → commit and time. Never stale, as objects never change."""
        try:
            lines = (line.split(" ") for line in (self.path / "followed").read_text().splitlines())
            return {tip: (commit, int(seconds)) for tip, commit, seconds in lines}
        except (OSError, ValueError):
            return {}

    def remember(self, followed: Mapping[str, tuple[str, int]]) -> None:
        """Keep what refs lead to, so that a crawl that finds nothing new reads no object."""
        lines = (f"{tip} {commit} {seconds}\n" for tip, (commit, seconds) in followed.items())
        _replace(self.path / "followed", "".join(lines).encode())

    def close(self) -> None:
        """Let go of its files."""
        self.store.close()


def folder_of(job: Job) -> Path:
    """Return where the copy of a repository is."""
    name = hashlib.sha256(job.address.key.encode()).hexdigest()[:40]
    return job.folder / "git" / name[:2] / name


@contextmanager
def opened(job: Job) -> Iterator[Mirror | None]:
    """Open the copy without asking the server; None without one, or where this login was never let in."""
    path = folder_of(job)
    if not _is_let_in(path, job):
        yield None
        return
    os.utime(path)  # the time of its last use
    with closing(Mirror(path)) as mirror:
        yield mirror


@contextmanager
def updated(job: Job, log: Log, *, anew: bool = False) -> Iterator[Mirror]:
    """
    Bring the copy up to date, and open it.

    Raises:
        VcsFailed: by `reason`; the copy is then as it was.
    """
    path, keys = folder_of(job), pinned(job.folder)
    with exclusive(path.with_suffix(".lock")):
        for leftover in path.parent.glob(f"{path.name}.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        packs = len(list(path.glob("objects/pack/*.pack")))
        if path.exists() and not anew and packs < MAX_PACKS:
            remove_leftovers(path)
            if packs >= MANY_PACKS:
                put_together(path)
            _fetch(job, path, log)
        else:
            _clone(job, path, log)
        _let_in(path, job)
        os.utime(path)
        mirror = Mirror(path)
    for key in new_host_keys(job.folder, keys):
        log(f"Pinned the ssh host key {key}")
    with closing(mirror):
        yield mirror


def fetch_commit(job: Job, mirror: Mirror, commit: bytes) -> bool:
    """Ask the server for one commit that no ref leads to; False if it does not give it."""
    with exclusive(mirror.path.with_suffix(".lock")), suppress(VcsFailed):
        _receive(job, mirror.path, lambda _: [commit], mirror.refs.values())
    return ObjectID(commit) in mirror.store


def _clone(job: Job, path: Path, log: Log) -> None:
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    old = path.with_name(f"{path.name}.new-{os.getpid()}-old")
    try:
        Repo.init_bare(str(fresh), mkdir=True).close()
        log(f"Cloning {job.address.url}")
        _fetch(job, fresh, log)
        if path.exists():
            path.rename(old)
        fresh.rename(path)
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _fetch(job: Job, path: Path, log: Log) -> None:
    """Fetch what is new, then let the refs be what they are upstream."""
    ours = _read_refs(path / "packed-refs")
    refs, head = _receive(job, path, lambda theirs: set(_branches_and_tags(theirs).values()), ours.values())
    theirs = _branches_and_tags(refs)
    if not theirs:
        raise VcsFailed(f"{job.address.url}: the repository has no commit yet", reason=VcsReason.EMPTY)
    if len(theirs) > job.bounds.max_refs:
        raise VcsFailed(
            f"{job.address.url}: the repository has {len(theirs)} tags and branches, more than {job.bounds.max_refs}",
            reason=VcsReason.TOO_LARGE,
        )
    if theirs != ours:
        gone = len(ours.keys() - theirs.keys())
        log(f"Fetched {len(theirs)} tags and branches" + (f"; {gone} have vanished" if gone else ""))
    if theirs != ours or not (path / "packed-refs").exists():
        lines = (b"%s %s\n" % (identity, name) for name, identity in sorted(theirs.items()))
        _replace(path / "packed-refs", b"# pack-refs with: sorted \n" + b"".join(lines))
    head = head or _guess(refs)
    if (path / "HEAD").read_bytes().strip() != b"ref: " + head:
        _replace(path / "HEAD", b"ref: %s\n" % head)


def _receive(
    job: Job, path: Path, choose: Callable[[Mapping[bytes, bytes]], Any], tips: Any
) -> tuple[Mapping[bytes, bytes], bytes | None]:
    """Fetch what *choose* wants and we lack; return all refs of the server, and what HEAD names."""
    wanted: list[bytes] = []
    with (
        closing(DiskObjectStore(path / "objects")) as store,
        connected(job) as (client, remote),
        pack_sink(path, store, job.bounds.max_pack_bytes) as sink,
    ):

        def wants(theirs: Mapping[bytes, bytes], depth: int | None = None) -> list[bytes]:  # noqa: ARG001
            if len(theirs) <= 2 * job.bounds.max_refs + 1:
                wanted.extend(sha for sha in sorted(choose(theirs)) if ObjectID(sha) not in store)
            return wanted

        haves = [ObjectID(tip) for tip in list(dict.fromkeys(tips))[:MAX_HAVES] if ObjectID(tip) in store]
        walker = ObjectStoreGraphWalker(haves, lambda _: [], shallow=set())
        result: Any = _fetch_pack(client, remote, wants, walker, sink.write)
        if result.object_format not in {None, "sha1"}:
            told = "repositories with SHA-256 object names are not supported, as Composer does not know them"
            raise VcsFailed(f"{job.address.url}: {told}")
        if wanted:
            sink.commit()
    with closing(DiskObjectStore(path / "objects")) as store:
        if not all(ObjectID(sha) in store for sha in wanted):
            raise VcsFailed(f"{job.address.url}: the server did not send all it offers", reason=VcsReason.DAMAGED)
    refs = {name: sha for name, sha in (result.refs or {}).items() if sha is not None}
    return refs, (result.symrefs or {}).get(b"HEAD")


def _fetch_pack(client: GitClient, remote: str, wants: Any, walker: Any, write: Any) -> Any:
    return client.fetch_pack(remote, wants, walker, write, ref_prefix=PREFIXES)


def _branches_and_tags(refs: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {
        name: sha
        for name, sha in refs.items()
        if name.startswith((HEADS, TAGS)) and not name.endswith(b"^{}") and b"\n" not in name
    }


def _guess(refs: Mapping[bytes, bytes]) -> bytes:
    """Return the branch that HEAD most likely is: old servers do not say."""
    head = refs.get(b"HEAD")
    same = sorted(name for name, sha in refs.items() if name.startswith(HEADS) and sha == head)
    preferred = [name for name in (b"refs/heads/main", b"refs/heads/master") if name in same]
    return (preferred + same + [b"refs/heads/main"])[0]


def _read_refs(file: Path) -> dict[bytes, bytes]:
    if not file.exists():
        return {}
    pairs = (line.split(b" ", 1) for line in file.read_bytes().split(b"\n") if line and line[:1] not in b"#^")
    return {name: sha for sha, name in pairs}


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    with fresh.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    fresh.replace(file)


def _digest(salt: str, job: Job) -> str:
    access = job.access
    parts: Sequence[str] = [
        secret.reveal() if secret is not None else "" for secret in (access.ssh_key, access.password, access.bearer)
    ]
    return hashlib.sha256("\0".join((salt, access.username or "", *parts)).encode()).hexdigest()


def _is_let_in(path: Path, job: Job) -> bool:
    try:
        salt, *digests = (path / "logins").read_text().splitlines()
    except (OSError, ValueError):
        return False
    return _digest(salt, job) in digests


def _let_in(path: Path, job: Job) -> None:
    if _is_let_in(path, job):
        return
    file = path / "logins"
    salt, *digests = file.read_text().splitlines() if file.exists() else [secrets.token_hex(16)]
    _replace(file, "\n".join([salt, *digests[-MAX_LOGINS:], _digest(salt, job)]).encode())
