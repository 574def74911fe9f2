"""What every IBlobStore promises."""

from typing import Any

from zope.interface.verify import verifyObject

from packeton.errors import NotFound
from packeton.interfaces.blobs import IBlob, IBlobDraft, IBlobStore


class BlobStoreContract:
    """Mix into a TestCase; `make_store` gives an empty store."""

    make_store: Any

    def setUp(self) -> None:
        self.store = self.make_store()

    def keep(self, key: str, content: bytes) -> None:
        draft = self.store.draft()
        draft.write(content)
        draft.commit(key)

    def read(self, key: str) -> bytes:
        blob = self.store.open(key)
        try:
            return bytes(blob.read_at(0, blob.size))
        finally:
            blob.close()

    def test_interfaces(self) -> None:
        """Store, draft and blob are what they say."""
        verifyObject(IBlobStore, self.store)
        draft = self.store.draft()
        verifyObject(IBlobDraft, draft)
        verifyObject(IBlob, draft.reader())
        draft.discard()

    def test_shows_once_committed(self) -> None:
        """A blob is seen whole or not at all; a later one replaces it."""
        draft = self.store.draft()
        draft.write(b"one ")
        self.assertRaises(NotFound, self.store.open, "aa-key")
        draft.write(b"whole")
        draft.commit("aa-key")
        self.assertEqual(b"one whole", self.read("aa-key"))
        self.keep("aa-key", b"other")
        self.assertEqual(b"other", self.read("aa-key"))
        self.assertEqual([("aa-key", 5)], [(info.key, info.size) for info in self.store.listing()])

    def test_grows_under_a_reader(self) -> None:
        """A reader of a draft sees what is written, and goes on after commit."""
        draft = self.store.draft()
        reader = draft.reader()
        draft.write(b"abc")
        self.assertEqual((3, b"bc"), (reader.size, reader.read_at(1, 10)))
        draft.commit("aa-key")
        self.assertEqual(b"abc", reader.read_at(0, 10))
        self.assertEqual(b"", reader.read_at(3, 10))
        reader.close()
        reader.close()

    def test_discard(self) -> None:
        """A discarded draft leaves nothing, also after commit does nothing."""
        draft = self.store.draft()
        draft.write(b"abc")
        draft.discard()
        draft.discard()
        self.assertEqual([], list(self.store.listing()))
        self.keep("aa-key", b"x")
        self.assertEqual(b"x", self.read("aa-key"))

    def test_delete(self) -> None:
        """Deleting is final but for those who read; of nothing it does nothing."""
        self.keep("aa-key", b"abc")
        reader = self.store.open("aa-key")
        self.store.delete("aa-key")
        self.store.delete("aa-key")
        self.assertRaises(NotFound, self.store.open, "aa-key")
        self.assertEqual(b"abc", reader.read_at(0, 10))
        reader.close()
