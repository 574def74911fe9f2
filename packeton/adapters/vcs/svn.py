"""
Subversion through its program. There is no copy: every reading asks the server.

Source: Composer's SvnDriver: `trunk`, `branches/*` and `tags/*`; a reference is `/path/@revision`. Without a trunk, the
root is the trunk.
"""

import os
import shlex
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree import ElementTree as ET

from packeton.adapters.vcs import ssh
from packeton.adapters.vcs.checkout import LINK, PLAIN, PROGRAM, Checkout, Entry, Found, Tip
from packeton.adapters.vcs.programs import Outcome, call, found, meaning
from packeton.adapters.vcs.transport import real_local_path
from packeton.adapters.vcs.values import Job
from packeton.errors import NotFound, VcsFailed, VcsReason
from packeton.interfaces.vcs import RefKind, VcsKind

__all__ = ["SvnCheckout"]

MAX_XML_BYTES = 64 * 2**20
ITS_OWN = ("E170000", "E210005", "E160013", "E200009")
"""What the server itself says of a repository or path that is not there, in place of ssh."""
ABSENT = ("E160013", "E200009", "E170000", "W160013", "W170000")


class SvnCheckout(Checkout):
    """A `Checkout` of Subversion."""

    kind = VcsKind.SVN

    def __init__(self, job: Job, program: str, folder: Path, environment: dict[str, str]) -> None:
        self._job = job
        self._program = program
        self._folder = folder
        self._environment = environment
        self._base = _base(job)
        self._tips = self._look()
        branches = [tip.name for tip in self._tips if tip.kind == RefKind.BRANCH]
        self.default = "trunk" if "trunk" in branches else next(iter(branches), None)
        self._files: dict[str, Path] = {}

    @classmethod
    @contextmanager
    def opened(cls, job: Job, log: Callable[[str], None]) -> Iterator["SvnCheckout"]:
        """Ask for the tags and branches. Raises VcsFailed."""
        keys = ssh.pinned(job.folder)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="svn-")))
            environment = {}
            if job.address.scheme == "svn+ssh":
                command = stack.enter_context(ssh.login(job)).command
                port = () if job.address.port is None else ("-p", str(job.address.port))
                environment["SVN_SSH"] = shlex.join((*command, *port))
            _configure(job, folder)
            checkout = cls(job, found(job, "svn"), folder, environment)
            for key in ssh.new_host_keys(job.folder, keys):
                log(f"Pinned the ssh host key {key}")
            yield checkout

    def tips(self) -> Sequence[Tip]:
        """Tags, then branches."""
        return self._tips

    def follow(self, tip: Tip) -> tuple[str, datetime] | None:
        """The listing had the time already."""
        reference, _, seconds = tip.identity.rpartition(" ")
        return reference, datetime.fromtimestamp(float(seconds), UTC)

    def find(self, commit: str, directory: str) -> Found | None:
        """The content is asked for, to know if it is there."""
        path = f"{directory}/composer.json".lstrip("/")
        return None if self.read(commit, path) is None else Found(None, f"{commit} {path}")

    def read(self, commit: str, path: str) -> bytes | None:
        """Read a file."""
        outcome = self._call("cat", "--", self._url(commit, path))
        if outcome.status == 0:
            return outcome.output
        if any(code in outcome.said for code in ABSENT):
            return None
        raise self._meaning(outcome)

    def content(self, identity: str) -> bytes:
        """Read a file that was found, or one of an export."""
        if identity in self._files:
            file = self._files[identity]
            return os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
        commit, _, path = identity.partition(" ")
        content = self.read(commit, path)
        if content is None:
            raise VcsFailed("a file in the repository went away", reason=VcsReason.OTHER)
        return content

    def listing(self, commit: str, directory: str) -> Sequence[str]:
        """Ask for one directory."""
        return [name for name, kind, *_ in self._list(self._url(commit, directory)) or () if kind == "file"]

    def entries(self, commit: str, directory: str) -> Iterator[Entry]:
        """Export the directory and walk through it."""
        target = Path(tempfile.mkdtemp(dir=self._folder)) / "export"
        options = ["--quiet", "--ignore-externals", "--native-eol", "LF"]
        outcome = self._call("export", *options, "--", self._url(commit, directory), f"{target}@")
        if outcome.status != 0 or not target.is_dir():
            if any(code in outcome.said for code in ABSENT):
                raise NotFound(f"{commit}: there is no such revision, or no directory {directory or '/'} in it")
            raise self._meaning(outcome)
        prefix = f"{directory}/".encode() if directory else b""
        entries = []
        for folder, _, names in os.walk(os.fsencode(target)):
            entries += [self._entry(Path(os.fsdecode(folder)), os.fsdecode(name), target, prefix) for name in names]
        yield from sorted(entries, key=lambda entry: entry.path)

    def _entry(self, folder: Path, name: str, target: Path, prefix: bytes) -> Entry:
        file = folder / name
        mode = file.lstat().st_mode
        path = prefix + os.fsencode(file.relative_to(target))
        identity = os.fsdecode(path)
        self._files[identity] = file
        if stat.S_ISLNK(mode):
            return Entry(path, LINK, identity)
        return Entry(path, PROGRAM if mode & 0o100 else PLAIN, identity)

    def _look(self) -> list[Tip]:
        root = self._list(self._base)
        if root is None:
            raise VcsFailed(f"{self._job.address.url}: there is no such repository", reason=VcsReason.GONE)
        names = {name: (revision, time) for name, kind, revision, time in root if kind == "dir"}
        tips = []
        for directory, kind in (("tags", RefKind.TAG), ("branches", RefKind.BRANCH)):
            listed = (self._list(f"{self._base}/{directory}") or []) if directory in names else []
            for name, what, revision, time in listed:
                if what == "dir":
                    tips.append(_tip(kind, name, f"/{directory}/{name}/", revision, time))
        if "trunk" in names:
            tips.append(_tip(RefKind.BRANCH, "trunk", "/trunk/", *names["trunk"]))
        elif any(kind == "file" for _, kind, *_ in root):
            newest = max(root, key=lambda entry: int(entry[2]))
            tips.append(_tip(RefKind.BRANCH, "trunk", "/", newest[2], newest[3]))
        if not tips:
            raise VcsFailed(f"{self._job.address.url}: the repository has no commit yet", reason=VcsReason.EMPTY)
        return sorted(tips, key=lambda tip: (tip.kind == RefKind.BRANCH, tip.name))

    def _list(self, url: str) -> list[tuple[str, str, str, float]] | None:
        """Return name, kind, revision and time of a directory's entries; None where it is not there."""
        outcome = self._call("list", "--xml", "--", url if "@" in url.rpartition("/")[2] else f"{url}@")
        if outcome.status != 0:
            if any(code in outcome.said for code in ABSENT[:2]):
                return None
            raise self._meaning(outcome)
        if len(outcome.output) > MAX_XML_BYTES or b"<!DOCTYPE" in outcome.output:
            raise VcsFailed(f"{self._job.address.url}: the listing is too large", reason=VcsReason.TOO_LARGE)
        entries = []
        for entry in ET.fromstring(outcome.output).iter("entry"):  # noqa: S314 - no doctype, of our own svn
            commit = entry.find("commit")
            date = None if commit is None else commit.findtext("date")
            if commit is not None and date:
                name, kind = entry.findtext("name") or "", entry.get("kind") or ""
                entries.append((name, kind, commit.get("revision", "0"), datetime.fromisoformat(date).timestamp()))
        return entries

    def _url(self, commit: str, path: str) -> str:
        """Return the address of a file at a reference; the revision at its end also protects an `@` in the path."""
        where, _, revision = commit.rpartition("@")
        if not revision.isdecimal() or not where.startswith("/") or ".." in f"{where}/{path}".split("/"):
            raise NotFound(f"{commit[:100]}: there is no such revision")
        return f"{self._base}{quote(where.rstrip('/'))}/{quote(path)}".rstrip("/") + f"@{revision}"

    def _call(self, command: str, *arguments: str) -> Outcome:
        access = self._job.access
        options = ["--non-interactive", "--no-auth-cache", "--config-dir", str(self._folder)]
        if access.username:
            options += [f"--username={access.username}"]
        if access.password is not None:
            options += ["--password-from-stdin"]
        text = None if access.password is None else access.password.reveal()
        return call([self._program, command, *options, *arguments], self._environment, text=text)

    def _meaning(self, outcome: Outcome) -> VcsFailed:
        if self._job.address.scheme == "svn+ssh" and not any(code in outcome.said for code in ITS_OWN):
            return ssh.explain(self._job, outcome.said)
        return meaning(self._job, outcome.said)


def _base(job: Job) -> str:
    """Return the address for svn; it would take the port in one of svn+ssh for a part of the host's name."""
    address = job.address
    if address.is_local:
        return real_local_path(job).as_uri()
    if address.scheme != "svn+ssh" or address.port is None:
        return address.url.rstrip("/")
    parts = urlsplit(address.url)
    return urlunsplit(parts._replace(netloc=parts.netloc.removesuffix(f":{address.port}"))).rstrip("/")


def _tip(kind: RefKind, name: str, path: str, revision: str, time: float) -> Tip:
    return Tip(kind, name, f"{path}@{revision} {time}")


def _configure(job: Job, folder: Path) -> None:
    """Write Subversion's configuration of servers."""
    lines = ["[global]", "store-plaintext-passwords = no"]
    if job.network.ca_file is not None:
        lines.append(f"ssl-authority-files = {job.network.ca_file}")
    if job.network.proxy is not None:
        parts = urlsplit(job.network.proxy)
        lines += [f"http-proxy-host = {parts.hostname}", f"http-proxy-port = {parts.port or 80}"]
    lines.append(f"http-timeout = {int(job.network.idle_timeout.total_seconds())}")
    (folder / "servers").write_text("\n".join(lines) + "\n")
