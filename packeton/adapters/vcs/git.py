"""An open git checkout: refs, trees and files out of our bare copy, by dulwich."""

import os
import stat
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from dulwich.objects import ObjectID, hex_to_sha, parse_tree

from packeton.adapters.vcs.checkout import LINK, PLAIN, PROGRAM, Checkout, Entry, Found, Tip
from packeton.adapters.vcs.mirror import HEADS, TAGS, Mirror
from packeton.adapters.vcs.values import VcsBounds
from packeton.errors import NotFound, VcsFailed, VcsReason
from packeton.interfaces.vcs import RefKind, VcsKind

__all__ = ["GitCheckout"]

MAX_CACHED_ENTRIES = 300_000
MAX_DEPTH = 200
TREE, BLOB = 2, 3
TreeEntries = Mapping[bytes, tuple[int, bytes]]
MANIFEST = b"composer.json"


class GitCheckout(Checkout):
    """A `Checkout` of git."""

    kind = VcsKind.GIT

    def __init__(self, mirror: Mirror, bounds: VcsBounds) -> None:
        self._mirror = mirror
        self._bounds = bounds
        self._store = mirror.store
        self._trees: OrderedDict[bytes, TreeEntries] = OrderedDict()
        self._cached_entries = 0
        self._roots: dict[str, bytes] = {}
        self._remembered = mirror.followed()
        self._followed: dict[str, tuple[str, int]] = {}
        branch = mirror.default_branch
        self.default = None if branch is None else branch.removeprefix(HEADS).decode(errors="replace")

    def tips(self) -> Sequence[Tip]:
        """Tags, then branches. Source: Composer's GitDriver, which reads them in git's order."""
        refs = self._mirror.refs
        return [
            _tip(kind, name.removeprefix(prefix), refs[name])
            for kind, prefix in ((RefKind.TAG, TAGS), (RefKind.BRANCH, HEADS))
            for name in sorted(name for name in refs if name.startswith(prefix))
        ]

    def follow(self, tip: Tip) -> tuple[str, datetime] | None:
        """Follow tags, also tags of tags. The time is the author's, as Composer has it."""
        found = self._remembered.get(tip.identity)
        if found is None:
            commit = self._mirror.commit(tip.identity.encode())
            if commit is None:
                self._raw(tip.identity.encode())  # a tag of a tree is there, and no damage
                return None
            found = commit.id.decode(), int(_time(commit).timestamp())
            self._remember(found[0], commit.tree)
        self._followed[tip.identity] = found
        return found[0], datetime.fromtimestamp(found[1], UTC)

    def close(self) -> None:
        """Keep what was found out about the refs, once all of them were followed."""
        if self._followed.keys() - self._remembered.keys():
            tips = {identity.decode() for identity in self._mirror.refs.values()}
            kept = {tip: found for tip, found in self._remembered.items() if tip in tips}
            self._mirror.remember({**kept, **self._followed})

    def find(self, commit: str, directory: str) -> Found | None:
        """Look into the tree."""
        tree = self._tree_of(commit, directory)
        if tree is None:
            return None
        mode, identity = self._entries(tree).get(MANIFEST, (0, b""))
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            return None
        return Found(tree.decode(), identity.decode(), stat.S_ISLNK(mode))

    def read(self, commit: str, path: str) -> bytes | None:
        """Read a file; links are not followed."""
        directory, _, name = path.rpartition("/")
        tree = self._tree_of(commit, directory)
        mode, identity = (0, b"") if tree is None else self._entries(tree).get(name.encode(), (0, b""))
        return self._blob(identity) if stat.S_ISREG(mode) else None

    def content(self, identity: str) -> bytes:
        """Read a blob."""
        return self._blob(identity.encode())

    def listing(self, commit: str, directory: str) -> Sequence[str]:
        """Names that are no text are left out."""
        tree = self._tree_of(commit, directory)
        entries = {} if tree is None else self._entries(tree)
        return [name.decode() for name, (mode, _) in entries.items() if stat.S_ISREG(mode) and _is_text(name)]

    def entries(self, commit: str, directory: str) -> Iterator[Entry]:
        """In the order of git's own trees, which is that of whole paths."""
        tree = self._tree_of(commit, directory)
        if tree is None:
            raise NotFound(f"{commit[:12]}: there is no such commit, or no directory {directory or '/'} in it")
        yield from self._walk(tree, f"{directory}/".encode() if directory else b"", 0)

    def commit_of(self, reference: str) -> str | None:
        """Return the commit that a full object name, a tag or a branch leads to; None without one."""
        refs = self._mirror.refs
        candidates = [refs.get(prefix + reference.encode()) for prefix in (TAGS, HEADS)]
        if len(reference) == 40 and all(char in "0123456789abcdef" for char in reference):
            candidates.insert(0, reference.encode())
        commits = (self._mirror.commit(candidate) for candidate in candidates if candidate is not None)
        found = next((commit for commit in commits if commit is not None), None)
        if found is None:
            return None
        self._remember(found.id.decode(), found.tree)
        return found.id.decode()

    def time_of(self, commit: str) -> datetime:
        """Return when a commit was made."""
        found = self._mirror.commit(commit.encode())
        if found is None:
            raise NotFound(f"{commit[:12]}: there is no such commit")
        return _time(found)

    def _remember(self, commit: str, tree: bytes) -> None:
        if len(self._roots) > 10_000:
            self._roots.clear()
        self._roots[commit] = tree

    def _tree_of(self, commit: str, directory: str) -> bytes | None:
        root = self._roots.get(commit)
        if root is None:
            found = self._mirror.commit(commit.encode())
            if found is None:
                return None
            root = found.tree
            self._remember(commit, root)
        tree: bytes | None = root
        for part in directory.split("/") if directory else ():
            if tree is None:
                return None
            mode, identity = self._entries(tree).get(part.encode(), (0, b""))
            tree = identity if stat.S_ISDIR(mode) else None
        return tree

    def _entries(self, tree: bytes) -> TreeEntries:
        """Return a tree's entries; neighbouring tags share most of their trees, so they are kept."""
        cached = self._trees.get(tree)
        if cached is not None:
            self._trees.move_to_end(tree)
            return cached
        number, data = self._raw(tree)
        if number != TREE:
            raise VcsFailed("a directory in the repository is none", reason=VcsReason.DAMAGED)
        entries = {bytes(name): (mode, bytes(sha)) for name, mode, sha in parse_tree(data, 20)}
        self._trees[tree] = entries
        self._cached_entries += len(entries)
        while self._cached_entries > MAX_CACHED_ENTRIES and len(self._trees) > 1:
            self._cached_entries -= len(self._trees.popitem(last=False)[1])
        return entries

    def _walk(self, tree: bytes, prefix: bytes, depth: int) -> Iterator[Entry]:
        if depth > MAX_DEPTH:
            raise VcsFailed("the directories in the repository are nested too deeply", reason=VcsReason.TOO_LARGE)
        entries = self._entries(tree)
        ordered = sorted((name + b"/" * stat.S_ISDIR(mode), name, mode, sha) for name, (mode, sha) in entries.items())
        for _, name, mode, identity in ordered:
            if stat.S_ISDIR(mode):
                yield from self._walk(identity, prefix + name + b"/", depth + 1)
            elif stat.S_ISLNK(mode):
                yield Entry(prefix + name, LINK, identity.decode())
            elif stat.S_ISREG(mode):
                yield Entry(prefix + name, PROGRAM if mode & 0o100 else PLAIN, identity.decode())
            else:
                yield Entry(prefix + name, 0, identity.decode())

    def _blob(self, identity: bytes) -> bytes:
        if self._packed_size(identity) > self._bounds.max_blob_bytes:
            told = f"the file is larger than {self._bounds.max_blob_bytes} bytes; keep such files in git LFS"
            raise VcsFailed(told, reason=VcsReason.TOO_LARGE)
        number, data = self._raw(identity)
        if number != BLOB:
            raise VcsFailed("a file in the repository is none", reason=VcsReason.DAMAGED)
        return data

    def _packed_size(self, identity: bytes) -> int:
        """Return the size of an object as its head tells it, before anything is inflated; of a delta, its own."""
        for pack in self._store.packs:
            try:
                offset = pack.index.object_offset(hex_to_sha(ObjectID(identity)))
            except KeyError:
                continue
            file = os.open(pack.data.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                head = os.pread(file, 10, offset)
            finally:
                os.close(file)
            size, shift = head[0] & 0x0F, 4  # Source: gitformat-pack(5): three bits of the first byte are the type
            for before, byte in pairwise(head):
                if not before & 0x80:
                    break
                size, shift = size | (byte & 0x7F) << shift, shift + 7
            return size
        return 0

    def _raw(self, identity: bytes) -> tuple[int, bytes]:
        try:
            return self._store.get_raw(ObjectID(identity))
        except KeyError:
            told = f"our copy of the repository lacks the object {identity.decode()[:12]}"
            raise VcsFailed(told, reason=VcsReason.DAMAGED) from None


def _tip(kind: RefKind, name: bytes, identity: bytes) -> Tip:
    return Tip(kind, name.decode(errors="replace"), identity.decode(), _is_text(name))


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _time(commit: Any) -> datetime:
    try:
        return datetime.fromtimestamp(commit.author_time, UTC)
    except (AttributeError, OverflowError, ValueError, OSError, TypeError):
        return datetime.fromtimestamp(0, UTC)
