"""Calling the programs of Mercurial and Subversion: lists of arguments, an environment of our own, no shell."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from attrs import frozen

from packeton.adapters.vcs.values import Job
from packeton.errors import VcsFailed, VcsReason

__all__ = ["Outcome", "call", "found", "meaning"]

SIGNS: Sequence[tuple[str, VcsReason, str]] = (
    ("authorization failed", VcsReason.LOGIN, "the server wants a login, or did not accept ours"),
    ("authorization required", VcsReason.LOGIN, "the server wants a login, or did not accept ours"),
    ("authentication failed", VcsReason.LOGIN, "the server did not accept the login"),
    ("no more credentials", VcsReason.LOGIN, "the server did not accept the login"),
    ("e170001", VcsReason.LOGIN, "the server wants a login, or did not accept ours"),
    ("http error 403", VcsReason.LOGIN, "the server denies access"),
    ("http error 404", VcsReason.GONE, "there is no repository at this address"),
    ("e170000", VcsReason.GONE, "there is no repository at this address"),
    ("e180001", VcsReason.GONE, "there is no repository at this address"),
    ("e210005", VcsReason.GONE, "there is no such repository on the server"),
    ("e160013", VcsReason.GONE, "there is no such path in the repository"),
    ("e200009", VcsReason.GONE, "there is no such path in the repository"),
    ("e670002", VcsReason.UNREACHABLE, "the host name is not known"),
    ("name or service not known", VcsReason.UNREACHABLE, "the host name is not known"),
    ("certificate", VcsReason.UNREACHABLE, "the server's certificate is not accepted"),
    ("e170013", VcsReason.UNREACHABLE, "the server cannot be reached, or does not speak this protocol"),
    ("does not appear to be an hg repository", VcsReason.NOT_A_REPOSITORY, "there is no Mercurial repository"),
    ("repository", VcsReason.GONE, "there is no such repository"),
)  # fmt: skip


@frozen
class Outcome:
    """What a program did."""

    status: int
    output: bytes
    said: str


def found(job: Job, program: str) -> str:
    """Return the path of a program. Raises VcsFailed where it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise VcsFailed(f"{job.address.url}: {program} is not installed on this server")
    return path


def call(
    command: Sequence[str], environment: Mapping[str, str], *, text: str | None = None, cwd: str | None = None
) -> Outcome:
    """Run it to its end. How long it may take is up to whoever limits this process."""
    done = subprocess.run(  # noqa: S603 - the callers check what they put in
        command, input=(text or "").encode(), env=_environment(environment), cwd=cwd, capture_output=True, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def meaning(job: Job, said: str) -> VcsFailed:
    """Return what a program's complaint means."""
    lowered = said.lower()
    for sign, reason, told in SIGNS:
        if sign in lowered:
            return VcsFailed(f"{job.address.url}: {told}", reason=reason)
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no reason given")
    return VcsFailed(f"{job.address.url}: {last[:300]}", reason=VcsReason.OTHER)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": os.devnull, **extra}
