"""What `packeton database check` looks for."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from packeton.adapters.database.tables import metadata

__all__ = ["findings"]

MAX_FINDINGS = 20


def findings(connection: Connection) -> list[str]:
    """Return what is wrong: differences from the schema of this program, and what SQLite finds damaged. Blocking."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    wrong = [f"the schema differs: {_shown(difference)}" for difference in compare_metadata(context, metadata)]
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("PRAGMA quick_check(20)")).scalars()
        wrong += [f"damaged: {row}" for row in rows if row != "ok"]
        strays = connection.execute(text("PRAGMA foreign_key_check")).all()
        wrong += [f"a row of {row[0]} belongs to one of {row[2]} that is not there" for row in strays[:MAX_FINDINGS]]
    return wrong[:MAX_FINDINGS]


def _shown(difference: object) -> str:
    """Return one difference in short: its kind, and what it is about."""
    first = difference[0] if isinstance(difference, list) and difference else difference
    parts = first if isinstance(first, tuple) else (first,)
    return " ".join(str(getattr(part, "name", None) or part) for part in parts if part is not None)[:200]
