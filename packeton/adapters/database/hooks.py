"""HookSecrets and FavouriteRecords."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from attrs import define
from sqlalchemy import Column, Connection, delete, func, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.batches import batches
from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.accounts import users
from packeton.adapters.database.tables.hooks import favourites, hook_secrets
from packeton.adapters.database.tables.packages import packages
from packeton.config.settings import Secret
from packeton.core.access.sealing import Sealer, context_of
from packeton.errors import NotFound
from packeton.interfaces.hooks import IFavouriteRecords, IHookSecrets

__all__ = ["FavouriteRecords", "HookSecrets"]


def _context(package_id: int) -> str:
    return context_of("hook_secrets", "secret", package_id)


@implementer(IHookSecrets)
@define
class HookSecrets:
    """Secrets by package. *sealer* is asked for in the database's thread, since it may read a file."""

    _database: Database
    _sealer: Callable[[], Sealer]

    async def of(self, package_ids: Sequence[int]) -> Mapping[int, Secret]:
        """Return the secrets of those of these packages that have one."""

        def work(connection: Connection) -> Mapping[int, Secret]:
            found: dict[int, Secret] = {}
            for some in batches(package_ids):
                for row in connection.execute(select(hook_secrets).where(hook_secrets.c.id.in_(some))):
                    found[row.id] = Secret(self._sealer().open(row.secret, _context(row.id)))
            return found

        return await self._database.read(work)

    async def put(self, package_id: int, secret: Secret | None) -> None:
        """Keep the secret of a package; None removes it."""

        def work(connection: Connection) -> None:
            here = hook_secrets.c.id == package_id
            if secret is None:
                connection.execute(delete(hook_secrets).where(here))
                return
            sealed = self._sealer().seal(secret.reveal(), _context(package_id))
            if not connection.execute(update(hook_secrets).where(here).values(secret=sealed)).rowcount:
                _there(connection, packages.c.id, package_id)
                connection.execute(insert(hook_secrets).values(id=package_id, secret=sealed))

        await self._database.run(work)


@implementer(IFavouriteRecords)
@define
class FavouriteRecords:
    """Stars by user and package."""

    _database: Database

    async def add(self, user_id: int, package_id: int, at: datetime) -> None:
        """Star a package."""

        def work(connection: Connection) -> None:
            here = (favourites.c.user_id == user_id) & (favourites.c.package_id == package_id)
            if connection.execute(select(favourites).where(here)).one_or_none() is None:
                _there(connection, users.c.id, user_id)
                _there(connection, packages.c.id, package_id)
                values = {"user_id": user_id, "package_id": package_id, "created_at": at}
                connection.execute(insert(favourites).values(**values))

        await self._database.run(work)

    async def remove(self, user_id: int, package_id: int) -> bool:
        """Take a star back."""

        def work(connection: Connection) -> bool:
            here = (favourites.c.user_id == user_id) & (favourites.c.package_id == package_id)
            return connection.execute(delete(favourites).where(here)).rowcount > 0

        return await self._database.run(work)

    async def of_user(self, user_id: int) -> Sequence[int]:
        """Return what a user starred."""
        chosen = select(favourites.c.package_id).where(favourites.c.user_id == user_id)

        def work(connection: Connection) -> Sequence[int]:
            ordered = chosen.order_by(favourites.c.created_at.desc(), favourites.c.package_id)
            return list(connection.execute(ordered).scalars())

        return await self._database.read(work)

    async def counts(self, package_ids: Sequence[int]) -> Mapping[int, int]:
        """Return how many starred each."""

        def work(connection: Connection) -> Mapping[int, int]:
            found = dict.fromkeys(package_ids, 0)
            starred = favourites.c.package_id
            for some in batches(package_ids):
                counted = select(starred, func.count().label("stars")).where(starred.in_(some)).group_by(starred)
                for row in connection.execute(counted):
                    found[row.package_id] = row.stars
            return found

        return await self._database.read(work)


def _there(connection: Connection, column: Column[int], number: int) -> None:
    """Raise NotFound if what a row is to belong to is gone."""
    if connection.execute(select(column).where(column == number)).first() is None:
        raise NotFound("no such package")
