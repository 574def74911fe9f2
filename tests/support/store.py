"""A store in memory, put together as the assembly does it."""

from itertools import count

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from twisted.internet.task import Clock

from packeton.adapters.blobs.memory import MemoryBlobStore
from packeton.adapters.database.caching import CacheRecords
from packeton.adapters.database.connection import Database
from packeton.adapters.database.dists import DistRecords, PublicationRecords
from packeton.features.caching.fills import FillEvent, Fills
from packeton.features.caching.storage import Storage
from packeton.interfaces.clocks import now_of
from tests.support.scripted import immediately

__all__ = ["MemoryCache"]


class MemoryCache:
    """Everything below the features, without a disk or a thread."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.blobs = MemoryBlobStore()
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        self.database = Database(engine, immediately)
        self.engine = engine
        self.records = CacheRecords(self.database)
        self.dists = DistRecords(self.database)
        self.publications = PublicationRecords(self.database)
        self.events: list[tuple[FillEvent, str, int]] = []
        numbers = count()
        self.now = now_of(self.clock)
        self.storage = Storage(self.blobs, self.records, immediately, self.now, lambda: f"blob{next(numbers):08d}")
        self.fills = Fills(
            storage=self.storage,
            clock=self.clock,
            in_thread=immediately,
            random=lambda: 0.5,
            observe=lambda *event: self.events.append(event),
        )

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()
