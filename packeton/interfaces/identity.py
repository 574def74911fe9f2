"""The port to other systems that know users and check their passwords."""

from zope.interface import Attribute

from packeton.core.access.accounts import Account
from packeton.errors import UpstreamFailed
from packeton.interfaces.accounts import IUserProvider

__all__ = ["DirectoryFailed", "IDirectory"]


class DirectoryFailed(UpstreamFailed):
    """A directory of users could not be asked: that says nothing about the user."""


class IDirectory(IUserProvider):
    """A directory of users; both methods raise DirectoryFailed, soon, when it cannot be asked."""

    name: str = Attribute("what the operator calls it")

    async def find(name: str) -> Account | None:
        """Return the user of this name as the directory spells it, with the roles of this directory; or None."""

    async def verify(account: Account, password: str) -> bool:
        """Say if the password is the one that the directory knows for the account's name; an empty one never is."""
