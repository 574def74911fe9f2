"""Favourites on a database in memory."""

from datetime import timedelta
from itertools import count
from unittest import TestCase

from packeton.adapters.database.hooks import FavouriteRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.users import UserRecords
from packeton.core.access.identities import Identity
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.favourites import Favourites
from tests.support.access import user_named
from tests.support.accounts import settled
from tests.support.packages import NEW_YEAR, MemoryPackages, MemoryRevisions, package


class FavouriteTests(TestCase):
    """Of one user."""

    def test_names(self) -> None:
        """Newest star first; archived ones too, but none that are gone or that the user does not see any more."""
        memory, minutes = MemoryPackages(), count()
        self.addCleanup(memory.close)
        user = settled(UserRecords(memory.database, Revisions(memory.database)).create(user_named("anna"))).id
        catalogue = Catalogue(memory.packages, memory.versions, MemoryRevisions())
        records = FavouriteRecords(memory.database)
        favourites = Favourites(records, memory.packages, catalogue, lambda: NEW_YEAR + timedelta(minutes=next(minutes)))
        for name in ("acme/seen", "acme/hidden", "acme/old", "acme/gone", "acme/unstarred"):
            made = settled(memory.packages.create(package(name, visible_for_all=name != "acme/hidden", archived=name == "acme/old")))
            if name != "acme/unstarred":
                settled(favourites.add(user, made))
            if name == "acme/gone":
                settled(memory.packages.remove(made.id, NEW_YEAR))
        anna = Audience(identity=Identity(name="anna", user_id=user, method="test"))
        self.assertEqual(["acme/old", "acme/seen"], settled(favourites.names(user, anna)))
