"""The port to whatever recognises callers by their credentials."""

from attrs import field, frozen
from zope.interface import Interface

from packeton.core.access.identities import Identity

__all__ = ["Credentials", "IAuthenticator", "Verified"]


@frozen(kw_only=True)
class Credentials:
    """What a client sent to say who it is."""

    username: str | None
    """None: only a token was sent."""
    secret: str = field(repr=False)

    @property
    def names_nobody(self) -> bool:
        """Say if the secret alone must tell who it is: no name, or the word that stands for none."""
        return self.username in {None, "", "token"}


@frozen(kw_only=True)
class Verified:
    """Who it is, and by which token."""

    identity: Identity
    token_id: int | None = None


class IAuthenticator(Interface):
    """Recognises one kind of credentials."""

    async def identify(credentials: Credentials) -> Verified | None:
        """
        Return who it is; None when the credentials are of another kind, which the next one is then asked about.

        Raises:
            BadCredentials: they are of this kind and no good: wrong, expired, of a closed account.
            StorageFailed: it cannot be told now.
        """
