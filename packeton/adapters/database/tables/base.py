"""What all tables share: one MetaData, with names for constraints, and instants."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, MetaData
from sqlalchemy.types import TypeDecorator

__all__ = ["EPOCH", "SEALED", "Instant", "metadata"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_unique_%(column_0_N_name)s",
        "fk": "%(table_name)s_to_%(referred_table_name)s_%(column_0_name)s",
        "ck": "%(table_name)s_check_%(constraint_name)s",
        "pk": "%(table_name)s_key",
    }
)

SEALED: Final = {"sealed": True}
"""`info=` of a column that `Sealer` seals in the context of its table, name and the row's `id`; the new secret of an
installation seals it anew (`packeton keys rotate`)."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970 so that every database orders it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn a datetime into microseconds."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002
        """Turn microseconds into a datetime, with no call more than that takes: this is done for every row."""
        return _moment


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
