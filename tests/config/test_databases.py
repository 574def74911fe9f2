"""DATABASE_URL as Doctrine writes it."""

from pathlib import Path
from unittest import TestCase

from packeton.config.databases import database_address
from packeton.config.loader import load
from packeton.errors import ConfigurationInvalid


class DatabaseAddressTests(TestCase):
    """database_address."""

    def test_sqlite(self) -> None:
        """Three slashes are a relative path, four an absolute one; the project's directory is the current one."""
        for url, path in (
            ("sqlite:///var/app.db", "var/app.db"),
            ("sqlite:////data/app.db", "/data/app.db"),
            ("sqlite:///%kernel.project_dir%/var/app.db", "var/app.db"),
            ("sqlite3:///a%20b.db?charset=utf8", "a b.db"),
            ("pdo_sqlite:///x.db", "x.db"),
        ):
            self.assertEqual(Path(path), database_address(url).path, url)

    def test_servers(self) -> None:
        """Names, ports, percent signs; what Doctrine wants to know and we do not."""
        address = database_address("mysql://us%40er:p%2Fw%3A@db.example:3307/packeton?serverVersion=8.0.32&charset=utf8mb4")
        self.assertEqual(("mysql", "us@er", "db.example", 3307, "packeton", ()), (address.engine, address.user, address.host, address.port, address.name, address.options))
        assert address.password is not None
        self.assertEqual("p/w:", address.password.reveal())
        self.assertEqual("mysql://db.example:3307/packeton", str(address))
        self.assertNotIn("p/w", repr(address))
        for scheme in ("postgresql", "postgres", "pgsql", "pdo_pgsql", "pdo-pgsql"):
            self.assertEqual(("postgresql", 5432), (database_address(f"{scheme}://h/n").engine, database_address(f"{scheme}://h/n").port))
        for scheme in ("mysql", "mysql2", "mariadb", "pdo_mysql"):
            self.assertEqual("mysql", database_address(f"{scheme}://h/n").engine)
        self.assertEqual("/run/pg", database_address("postgresql:///n?host=/run/pg").host)
        self.assertEqual((("sslmode", "require"),), database_address("postgresql://h/n?sslmode=require").options)

    def test_unusable(self) -> None:
        """One line that says what is wrong and repeats nothing of the address."""
        for url in (
            "", "tellnobody", "oracle://u:tellnobody@h/n", "mysql://u:tellnobody@h", "mysql://u:tellnobody@h/", "postgresql://u:tellnobody@h:port/n",
            "postgresql://u:tellnobody@h/n/m", "mysql://u:tellnobody@h/n?what=1", "sqlite://", "sqlite:///", "sqlite:///:memory:",
            "sqlite://relative.db", "sqlite:///x?mode=ro", "mysql://u:tellnobody@[::1/n",
        ):  # fmt: skip
            with self.assertRaises(ValueError, msg=url) as caught:
                database_address(url)
            self.assertNotIn("tellnobody", str(caught.exception))

    def test_setting(self) -> None:
        """DATABASE_URL holds where the files say nothing; the error names the option and the variable."""
        loaded = load(environment={"DATABASE_URL": "postgresql://u:tellnobody@h/n"})
        assert loaded.settings.database.url is not None
        self.assertEqual("environment DATABASE_URL", loaded.origins["packeton.database.url"])
        with self.assertRaises(ConfigurationInvalid) as caught:
            load(environment={"DATABASE_URL": "orcl://u:tellnobody@h/n"})
        message = "packeton.database.url: must begin with sqlite://, postgresql:// or mysql:// (environment DATABASE_URL)"
        self.assertEqual(message, str(caught.exception))
