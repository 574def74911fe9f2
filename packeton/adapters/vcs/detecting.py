"""Which kind of repository is at an address: by the address where that tells, else by asking."""

import re
from pathlib import Path
from urllib.parse import quote

import urllib3

from packeton.adapters.vcs.hg import hg_folder_of
from packeton.adapters.vcs.mirror import folder_of
from packeton.adapters.vcs.transport import http_pool, real_local_path
from packeton.adapters.vcs.values import Job
from packeton.errors import VcsFailed, VcsReason
from packeton.interfaces.vcs import VcsKind

__all__ = ["kind_of"]

GIT_HOSTS = re.compile(r"(?:^|\.)(?:github\.com|bitbucket\.org|codeberg\.org|(?:gitlab|gitea|git)\..*)$")
SVN_HINT = re.compile(r"(?:^|[./])svn(?:[./]|$)")
HG_HINT = re.compile(r"(?:^|[./])hg(?:[./]|$)")


def kind_of(job: Job) -> VcsKind:
    """
    Return the kind.

    Raises:
        VcsFailed: Nothing that we know is there, or nobody answers.
    """
    address = job.address
    if job.access.kind is not None:
        return job.access.kind
    if folder_of(job).exists():
        return VcsKind.GIT
    if hg_folder_of(job).exists():
        return VcsKind.HG
    if address.is_local:
        return _local(job)
    if address.scheme in {"svn", "svn+ssh"}:
        return VcsKind.SVN
    where = f"{address.host}/{address.path.strip('/')}".lower()
    if address.scheme == "git" or GIT_HOSTS.search(address.host.lower()) or where.endswith(".git"):
        return VcsKind.GIT
    if address.scheme == "ssh":
        return VcsKind.HG if HG_HINT.search(where) else VcsKind.GIT
    return _asked(job)


def _local(job: Job) -> VcsKind:
    path: Path = real_local_path(job)
    if (path / ".hg").is_dir():
        return VcsKind.HG
    if (path / "format").is_file() and (path / "db").is_dir():
        return VcsKind.SVN
    if (path / ".git").exists() or ((path / "objects").is_dir() and (path / "HEAD").is_file()):
        return VcsKind.GIT
    raise VcsFailed(f"{job.address.url}: there is no repository of a known kind", reason=VcsReason.NOT_A_REPOSITORY)


def _asked(job: Job) -> VcsKind:
    """Ask as each kind of client would; a server that wants a login first is most likely one of git."""
    address = job.address
    host = f"[{address.host}]" if ":" in address.host else address.host
    url = f"{address.scheme}://{host}{f':{address.port}' if address.port else ''}{quote(address.path.rstrip('/'))}"
    questions = (
        (VcsKind.GIT, "GET", f"{url}/info/refs?service=git-upload-pack", "content-type", "application/x-git"),
        (VcsKind.HG, "GET", f"{url}?cmd=capabilities", "content-type", "application/mercurial"),
        (VcsKind.SVN, "OPTIONS", f"{url}/", "dav", "subversion"),
    )
    statuses = set()
    headers = dict(job.access.login_fields)
    try:
        with http_pool(job.network) as pool:
            for kind, method, question, header, sign in questions:
                answer = pool.request(method, question, headers=headers, preload_content=False)
                value = ", ".join(answer.headers.getlist(header)).lower()
                answer.close()
                if sign in value:
                    return kind
                statuses.add(answer.status)
    except urllib3.exceptions.HTTPError as error:
        told = f"the server cannot be asked ({type(getattr(error, 'reason', None) or error).__name__})"
        raise VcsFailed(f"{address.url}: {told}", reason=VcsReason.UNREACHABLE) from error
    if statuses & {401, 403}:
        return VcsKind.SVN if SVN_HINT.search(f"{address.host}{address.path}".lower()) else VcsKind.GIT
    if statuses <= {404, 410}:
        raise VcsFailed(f"{address.url}: there is no repository at this address", reason=VcsReason.GONE)
    told = "what answers there is no repository of git, Mercurial or Subversion"
    raise VcsFailed(f"{address.url}: {told}", reason=VcsReason.NOT_A_REPOSITORY)
