"""
ssh with a key of its own for each piece of work, and host keys pinned on first use.

The private key goes from memory into an ssh-agent that lives as long as the work; it is never written to a file. With
a key, the configuration of the operating system's user is not read: no other key can be offered in its stead.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from packeton.adapters.vcs.values import Job
from packeton.config.settings import Secret
from packeton.errors import VcsFailed, VcsReason

__all__ = ["SshLogin", "explain", "known_hosts_file", "login", "new_host_keys", "pinned"]

SECONDS = 20
KNOWN_HOSTS = "known_hosts"
SIGNS: Sequence[tuple[str, VcsReason, str]] = (
    ("remote host identification has changed", VcsReason.HOST_KEY,
     "the ssh server shows another host key than the pinned one: somebody may be in between; "  # noqa: ISC004
     "if the server's key was renewed, an administrator must forget the pinned one"),
    ("host key verification failed", VcsReason.HOST_KEY, "the host key of the ssh server is not known or not accepted"),
    ("repository not exported", VcsReason.GONE, "there is no such repository on the server, or it is not exported"),
    ("repository not found", VcsReason.GONE, "there is no such repository, or the key has no access to it"),
    ("project you were looking for could not be found", VcsReason.GONE,
     "there is no such project, or the key has no access to it"),
    ("does not appear to be a git repository", VcsReason.GONE, "there is no git repository at this path"),
    ("no such repository", VcsReason.GONE, "there is no such repository"),
    ("not a git repository", VcsReason.GONE, "there is no git repository at this path"),
    ("there is no mercurial repository here", VcsReason.GONE, "there is no Mercurial repository at this path"),
    ("permission denied (", VcsReason.LOGIN, "the ssh server did not accept the key; is it registered there?"),
    ("permission denied, please try again", VcsReason.LOGIN, "the ssh server wants a password, which is not supported"),
    ("access denied", VcsReason.LOGIN, "the server denies access with this key"),
    ("too many authentication failures", VcsReason.LOGIN, "the ssh server did not accept any key"),
    ("could not resolve hostname", VcsReason.UNREACHABLE, "the host name is not known"),
    ("connection refused", VcsReason.UNREACHABLE, "the server refuses connections"),
    ("timed out", VcsReason.UNREACHABLE, "the server does not answer"),
    ("no route to host", VcsReason.UNREACHABLE, "the server cannot be reached"),
    ("network is unreachable", VcsReason.UNREACHABLE, "the server cannot be reached"),
    ("connection closed", VcsReason.UNREACHABLE, "the server closed the connection"),
    ("connection reset", VcsReason.UNREACHABLE, "the server closed the connection"),
)  # fmt: skip


@frozen(kw_only=True)
class SshLogin:
    """How ssh is called: `command`, then options, then the host."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def known_hosts_file(folder: Path) -> Path:
    """Return where the host keys are pinned."""
    return folder / KNOWN_HOSTS


@contextmanager
def login(job: Job) -> Iterator[SshLogin]:
    """Return how to call ssh for this work; the key is gone afterwards."""
    if shutil.which("ssh") is None:
        raise VcsFailed(f"{job.address.url}: ssh is not installed on this server")
    job.folder.mkdir(parents=True, exist_ok=True)
    policy = "accept-new" if job.access.accept_new_host_key else "yes"
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": policy,
        "UserKnownHostsFile": _quoted(known_hosts_file(job.folder)),
        "HashKnownHosts": "no",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(int(job.network.connect_timeout.total_seconds())),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "ControlPath": "none",
        "PermitLocalCommand": "no",
    }
    if job.access.ssh_key is None:
        yield SshLogin(command=_command(options), environment={})
        return
    with tempfile.TemporaryDirectory(prefix="ssh-") as name, _agent(Path(name), job.access.ssh_key, job) as socket:
        public = Path(name) / "key.pub"
        options |= {"IdentitiesOnly": "yes", "IdentityAgent": _quoted(socket), "IdentityFile": _quoted(public)}
        options |= {"PreferredAuthentications": "publickey"}
        yield SshLogin(command=("ssh", "-F", "none", *_command(options)[1:]), environment={})


def _command(options: Mapping[str, str]) -> tuple[str, ...]:
    return ("ssh", "-x", "-T", *(part for name, value in options.items() for part in ("-o", f"{name}={value}")))


def _quoted(path: Path) -> str:
    """Return a path as a value in ssh's configuration. Source: ssh_config(5), quotes and TOKENS."""
    return '"' + str(path.absolute()).replace("%", "%%") + '"'


@contextmanager
def _agent(folder: Path, key: Secret, job: Job) -> Iterator[Path]:
    socket = folder / "agent"
    environment = {"PATH": os.environ.get("PATH", os.defpath), "SSH_AUTH_SOCK": str(socket)}
    with subprocess.Popen(  # noqa: S603 - fixed arguments
        ["ssh-agent", "-D", "-a", str(socket)],  # noqa: S607 - found on the PATH that we were given
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as agent:  # fmt: skip
        try:
            assert agent.stdout is not None
            agent.stdout.readline()  # it listens once it has told us where
            text = "\n".join(key.reveal().replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")) + "\n"
            added = _run(["ssh-add", "-q", "-"], environment, text)
            if added.returncode != 0:
                raise VcsFailed(f"{job.address.url}: {_unusable(added.stderr)}", reason=VcsReason.LOGIN)
            (folder / "key.pub").write_text(_run(["ssh-add", "-L"], environment).stdout)
            (folder / "key.pub").chmod(0o600)
            yield socket
        finally:
            agent.kill()


def _run(command: Sequence[str], environment: Mapping[str, str], text: str | None = None) -> Any:
    environment = {**environment, "SSH_ASKPASS_REQUIRE": "never"}
    return subprocess.run(  # noqa: S603 - fixed programs
        command, input=text or "", env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _unusable(stderr: str) -> str:
    if "passphrase" in stderr.lower():
        return "the ssh key has a passphrase; a key without one is needed"
    return "the ssh key cannot be read; a private key in PEM or OpenSSH format is needed"


def explain(job: Job, stderr: str) -> VcsFailed:
    """Return what a failure of a remote program means, by what it wrote."""
    lowered = stderr.lower()
    for sign, reason, meaning in SIGNS:
        if sign in lowered:
            return VcsFailed(f"{job.address.url}: {meaning}", reason=reason)
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = next((line for line in lines if "fatal" in line.lower() or "error" in line.lower()), (lines or [""])[-1])
    told = f"the server closed the connection and said: {said[:300]}" if said else "the server closed the connection"
    return VcsFailed(f"{job.address.url}: {told}", reason=VcsReason.UNREACHABLE)


def pinned(folder: Path) -> list[str]:
    """Return the pinned keys as `host type SHA256:…`."""
    file = known_hosts_file(folder)
    if not file.exists():
        return []
    return [line for entry in file.read_text().splitlines() if (line := _fingerprint(entry))]


def new_host_keys(folder: Path, before: Sequence[str]) -> list[str]:
    """Return those pinned keys that were not there *before*."""
    return [line for line in pinned(folder) if line not in before]


def _fingerprint(entry: str) -> str | None:
    fields = entry.split()
    if len(fields) < 3 or entry.startswith("#"):
        return None
    try:
        digest = hashlib.sha256(base64.b64decode(fields[2], validate=True)).digest()
    except ValueError:
        return None
    return f"{fields[0]} {fields[1]} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
