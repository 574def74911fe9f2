"""Two callers who change the same row at the same time: neither undoes what the other did."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Thread
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, update
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.connection import Database
from packeton.adapters.database.credentials import CredentialRecords
from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.jobs import JobRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.sessions import SessionRecords
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tables.jobs import jobs
from packeton.adapters.database.users import UserRecords
from packeton.config.settings import Secret
from packeton.core.access.accounts import AclLine, Group, Subrepo
from packeton.core.access.sealing import Sealer
from packeton.core.access.sessions import Session
from packeton.interfaces.credentials import Credential
from packeton.interfaces.queues import Job, JobOrder, JobStatus
from tests.support.access import user_named
from tests.support.accounts import settled
from tests.support.databases import OnMysql, OnPostgresql, OnSqlite
from tests.support.packages import NEW_YEAR, package

A_MOMENT = 0.2
"""Seconds for the second caller to get as far as it can while the first is half-way; nothing fails when it is slower."""


class ChangesContract:
    """Mix into a TestCase with one of the engines."""

    make_database: Any

    def setUp(self) -> None:
        self.database: Database = self.make_database()
        self.revisions = Revisions(self.database)

    def together(self, change: Callable[[Callable[[Any], Any]], Any], first: dict[str, Any], second: dict[str, Any]) -> None:
        """Set the fields *first*; while that transaction is half-way another thread begins to set *second*."""
        threads: list[Thread] = []

        def half_way(held: Any) -> Any:
            if not threads:
                threads.append(Thread(target=lambda: settled(change(lambda now: evolve(now, **second)))))
                threads[0].start()
                threads[0].join(A_MOMENT)
            return evolve(held, **first)

        settled(change(half_way))
        threads[0].join(30)

    def test_packages(self) -> None:
        """A package keeps both changes."""
        records = PackageRecords(self.database)
        made = settled(records.create(package()))
        self.together(lambda change: records.change(made.id, change), {"description": "one"}, {"auto_updated": True})
        found = settled(records.get(made.id))
        self.assertEqual(("one", True), (found.description, found.auto_updated))

    def test_users(self) -> None:
        """A user keeps both changes."""
        records = UserRecords(self.database, self.revisions)
        made = settled(records.create(user_named("Anna")))
        fields = ("enabled", "roles")

        def change(make: Callable[[Any], Any]) -> Any:
            return records.change(made.id, lambda held: {name: getattr(make(held), name) for name in fields})

        self.together(change, {"enabled": False}, {"roles": frozenset({"ROLE_X"})})
        found = settled(records.get(made.id)).user
        self.assertEqual((False, {"ROLE_X"}), (found.enabled, found.roles))

    def test_sessions(self) -> None:
        """A session keeps both changes."""
        records = SessionRecords(self.database)
        session = Session(
            digest="d", user_id=None, name="eva", created_at=NEW_YEAR, seen_at=NEW_YEAR, expires_at=NEW_YEAR + timedelta(days=1),
            address="", agent="", method="password",
        )  # fmt: skip
        settled(records.add(session))
        self.together(lambda change: records.change("d", change), {"repository": 7}, {"mark": "m"})
        found = settled(records.find("d"))
        self.assertEqual((7, "m"), (found.repository, found.mark))

    def test_credentials(self) -> None:
        """A credential keeps both changes."""
        records = CredentialRecords(self.database, lambda: Sealer(["key"], lambda size: b"n" * size))
        made = settled(records.create(Credential(name="a", ssh_key=Secret("k"), created_at=NEW_YEAR)))
        self.together(lambda change: records.change(made.id, change), {"shared": True}, {"name": "b"})
        found = settled(records.get(made.id))
        self.assertEqual(("b", True, "k"), (found.name, found.shared, found.ssh_key.reveal()))

    def test_groups(self) -> None:
        """What is not as it was is not replaced."""
        records = GroupRecords(self.database, self.revisions)
        made = settled(records.create(Group(id=0, name="g")))
        other = evolve(made, lines=(AclLine(package="acme/a"),))
        self.assertTrue(settled(records.replace(made, other)))
        self.assertFalse(settled(records.replace(made, evolve(made, name="h"))))
        self.assertEqual(other, settled(records.get(made.id)))
        self.assertFalse(settled(records.replace(evolve(other, id=999), other)))

    def test_subrepositories(self) -> None:
        """What is not as it was is not replaced."""
        records = SubrepoRecords(self.database, self.revisions)
        made = settled(records.create(Subrepo(id=0, name="S", slug="s")))
        settled(records.add_package(made.id, "acme/a"))
        self.assertFalse(settled(records.replace(made, evolve(made, public=True))))
        held = settled(records.get(made.id))
        self.assertTrue(settled(records.replace(held, evolve(held, public=True))))
        self.assertEqual({"acme/a"}, settled(records.get(made.id)).packages)


    def test_jobs(self) -> None:
        """What is ordered while the waiting job of the same key is being started waits as a job of its own."""
        numbers = count()
        records = JobRecords(self.database, lambda: f"job{next(numbers)}")
        order = JobOrder(type="t", key="k")
        waiting = settled(records.put(order, NEW_YEAR))
        made: list[Job] = []
        second = Thread(target=lambda: made.append(settled(records.put(order, NEW_YEAR))))

        def starting(connection: Connection) -> None:
            row = jobs.c.id == waiting.id
            connection.execute(update(jobs).where(row).values(status=JobStatus.STARTED, running=jobs.c.waiting, waiting=None))
            second.start()
            second.join(A_MOMENT)

        settled(self.database.run(starting))
        second.join(30)
        self.assertEqual([("job1", JobStatus.QUEUED)], [(job.id, job.status) for job in made])


class ChangesTests(OnSqlite, ChangesContract, SynchronousTestCase):
    """On SQLite."""


class ChangesOnPostgresqlTests(OnPostgresql, ChangesContract, SynchronousTestCase):
    """On PostgreSQL."""


class ChangesOnMysqlTests(OnMysql, ChangesContract, SynchronousTestCase):
    """On MariaDB."""
