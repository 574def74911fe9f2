"""HookSecrets and FavouriteRecords on SQLite in memory."""

import os
from datetime import timedelta
from unittest import TestCase

from sqlalchemy import text

from packeton.adapters.database.hooks import FavouriteRecords, HookSecrets
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.users import UserRecords
from packeton.config.settings import Secret
from packeton.core.access.sealing import Sealer
from packeton.errors import NotFound, Unsealable
from tests.support.access import NEW_YEAR, user_named
from tests.support.accounts import settled
from tests.support.packages import MemoryPackages, package


class HookRecordsTests(TestCase):
    """Two packages."""

    def setUp(self) -> None:
        memory = MemoryPackages()
        self.addCleanup(memory.close)
        self.database, self.packages = memory.database, memory.packages
        self.first, self.second = (settled(self.packages.create(package(name))).id for name in ("acme/a", "acme/b"))

    def test_secrets(self) -> None:
        """Sealed, replaced, removed; each opens in its own row only, and goes with its package."""
        records = HookSecrets(self.database, lambda: Sealer(["key"], os.urandom))
        settled(records.put(self.first, Secret("one")))
        settled(records.put(self.first, Secret("other")))
        found = settled(records.of([self.first, self.second]))
        self.assertEqual({self.first: "other"}, {number: secret.reveal() for number, secret in found.items()})
        with self.database._engine.connect() as connection:
            self.assertNotIn("other", connection.execute(text("SELECT secret FROM hook_secrets")).scalar_one())
        with self.assertRaises(Unsealable):
            settled(HookSecrets(self.database, lambda: Sealer(["another"], os.urandom)).of([self.first]))
        with self.assertRaises(NotFound):
            settled(records.put(77, Secret("x")))
        settled(records.put(self.first, None))
        self.assertEqual({}, settled(records.of([self.first])))
        settled(records.put(self.first, Secret("last")))
        settled(self.packages.remove(self.first, NEW_YEAR))
        self.assertEqual({}, settled(records.of([self.first])))

    def test_favourites(self) -> None:
        """Newest first, each once, counted; gone with the user."""
        records, users = FavouriteRecords(self.database), UserRecords(self.database, Revisions(self.database))
        anna, ben = (settled(users.create(user_named(name))).id for name in ("anna", "ben"))
        for user, number, minutes in ((anna, self.first, 1), (anna, self.second, 2), (anna, self.first, 3), (ben, self.first, 1)):
            settled(records.add(user, number, NEW_YEAR + timedelta(minutes=minutes)))
        self.assertEqual([self.second, self.first], settled(records.of_user(anna)))
        self.assertEqual({self.first: 2, self.second: 1, 77: 0}, settled(records.counts([self.first, self.second, 77])))
        self.assertEqual((True, False), tuple(settled(records.remove(anna, self.first)) for _ in range(2)))
        settled(users.remove(ben))
        self.assertEqual({self.first: 0}, settled(records.counts([self.first])))
        with self.assertRaises(NotFound):
            settled(records.add(anna, 77, NEW_YEAR))
