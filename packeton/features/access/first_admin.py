"""
The first administrator of a new installation, by a link that the log of the first start shows.

The link is good while nobody has an account, in the process that showed it, and once.
"""

import hmac
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from packeton.core.access.accounts import User
from packeton.core.access.identities import Role
from packeton.errors import NotFound, StorageFailed
from packeton.features.access.people import People
from packeton.interfaces.accounts import IUserRecords

__all__ = ["FirstAdmin"]

log = Logger()


@define
class FirstAdmin:
    """Offers the link, and takes it back with a name and a password."""

    _users: IUserRecords
    _people: People
    _random: Callable[[], str]
    """Returns an unguessable text that can stand in a path."""
    _address: str
    """Ours, as a person may reach it."""
    _token: str | None = field(default=None, init=False, repr=False)

    async def offer(self) -> None:
        """Show the link if nobody has an account."""
        try:
            if await self._users.count():
                return
        except StorageFailed as error:
            log.warn("Whether anybody has an account cannot be told: {why}", why=str(error))
            return
        self._token = self._random()
        link = f"{self._address}/setup/{self._token}"
        log.info("Nobody has an account yet. To make the first administrator, open {link}", link=link)

    async def is_open(self, token: str) -> bool:
        """Say if *token* is the one of the link, and nobody has an account yet."""
        known = self._token
        if known is None or not hmac.compare_digest(known.encode(), token.encode("utf-8", "surrogatepass")):
            return False
        return await self._users.count() == 0

    async def create(self, token: str, name: str, email: str, password: str) -> User:
        """
        Make the administrator.

        Raises:
            NotFound: the link is not good any more.
            InvalidFields: what cannot be used.
        """
        if not await self.is_open(token):
            raise NotFound("this link is used, or was made by an earlier start")
        self._token = None
        try:
            roles = frozenset({str(Role.ADMIN)})
            user, _ = await self._people.create(name, password=password, email=email, roles=roles)
        except BaseException:
            self._token = token
            raise
        log.info("{name} is the first administrator", name=user.name)
        return user
