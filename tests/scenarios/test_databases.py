"""The stories of private packages on the other databases; a worker process and Redis beside a server that does no job."""

import json
import signal
import subprocess
import sys
from unittest import SkipTest

from tests.scenarios import test_packages as stories
from tests.support.databases import mysql_url, postgresql_url
from tests.support.redis import REDIS, RedisServer


class PostgresqlTests(stories.ContractTests):
    """On PostgreSQL, with Redis; jobs are done by `packeton worker`."""

    @classmethod
    def setUpClass(cls) -> None:
        if REDIS is None:
            raise SkipTest("redis-server is not installed")
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.remove)
        cls.url = postgresql_url("packages")
        super().setUpClass()

    @classmethod
    def database(cls) -> str | None:
        return cls.url

    @classmethod
    def settings(cls) -> dict[str, object]:
        return {"database": {"url": cls.url}, "redis": {"url": cls.redis.url.replace("%", "%%")}, "jobs": {"at_once": 0}}

    @classmethod
    def begin_work(cls) -> None:
        command = [sys.executable, "-m", "packeton", "worker", "-c", str(cls.server.folder / "packeton.yaml"), "-d", str(cls.server.data), "--jobs", "2"]
        cls.worker_log = cls.server.folder / "worker.log"
        with cls.worker_log.open("wb") as log:
            worker = subprocess.Popen(command, stdout=log, stderr=log)

        def end() -> None:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0, cls.worker_log.read_text()

        cls.addClassCleanup(end)

    def test_who_did_it(self) -> None:
        """The jobs ran in the worker's process, and nobody's log has a failure or a password."""
        logs = self.worker_log.read_text() + self.server.log
        for word in ("Traceback", "pass:w@rd", "pass%3Aw"):
            self.assertNotIn(word, logs)
        with self.subTest("by the command line, too"):
            done = subprocess.run(
                [sys.executable, "-m", "packeton", "user", "list", "--json", "-c", str(self.server.folder / "packeton.yaml"), "-d", str(self.server.data)],
                capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
            self.assertEqual({"admin", "dev", "user1", "user2"}, {user["username"] for user in json.loads(done.stdout)})


class MysqlTests(stories.ContractTests):
    """On MariaDB."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.url = mysql_url("packages")
        super().setUpClass()

    @classmethod
    def database(cls) -> str | None:
        return cls.url

    @classmethod
    def settings(cls) -> dict[str, object]:
        return {"database": {"url": cls.url}}
