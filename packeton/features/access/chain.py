"""
The chain of user providers: our own users and directories; the first that knows a name says who it is.

A directory that cannot be asked is passed over, so that its outage locks nobody out whom we know ourselves.
"""

from collections.abc import Sequence

from attrs import define, frozen
from twisted.logger import Logger
from zope.interface import implementer

from packeton.core.access.accounts import Account
from packeton.interfaces.accounts import IUserProvider
from packeton.interfaces.identity import DirectoryFailed, IDirectory

__all__ = ["Found", "UserChain"]

log = Logger()


@frozen(kw_only=True)
class Found:
    """Who has a name, and the directory that says so; None: it is a user of our own."""

    account: Account
    directory: IDirectory | None = None


@implementer(IUserProvider)
@define
class UserChain:
    """Our own users before the directories, or after them."""

    _own: IUserProvider
    directories: Sequence[IDirectory] = ()
    directories_first: bool = False

    async def find(self, name: str) -> Account | None:
        """Return who has the name. Raises DirectoryFailed when nobody who could be asked knows it."""
        found = await self.lookup(name)
        return None if found is None else found.account

    async def lookup(self, name: str) -> Found | None:
        """Return who has the name, and who says so. Raises as `find`."""
        if self.directories_first:
            found, failed = await self._in_directories(name)
            if found is not None:
                return found
            own = await self._in_own(name)
            if own is None and failed is not None:
                raise failed
            return own
        own = await self._in_own(name)
        if own is not None:
            return own
        found, failed = await self._in_directories(name)
        if found is None and failed is not None:
            raise failed
        return found

    async def _in_own(self, name: str) -> Found | None:
        account = await self._own.find(name)
        return None if account is None else Found(account=account)

    async def _in_directories(self, name: str) -> tuple[Found | None, DirectoryFailed | None]:
        failed = None
        for directory in self.directories:
            try:
                account = await directory.find(name)
            except DirectoryFailed as error:
                log.warn("A directory is passed over: {why}", why=str(error))
                failed = error
                continue
            if account is not None:
                return Found(account=account, directory=directory), None
        return None, failed
