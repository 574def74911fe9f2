"""The memory store."""

from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.blobs.memory import MemoryBlobStore
from packeton.errors import StorageFailed
from tests.contracts.blobs import BlobStoreContract


class MemoryBlobStoreTests(BlobStoreContract, SynchronousTestCase):
    """The contract."""

    make_store = MemoryBlobStore

    def test_full(self) -> None:
        """A bounded one plays a full disk."""
        draft = MemoryBlobStore(room=3).draft()
        draft.write(b"abc")
        self.assertRaises(StorageFailed, draft.write, b"d")
