"""Sealing anew what is sealed in the database, after the installation got another secret."""

from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen
from sqlalchemy import Column, Connection, Table, select, update

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables import metadata
from packeton.core.access.sealing import Sealer, context_of
from packeton.errors import Unsealable

__all__ = ["Resealed", "reseal"]

BATCH: Final = 100


@frozen(kw_only=True)
class Resealed:
    """What was done."""

    current: int = 0
    """Sealed with the secret of today already."""
    anew: int = 0
    lost: tuple[str, ...] = ()
    """Where what no secret opens stands: table, column, row."""


async def reseal(database: Database, sealer: Sealer) -> Resealed:
    """Seal all that a former secret, or the reference, sealed, or nobody; some rows a transaction, and others go on."""
    done = Resealed()
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.info.get("sealed"):
                done = await _column(database, sealer, table, column, done)
    return done


async def _column(database: Database, sealer: Sealer, table: Table, column: "Column[str]", done: Resealed) -> Resealed:
    key, after = table.c.id, 0

    def work(connection: Connection) -> Sequence[tuple[int, str, str | None]]:
        chosen = select(key, column).where(key > after, column.is_not(None)).order_by(key).limit(BATCH)
        found = []
        for number, text in connection.execute(chosen.with_for_update()):
            fresh = _fresh(sealer, text, context_of(table.name, column.name, number))
            if fresh not in {None, text}:
                connection.execute(update(table).where(key == number).values({column.name: fresh}))
            found.append((number, text, fresh))
        return found

    while some := await database.run(work):
        for number, text, fresh in some:
            if fresh is None:
                done = evolve(done, lost=(*done.lost, context_of(table.name, column.name, number)))
            elif fresh == text:
                done = evolve(done, current=done.current + 1)
            else:
                done = evolve(done, anew=done.anew + 1)
        after = some[-1][0]
    return done


def _fresh(sealer: Sealer, text: str, context: str) -> str | None:
    """Return the text as it is to be: the same if it is current; None for what no secret opens."""
    try:
        opened = sealer.open(text, context)
    except Unsealable:
        return None
    return text if sealer.is_current(text) else sealer.seal(opened, context)
