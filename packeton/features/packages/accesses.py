"""How the repository of a package is reached: its address, and the credential that was chosen for it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field

from packeton.config.settings import Secret
from packeton.errors import Invalid
from packeton.interfaces.credentials import Credential, ICredentialRecords
from packeton.interfaces.packages import IPackageRecords, Package
from packeton.interfaces.vcs import VcsAccess

__all__ = ["Accesses", "login_for"]

TOKEN_USERS = {
    "github-oauth": lambda token: (token, "x-oauth-basic"),
    "gitlab-oauth": lambda token: ("oauth2", token),
    "gitlab-token": lambda token: ("private-token", token),
}
"""User and password for git, by the kind of token. Source: Composer's Util/Git::runCommand."""


@define
class Accesses:
    """Ways to the repositories of packages."""

    _packages: IPackageRecords
    _credentials: ICredentialRecords
    _common: Mapping[str, Any] = field(factory=dict, repr=False)
    """auth.json content for packages without a credential."""

    async def of(self, package: Package) -> VcsAccess:
        """
        Return the way to the package's repository; a child of a mono-repo goes its parent's.

        Raises:
            Invalid: It has no repository, or its credential is gone.
        """
        owner = package
        if package.parent_id is not None:
            parent = await self._packages.get(package.parent_id)
            owner = parent if parent is not None else package
        if not owner.url:
            raise Invalid("the package has no repository")
        return self.to(owner.url, await self.credential(owner))

    async def credential(self, package: Package) -> Credential | None:
        """Return the package's credential; None without one. Raises Invalid: it was deleted."""
        if package.credential_id is None:
            return None
        found = await self._credentials.get(package.credential_id)
        if found is None:
            raise Invalid("the credential of the package was deleted; choose another one")
        return found


    def to(self, url: str, credential: Credential | None) -> VcsAccess:
        """Return the way to *url* with this credential, whose logins come before the common ones."""
        login = (None, None, None) if credential is None else login_for(url, credential.composer_auth)
        username, password, bearer = login if any(login) else login_for(url, self._common)
        return VcsAccess(
            url=url,
            ssh_key=None if credential is None else credential.ssh_key,
            username=username,
            password=None if password is None else Secret(password),
            bearer=None if bearer is None else Secret(bearer),
        )


def login_for(url: str, auth: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return user, password and bearer token that auth.json content has for the host of *url*."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None, None, None
    names = [f"{host}:{port}", host] if port else [host]
    for name in names:
        basic = _member(auth, "http-basic", name)
        if isinstance(basic, Mapping):
            return str(basic.get("username", "")), str(basic.get("password", "")), None
        bearer = _member(auth, "bearer", name)
        if isinstance(bearer, str):
            return None, None, bearer
        for kind, pair in TOKEN_USERS.items():
            token = _member(auth, kind, name)
            if isinstance(token, Mapping):
                if kind == "gitlab-token" and "username" in token:
                    return str(token["username"]), str(token.get("token", "")), None
                token = token.get("token")
            if isinstance(token, str):
                return (*pair(token), None)
    return None, None, None


def _member(auth: Mapping[str, Any], kind: str, host: str) -> Any:
    hosts = auth.get(kind)
    return hosts.get(host) if isinstance(hosts, Mapping) else None
