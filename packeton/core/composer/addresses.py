"""Addresses of repositories under version control: what may be used at all, and what each one says."""

import re
from collections.abc import Sequence
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from attrs import frozen

from packeton.errors import Invalid

__all__ = ["VcsAddress", "is_below", "parse_address"]

SCHEMES = frozenset({"http", "https", "ssh", "git", "svn", "svn+ssh"})
MAX_LENGTH = 2048
USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._+-]{0,63}")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
UNUSABLE = re.compile(r"[\x00-\x20\x7f\\]")
SCP = re.compile(r"(?:([^@:/]+)@)?(\[[^\]/]+\]|[^:/@\[\]]+):(?!//)(.+)")
"""`user@host:path`. Source: git-fetch(1), GIT URLS: a colon before the first slash."""
ADVICE = "put user, password or token into the package's credentials, not into the address"


@frozen(kw_only=True)
class VcsAddress:
    """An address that may be used. It holds no secret, and nothing of it can be taken for an option of a program."""

    url: str
    """As it was given, without surrounding space; shown to users."""
    scheme: str
    """One of http, https, ssh, git, svn, svn+ssh, file."""
    host: str = ""
    port: int | None = None
    user: str = ""
    path: str
    """Decoded; begins with a slash, but for scp-like addresses, where it is relative to the user's home."""

    @property
    def key(self) -> str:
        """Equal for addresses that are one repository for sure."""
        host = self.host.lower() + (f":{self.port}" if self.port else "")
        return f"{self.scheme}://{self.user}@{host}/{self.path.rstrip('/')}"

    @property
    def is_local(self) -> bool:
        """It leads into the file system of this machine."""
        return self.scheme == "file"


def parse_address(text: str, local_paths: Sequence[str] = ()) -> VcsAddress:
    """
    Read an address.

    Args:
        local_paths: Absolute directories below which paths and file:// may lead. Links are not looked at here.

    Raises:
        Invalid: it is no address, holds a password, or leads where it must not; the text does not repeat secrets.
    """
    url = text.strip()
    if not url:
        raise Invalid("the address of the repository is missing")
    if len(url) > MAX_LENGTH:
        raise Invalid("the address of the repository is too long")
    if UNUSABLE.search(url):
        raise Invalid("the address of the repository must not contain spaces, backslashes or control characters")
    if url.startswith("-"):
        raise Invalid("the address of the repository must not begin with a dash")
    if url.startswith("/") or url[:7].lower() == "file://":
        return _local(url, local_paths)
    if "://" in url:
        return _with_scheme(url)
    if "::" in url.partition("[")[0]:
        raise Invalid("addresses that name a git remote helper (`helper::address`) are not accepted")
    match = SCP.fullmatch(url)
    if match is None or match[2].startswith("."):
        raise Invalid("the repository needs an address such as https://host/path, ssh://git@host/path or git@host:path")
    user, host = match[1] or "", match[2].strip("[]")
    return _checked(VcsAddress(url=url, scheme="ssh", host=host, user=user, path=match[3]))


def is_below(path: str, directories: Sequence[str]) -> bool:
    """Say if the normal absolute *path* is one of *directories* or lies below one."""
    return any(
        path == directory or path.startswith(directory.rstrip("/") + "/") for directory in map(normpath, directories)
    )


def _local(url: str, local_paths: Sequence[str]) -> VcsAddress:
    path = url
    if not url.startswith("/"):
        host, slash, rest = url[7:].partition("/")
        if host not in {"", "localhost"}:
            raise Invalid("a file:// address must have three slashes: file:///path")
        path = unquote(slash + rest)
    path = "/" + normpath(path).lstrip("/")
    if "\0" in path or not is_below(path, local_paths):
        raise Invalid("a local path must lie below one of the directories in packeton.vcs.local_paths")
    return VcsAddress(url=url, scheme="file", path=path)


def _with_scheme(url: str) -> VcsAddress:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        user, password = unquote(parts.username or ""), parts.password
    except ValueError:
        raise Invalid("the address of the repository cannot be read: a host or port in it is wrong") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise Invalid(f"the address must begin with one of {', '.join(sorted(SCHEMES))}, not {scheme[:20]}")
    if password is not None or (user and scheme in {"http", "https", "git"}):
        raise Invalid(f"the address must not hold a login: {ADVICE}")
    if parts.query or parts.fragment:
        raise Invalid("the address of the repository must have no query and no fragment")
    path = unquote(parts.path)
    if not path.strip("/") and scheme in {"ssh", "git"}:
        raise Invalid("the address names a host but no repository on it")
    return _checked(VcsAddress(url=url, scheme=scheme, host=host, port=port or None, user=user, path=path))


def _checked(address: VcsAddress) -> VcsAddress:
    if not HOST.fullmatch(address.host):
        raise Invalid("the address names no usable host")
    if address.user and not USER.fullmatch(address.user):
        raise Invalid(f"the user in the address cannot be used; {ADVICE}")
    path = address.path.replace(" ", "") if address.scheme in {"http", "https"} else address.path  # as Azure DevOps has
    if UNUSABLE.search(path) or address.path.lstrip("/").startswith("-"):
        raise Invalid("the path in the address cannot be used")
    return address
