"""The way to a git server: dulwich's client for an address, and what its failures mean."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import urllib3
from dulwich.client import (
    GitClient,
    HTTPProxyUnauthorized,
    HTTPUnauthorized,
    LocalGitClient,
    SSHGitClient,
    SSHVendor,
    SubprocessGitClient,
    SubprocessWrapper,
    TCPGitClient,
    Urllib3HttpGitClient,
)
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.protocol import Protocol

from packeton.adapters.vcs.ssh import SshLogin, explain, login
from packeton.adapters.vcs.values import Job, Network
from packeton.core.composer.addresses import VcsAddress, is_below
from packeton.errors import Invalid, PacketonError, VcsFailed, VcsReason

__all__ = ["connected", "http_pool", "real_local_path"]

MAX_ERROR_CHARACTERS = 300


@contextmanager
def connected(job: Job) -> Iterator[tuple[GitClient, str]]:
    """
    Return a client and the path to give it. Inside, failures of the way become VcsFailed.

    Raises:
        VcsFailed: by `reason`.
    """
    address = job.address
    try:
        if address.scheme in {"http", "https"}:
            with _http(job) as client:
                yield client, ""
        elif address.scheme == "ssh":
            with login(job) as ssh:
                yield _ssh(address, ssh), address.path
        elif address.scheme == "git":
            yield TCPGitClient(address.host, port=address.port), address.path
        elif address.scheme == "file":
            path = str(real_local_path(job))
            git = shutil.which("git")
            yield LocalGitClient() if git is None else _Local(git), path
        else:
            told = f"git is not spoken over {address.scheme}://"
            raise VcsFailed(f"{address.url}: {told}", reason=VcsReason.NOT_A_REPOSITORY)
    except PacketonError:
        raise
    except Exception as error:
        failure = _meaning(job, error)
        if failure is None:
            raise
        raise failure from error


def real_local_path(job: Job) -> Path:
    """
    Return where a local address leads, links followed.

    Raises:
        Invalid: out of the allowed directories.
        VcsFailed: nowhere.
    """
    path = Path(job.address.path)
    real = os.path.realpath(path)
    if not is_below(real, [os.path.realpath(directory) for directory in job.local_paths]):
        raise Invalid("a local path must lie below one of the directories in packeton.vcs.local_paths")
    if not path.is_dir():
        raise VcsFailed(f"{job.address.url}: there is no such directory", reason=VcsReason.GONE)
    return Path(real)


class _Http(Urllib3HttpGitClient):
    """Logs in at the origin of the address only. Dulwich alone knows no bearer tokens, nor passwords beyond Latin-1."""

    def __init__(self, base_url: str, job: Job, pool: urllib3.PoolManager) -> None:
        fields = job.access.login_fields
        super().__init__(base_url, pool_manager=pool, username=None if fields else job.access.username)
        for _, value in fields:
            self._auth_header, self._auth_origin = value, self._origin(base_url)

    def _discover_references(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._discover_references(*args, **kwargs)
        if self.dumb:
            raise NotGitRepository("the answer is not of git's smart protocol")
        return found


class _Local(SubprocessGitClient):
    """
    Has git itself give out a repository on this machine: dulwich takes minutes for 50,000 commits, git seconds, and it
    gives out files that do not fit into memory. Nobody's configuration but the repository's own is read.
    """

    def __init__(self, git: str) -> None:
        super().__init__()
        self._git = git

    def _connect(
        self, cmd: bytes, path: bytes | str, protocol_version: int | None = None
    ) -> tuple[Protocol, Callable[[], bool], IO[bytes] | None]:
        options = ["-c", "safe.directory=*", "-c", "pack.threads=1", "-c", "uploadpack.allowAnySHA1InWant=true"]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROTOCOL": f"version={protocol_version or 2}",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        process = subprocess.Popen(  # noqa: S603 - no shell; a real path, which begins with /
            [self._git, *options, cmd.decode("ascii"), os.fsdecode(path)],
            bufsize=0, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        wrapped = SubprocessWrapper(process)
        return Protocol(wrapped.read, wrapped.write, wrapped.close), wrapped.can_read, process.stderr


@contextmanager
def _http(job: Job) -> Iterator[GitClient]:
    address, network = job.address, job.network
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = f":{address.port}" if address.port else ""
    url = f"{address.scheme}://{host}{port}{quote(address.path)}"
    with http_pool(network) as pool:
        yield _Http(url, job, pool)


@contextmanager
def http_pool(network: Network) -> Iterator[urllib3.PoolManager]:
    """Return connections with time-outs, our certificate authorities and the right proxy."""
    redirects = network.max_redirects
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(
            connect=network.connect_timeout.total_seconds(), read=network.idle_timeout.total_seconds()
        ),
        "retries": urllib3.Retry(total=redirects, connect=1, read=0, status=0, redirect=redirects),
        "headers": {"User-Agent": network.user_agent},
    }
    if network.ca_file is not None:
        options["ca_certs"] = str(network.ca_file)
    if network.proxy is None:
        with urllib3.PoolManager(**options) as pool:
            yield pool
        return
    secret = network.proxy_authorization
    headers = None if secret is None else {"proxy-authorization": secret.reveal()}
    with urllib3.ProxyManager(network.proxy, proxy_headers=headers, **options) as pool:
        yield pool


class _Vendor(SSHVendor):
    """Calls ssh as `login` says: a list of arguments, no shell, the host after `--`."""

    def __init__(self, ssh: SshLogin) -> None:
        self._ssh = ssh

    def run_command(
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        password: str | None = None,
        key_filename: str | None = None,
        ssh_command: str | None = None,
        protocol_version: int | None = None,
    ) -> SubprocessWrapper:
        """Start it."""
        del password, key_filename, ssh_command
        arguments = [*self._ssh.command, "-o", f"SetEnv=GIT_PROTOCOL=version={protocol_version or 2}"]
        if port is not None:
            arguments += ["-p", str(port)]
        process = subprocess.Popen(  # noqa: S603 - checked by `parse_address`
            [*arguments, "-l", username or "git", "--", host, command],
            bufsize=0,
            env={**os.environ, **self._ssh.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return SubprocessWrapper(process)


def _ssh(address: VcsAddress, ssh: SshLogin) -> GitClient:
    return SSHGitClient(address.host, port=address.port, username=address.user or None, vendor=_Vendor(ssh))


def _meaning(job: Job, error: BaseException) -> PacketonError | None:
    """Return what a failure of the way means; None if it is none of the way."""
    url = job.address.url
    if isinstance(error, (HTTPUnauthorized, HTTPProxyUnauthorized)):
        return _login_error(job, error)
    if isinstance(error, NotGitRepository):
        return _no_repository(job, error)
    if isinstance(error, GitProtocolError):
        return _protocol_error(job, error)
    if isinstance(error, urllib3.exceptions.HTTPError):
        return VcsFailed(f"{url}: {_http_trouble(error)}", reason=VcsReason.UNREACHABLE)
    if isinstance(error, (OSError, EOFError)):
        return VcsFailed(f"{url}: the connection failed ({_shown(error)})", reason=VcsReason.UNREACHABLE)
    if isinstance(error, (AssertionError, ValueError)):  # dulwich's way to say that it does not understand
        return VcsFailed(f"{url}: what answers there does not speak git", reason=VcsReason.NOT_A_REPOSITORY)
    return None


def _login_error(job: Job, error: HTTPUnauthorized | HTTPProxyUnauthorized) -> PacketonError:
    given = job.access.bearer is not None or job.access.password is not None
    told = "the server did not accept the login" if given else "the server wants a login; add credentials"
    if isinstance(error, HTTPProxyUnauthorized):
        told = "the HTTP proxy wants a login"
    return VcsFailed(f"{job.address.url}: {told}", reason=VcsReason.LOGIN)


def _no_repository(job: Job, error: NotGitRepository) -> PacketonError:
    url, http = job.address.url, job.address.scheme in {"http", "https"}
    if http and error.args:
        return VcsFailed(f"{url}: what answers there is no git repository", reason=VcsReason.NOT_A_REPOSITORY)
    told = "there is no git repository, or none that this login may see" if http else "there is no git repository"
    return VcsFailed(f"{url}: {told}", reason=VcsReason.GONE)


def _protocol_error(job: Job, error: GitProtocolError) -> PacketonError:
    url, text = job.address.url, str(error)
    if isinstance(error, HangupException):
        return explain(job, b"\n".join(error.stderr_lines or []).decode(errors="replace"))
    if isinstance(error.__cause__, urllib3.exceptions.HTTPError):
        return VcsFailed(f"{url}: {_http_trouble(error.__cause__)}", reason=VcsReason.UNREACHABLE)
    if "unexpected http resp" in text:
        status = text.partition("unexpected http resp ")[2][:3]
        if status in {"401", "403"}:
            return VcsFailed(f"{url}: the server denies access ({status})", reason=VcsReason.LOGIN)
        reason = VcsReason.GONE if status in {"404", "410"} else VcsReason.UNREACHABLE
        return VcsFailed(f"{url}: the server answers with an error ({status})", reason=reason)
    if "not our ref" in text or "upload-pack: not" in text:
        return VcsFailed(f"{url}: the server does not give out this commit", reason=VcsReason.GONE)
    return explain(job, text)


def _http_trouble(error: BaseException) -> str:
    """Return a line on why a request failed; never with headers or proxies in it."""
    cause = getattr(error, "reason", None) or error
    name = type(cause).__name__
    known = {
        "NameResolutionError": "the host name is not known",
        "ConnectTimeoutError": "the server does not answer",
        "ReadTimeoutError": "the server went silent",
        "NewConnectionError": "the server refuses connections, or cannot be reached",
        "ProxyError": "the HTTP proxy failed",
        "ResponseError": "the server redirects too often",
        "ProtocolError": "the server closed the connection",
    }
    if name == "SSLError":
        return f"no secure connection: {_shown(cause)}"
    return known.get(name, f"the connection failed ({name})")


def _shown(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).replace("\n", " ")[:MAX_ERROR_CHARACTERS]
