"""The file store."""

import tempfile
from itertools import count
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.blobs.filesystem import FilesystemBlobStore
from packeton.adapters.blobs.ownership import DataDirectory
from packeton.errors import ConfigurationInvalid, NotFound, StorageFailed
from tests.contracts.blobs import BlobStoreContract


class FilesystemBlobStoreTests(BlobStoreContract, SynchronousTestCase):
    """The contract, and what is special to files."""

    def make_store(self) -> FilesystemBlobStore:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name) / "store"
        numbers = count()
        return FilesystemBlobStore(self.root, lambda: f"draft{next(numbers)}")

    def test_sweep(self) -> None:
        """What a crash left is swept away; whole blobs, and what somebody writes now, stay."""
        self.keep("aa-key", b"abc")
        self.store.draft().write(b"half")
        left = FilesystemBlobStore(self.root, lambda: "other")
        (self.root / "drafts" / "left").write_bytes(b"half")
        written = self.store.draft()
        written.write(b"def")
        self.assertEqual(1, left.sweep())
        written.commit("bb-key")
        self.assertEqual(b"def", self.read("bb-key"))
        self.assertEqual([], list((self.root / "drafts").iterdir()))
        self.assertEqual(b"abc", self.read("aa-key"))

    @given(st.text(max_size=30))
    def test_keys_never_leave(self, key: str) -> None:
        """Whatever the key, the path is inside the store, or refused."""
        store = FilesystemBlobStore(Path("/nowhere/store"), lambda: "x")
        try:
            path = store.path(key)
        except NotFound:
            return
        self.assertEqual(Path("/nowhere/store/blobs"), path.parent.parent)
        self.assertEqual(key, path.name)

    def test_unusable_root(self) -> None:
        """A root that cannot be made is StorageFailed, without its path."""
        (self.root.parent / "file").write_text("x")
        store = FilesystemBlobStore(self.root.parent / "file" / "store", lambda: "x")
        with self.assertRaises(StorageFailed) as caught:
            store.draft()
        self.assertNotIn(str(self.root.parent), str(caught.exception))
        self.assertEqual(0, store.sweep())

    def test_one_owner(self) -> None:
        """A data directory has one owner at a time."""
        one, two = DataDirectory(self.root), DataDirectory(self.root)
        one.claim()
        one.claim()
        self.assertRaises(ConfigurationInvalid, two.claim)
        with self.assertRaises(ConfigurationInvalid):
            two.claim(shared=True)
        one.release()
        two.claim()
        two.release()

    def test_shared(self) -> None:
        """Several may share it, none then has it alone."""
        one, two, alone = (DataDirectory(self.root) for _ in range(3))
        one.claim(shared=True)
        two.claim(shared=True)
        self.assertRaises(ConfigurationInvalid, alone.claim)
        one.release()
        two.release()
