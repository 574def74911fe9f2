"""
Mercurial through its program: a bare copy, read through one command server.

Source: https://wiki.mercurial-scm.org/CommandServer for the protocol; Composer's HgDriver for what counts as a branch.
"""

import os
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from packeton.adapters.vcs import ssh
from packeton.adapters.vcs.checkout import LINK, PLAIN, PROGRAM, Checkout, Entry, Found, Tip
from packeton.adapters.vcs.locks import exclusive
from packeton.adapters.vcs.programs import call, found, meaning
from packeton.adapters.vcs.transport import real_local_path
from packeton.adapters.vcs.values import Job
from packeton.errors import NotFound, VcsFailed, VcsReason
from packeton.interfaces.vcs import RefKind, VcsKind

__all__ = ["HgCheckout", "hg_folder_of"]

HEAD = struct.Struct(">cI")
LENGTH = struct.Struct(">I")
NODE = "0123456789abcdef"
MODES = {"x": PROGRAM, "l": LINK}


def hg_folder_of(job: Job) -> Path:
    """Return where the copy of a repository is; another one for each login, as reading asks nobody."""
    access = job.access
    secrets = (access.ssh_key, access.password, access.bearer)
    parts = [job.address.key, access.username or "", *("" if secret is None else secret.reveal() for secret in secrets)]
    name = sha256("\0".join(parts).encode()).hexdigest()[:40]
    return job.folder / "hg" / name[:2] / name


class HgCheckout(Checkout):
    """A `Checkout` of Mercurial."""

    kind = VcsKind.HG

    def __init__(self, server: "_Server") -> None:
        self._server = server
        self._followed: dict[str, datetime] = {}
        branches = [tip.name for tip in self._branches()]
        self.default = "default" if "default" in branches else next(iter(branches), None)

    @classmethod
    @contextmanager
    def updated(cls, job: Job, log: Callable[[str], None]) -> Iterator["HgCheckout"]:
        """Bring the copy up to date and open it. Raises VcsFailed."""
        program, path, keys = found(job, "hg"), hg_folder_of(job), ssh.pinned(job.folder)
        with _configured(job) as environment:
            with exclusive(path.with_suffix(".lock")):
                for leftover in path.parent.glob(f"{path.name}.new-*"):
                    shutil.rmtree(leftover, ignore_errors=True)
                _pull(job, program, path, environment, log)
                os.utime(path)
            for key in ssh.new_host_keys(job.folder, keys):
                log(f"Pinned the ssh host key {key}")
        with _Server(program, path) as server:
            checkout = cls(server)
            if checkout.default is None:
                raise VcsFailed(f"{job.address.url}: the repository has no commit yet", reason=VcsReason.EMPTY)
            yield checkout

    def tips(self) -> Sequence[Tip]:
        """Tags without `tip`; open branches."""
        tags = (line.split(" ", 1) for line in self._lines("tags", "-T", "{node} {tag}\\0"))
        named = [Tip(RefKind.TAG, name, node) for node, name in tags if name != "tip"]
        return [*sorted(named, key=lambda tip: tip.name), *self._branches()]

    def follow(self, tip: Tip) -> tuple[str, datetime] | None:
        """Nodes are commits already."""
        return tip.identity, self._time(tip.identity)

    def find(self, commit: str, directory: str) -> Found | None:
        """The content is asked for, to know if it is there."""
        path = f"{directory}/composer.json".lstrip("/")
        return None if self.read(commit, path) is None else Found(None, f"{commit} {path}")

    def read(self, commit: str, path: str) -> bytes | None:
        """Read a file; a link is none."""
        return self._server.run("cat", "-r", commit, "--", f"path:{path}")

    def content(self, identity: str) -> bytes:
        """Read a file that was found."""
        commit, _, path = identity.partition(" ")
        found_content = self.read(commit, path)
        if found_content is None:
            raise VcsFailed("our copy of the repository lacks a file", reason=VcsReason.DAMAGED)
        return found_content

    def listing(self, commit: str, directory: str) -> Sequence[str]:
        """All files below the directory are looked at."""
        below = len(f"{directory}/") if directory else 0
        names = (entry.path.decode(errors="replace")[below:] for entry in self._files(commit, directory))
        return [name for name in names if "/" not in name]

    def entries(self, commit: str, directory: str) -> Iterator[Entry]:
        """Sorted by path."""
        entries = sorted(self._files(commit, directory), key=lambda entry: entry.path)
        if not entries:
            raise NotFound(f"{commit[:12]}: there is no such commit, or no directory {directory or '/'} in it")
        yield from entries

    def _files(self, commit: str, directory: str) -> Iterator[Entry]:
        if not set(commit) <= set(NODE):
            return
        chosen = ["--", f"path:{directory}"] if directory else []
        for line in self._lines("files", "-r", commit, "-T", "{flags}\\t{path}\\0", *chosen):
            flags, _, path = line.partition("\t")
            raw = path.encode(errors="surrogateescape")
            yield Entry(raw, MODES.get(flags, PLAIN), f"{commit} {path}")

    def _branches(self) -> list[Tip]:
        branches = (line.split(" ", 1) for line in self._lines("branches", "-T", "{node} {branch}\\0"))
        return sorted((Tip(RefKind.BRANCH, name, node) for node, name in branches), key=lambda tip: tip.name)

    def _time(self, node: str) -> datetime:
        if node not in self._followed:
            seconds = (self._server.run("log", "-r", node, "-T", "{date}") or b"0").decode().partition(".")[0]
            self._followed[node] = datetime.fromtimestamp(int(seconds), UTC)
        return self._followed[node]

    def _lines(self, *command: str) -> list[str]:
        output = self._server.run(*command) or b""
        return [line.decode(errors="surrogateescape") for line in output.split(b"\0") if line]


def _pull(job: Job, program: str, path: Path, environment: dict[str, str], log: Callable[[str], None]) -> None:
    url = str(real_local_path(job)) if job.address.is_local else job.address.url
    if path.exists():
        call([program, "--noninteractive", "recover"], environment, cwd=str(path))  # of a pull that was killed
        outcome = call([program, "--noninteractive", "pull", "--quiet", "--", url], environment, cwd=str(path))
        if outcome.status == 0:
            return
    else:
        log(f"Cloning {job.address.url}")
        fresh = path.with_name(f"{path.name}.new-clone")
        options = ["--noninteractive", "clone", "--quiet", "--noupdate", "--pull"]
        outcome = call([program, *options, "--", url, str(fresh)], environment)
        if outcome.status == 0:
            fresh.rename(path)
            return
        shutil.rmtree(fresh, ignore_errors=True)
    raise ssh.explain(job, outcome.said) if job.address.scheme == "ssh" else meaning(job, outcome.said)


@contextmanager
def _configured(job: Job) -> Iterator[dict[str, str]]:
    """Return an environment with a configuration of our own; the login is in a file that only we can read."""
    access, network = job.access, job.network
    sections: dict[str, dict[str, str]] = {"ui": {"interactive": "False"}, "extensions": {}}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hg-")))
        if job.address.scheme == "ssh":
            login = stack.enter_context(ssh.login(job))
            sections["ui"]["ssh"] = shlex.join(login.command)
        if access.password is not None:
            parts = urlsplit(job.address.url)
            sections["auth"] = {
                "ours.prefix": f"{parts.scheme}://{parts.netloc}",
                "ours.username": access.username or "",
                "ours.password": access.password.reveal(),
            }
        if network.ca_file is not None:
            sections["web"] = {"cacerts": str(network.ca_file)}
        if network.proxy is not None:
            sections["http_proxy"] = {"host": urlsplit(network.proxy).netloc}
        lines = []
        for section, values in sections.items():
            if any("\n" in value or "\r" in value for value in values.values()):
                raise VcsFailed(f"{job.address.url}: the login has a line end in it", reason=VcsReason.LOGIN)
            lines += [f"[{section}]", *(f"{name} = {value}" for name, value in values.items())]
        (folder / "hgrc").write_text("\n".join(lines) + "\n")
        yield {"HGPLAIN": "1", "HGRCPATH": str(folder / "hgrc"), "HGENCODING": "utf-8"}


class _Server:
    """`hg serve --cmdserver pipe`: many commands in one process."""

    def __init__(self, program: str, path: Path) -> None:
        environment = {"HGPLAIN": "1", "HGRCPATH": "", "HGENCODING": "utf-8", "PATH": "/usr/bin:/bin", "HOME": "/"}
        self._process = subprocess.Popen(  # noqa: S603 - fixed arguments
            [program, "serve", "--cmdserver", "pipe", "--noninteractive"],
            env=environment, cwd=path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._frame()  # its greeting
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, *arguments: str) -> bytes | None:
        """Return what a command printed; None if it failed."""
        assert self._process.stdin is not None
        body = b"\0".join(argument.encode(errors="surrogateescape") for argument in arguments)
        self._process.stdin.write(b"runcommand\n" + LENGTH.pack(len(body)) + body)
        self._process.stdin.flush()
        output = bytearray()
        while True:
            channel, data = self._frame()
            if channel == b"o":
                output += data
            elif channel == b"r":
                return bytes(output) if struct.unpack(">i", data)[0] == 0 else None
            elif channel in {b"I", b"L"}:
                self._process.stdin.write(LENGTH.pack(0))
                self._process.stdin.flush()

    def _frame(self) -> tuple[bytes, bytes]:
        assert self._process.stdout is not None
        head = self._process.stdout.read(HEAD.size)
        if len(head) < HEAD.size:
            raise VcsFailed("our copy of the repository cannot be read by hg", reason=VcsReason.DAMAGED)
        channel, length = HEAD.unpack(head)
        return channel, b"" if channel in {b"I", b"L"} else self._process.stdout.read(length)
