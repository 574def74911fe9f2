"""The ports to the secrets of packages' hooks, and to favourites."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from zope.interface import Interface

from packeton.config.settings import Secret

__all__ = ["IFavouriteRecords", "IHookSecrets"]


class IHookSecrets(Interface):
    """Secrets with which forges sign what they send about a package; sealed at rest. May raise StorageFailed."""

    async def of(package_ids: Sequence[int]) -> Mapping[int, Secret]:
        """
        Return the secrets of those of these packages that have one.

        Raises:
            Unsealable: One was sealed with another APP_SECRET.
        """

    async def put(package_id: int, secret: Secret | None) -> None:
        """Keep the secret of a package; None removes it. Raises NotFound: there is no such package."""


class IFavouriteRecords(Interface):
    """Which packages users starred. Methods may raise StorageFailed."""

    async def add(user_id: int, package_id: int, at: datetime) -> None:
        """Star a package; more than once does no harm. Raises NotFound: user or package are gone."""

    async def remove(user_id: int, package_id: int) -> bool:
        """Take a star back; say if there was one."""

    async def of_user(user_id: int) -> Sequence[int]:
        """Return the ids of the packages that a user starred, newest star first."""

    async def counts(package_ids: Sequence[int]) -> Mapping[int, int]:
        """Return how many users starred each of these packages; 0 where none did."""
