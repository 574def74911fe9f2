"""
The schema's history, run when the database is first used.

Every revision makes the tables of one subject; `tables/` says what they look like today, and a test compares both.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

__all__ = ["revision_of", "upgrade"]


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date, in the transaction of *connection*. Blocking."""
    command.upgrade(_config(connection), "head")


def revision_of(connection: Connection) -> str | None:
    """Return the revision that the database has; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """Return the revision that this program needs."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
