"""The port to the credentials with which private repositories are reached."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen
from zope.interface import Interface

from packeton.config.settings import Secret

__all__ = ["Credential", "ICredentialRecords"]


@frozen(kw_only=True)
class Credential:
    """An ssh key, or the content of an auth.json, or both."""

    id: int = 0
    name: str
    owner_id: int | None = None
    """The user who made it, who alone may see and change it; None: somebody at the console."""
    shared: bool = False
    """Every maintainer may choose it for a package; otherwise only its owner may."""
    ssh_key: Secret | None = None
    composer_auth: Mapping[str, Any] = field(factory=dict, repr=False)
    fingerprint: str | None = None
    """Of the ssh key, as `SHA256:…`; for PEM with ` MD5:…` behind it."""
    created_at: datetime

    def may_be_chosen_by(self, user_id: int | None) -> bool:
        """Say if this user may give it to a package."""
        return self.shared or (user_id is not None and self.owner_id == user_id)


class ICredentialRecords(Interface):
    """Credentials; their secrets are sealed at rest. Every method may raise StorageFailed."""

    async def get(credential_id: int) -> Credential | None:
        """
        Return one with its secrets.

        Raises:
            Unsealable: It was sealed with another APP_SECRET.
        """

    async def listed(owner_id: int | None = None) -> Sequence[Credential]:
        """Return all, or those of a user, by name; without their secrets."""

    async def create(credential: Credential) -> Credential:
        """Insert; return it with its id."""

    async def change(credential_id: int, change: Callable[[Credential], Credential]) -> Credential:
        """
        Keep what *change* makes of the credential as it is stored now; nobody else changes it in between.

        *change* is not called on the reactor's thread; what it raises leaves all as it was.

        Raises:
            NotFound, Unsealable.
        """

    async def used_by(credential_id: int) -> Sequence[str]:
        """Return the names of the packages that have it, sorted."""

    async def remove(credential_id: int) -> bool:
        """Remove one; say if there was one."""
