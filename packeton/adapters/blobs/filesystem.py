"""
Blobs as files: written as a draft, fsynced, renamed into place.

Theory of operation: `root/drafts/` holds what is being written, `root/blobs/<aa>/<key>` what is whole. A file appears
under `blobs/` only by `rename` after its content is on the disk, so a kill at any point leaves either nothing, or a
draft that the next start sweeps away, or a whole blob. Whoever writes a draft holds a lock on it until it dies: another
process that starts meanwhile leaves it alone.
"""

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field
from zope.interface import implementer

from packeton.errors import NotFound, StorageFailed
from packeton.interfaces.blobs import BlobInfo, IBlob, IBlobDraft, IBlobStore

__all__ = ["FileBlob", "FilesystemBlobStore", "storage_errors", "sync_directory"]

KEY = re.compile(r"[0-9a-z][0-9a-z._-]{2,127}")


@contextlib.contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn what the operating system says into StorageFailed, without paths."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{doing}: {error.strerror or errno.errorcode.get(error.errno or 0, 'error')}") from error


@implementer(IBlob)
class FileBlob:
    """An open file; takes over its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        """Bytes, now."""
        return os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, max_bytes: int) -> bytes:
        """Read from the page cache or the disk."""
        return os.pread(self._descriptor, max_bytes, offset)

    def fileno(self) -> int | None:
        """Return the open descriptor."""
        return self._descriptor if self._descriptor >= 0 else None

    def close(self) -> None:
        """Close the descriptor once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


@implementer(IBlobDraft)
class _FileDraft:
    def __init__(self, store: "FilesystemBlobStore", path: Path) -> None:
        self._store = store
        self._path: Path | None = path
        self.size = 0
        with storage_errors("cannot begin a file in the store"):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        _lock(self._descriptor)

    def write(self, data: bytes) -> None:
        with storage_errors("cannot write to the store"):
            view = memoryview(data)
            while view:
                written = os.pwrite(self._descriptor, view, self.size)
                self.size += written
                view = view[written:]

    def reader(self) -> IBlob:
        return FileBlob(os.dup(self._descriptor))

    def commit(self, key: str) -> None:
        assert self._path is not None, "a draft ends once"
        target = self._store.path(key)
        with storage_errors("cannot keep a file in the store"):
            os.fsync(self._descriptor)
            target.parent.mkdir(exist_ok=True)
            self._path.rename(target)
            sync_directory(target.parent)
        self._path = None
        self._close()

    def discard(self) -> None:
        path, self._path = self._path, None
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.discard()


def sync_directory(path: Path) -> None:
    """Make what was renamed into a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@implementer(IBlobStore)
@define
class FilesystemBlobStore:
    """A directory of blobs. One process writes; others may read and delete."""

    root: Path
    _new_name: Callable[[], str]
    """Gives a name that was never given before, of lower-case letters and digits."""
    _ready: bool = field(default=False, init=False)

    def draft(self) -> IBlobDraft:
        """Begin a blob."""
        self._prepare()
        return _FileDraft(self, self.root / "drafts" / self._new_name())

    def open(self, key: str) -> IBlob:
        """Open the blob of *key*."""
        try:
            return FileBlob(os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            raise NotFound("no such blob") from error
        except OSError as error:
            raise StorageFailed(f"cannot read the store: {error.strerror}") from error

    def delete(self, key: str) -> None:
        """Unlink the blob of *key*, if any."""
        with contextlib.suppress(FileNotFoundError), storage_errors("cannot delete from the store"):
            try:
                self.path(key).unlink()
            except FileNotFoundError:
                return

    def listing(self) -> Iterator[BlobInfo]:
        """Walk over the directories, two levels."""
        for folder in _directories(self.root / "blobs"):
            for file in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    stat = file.stat()
                    modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                    yield BlobInfo(key=file.name, size=stat.st_size, modified_at=modified)

    def sweep(self) -> int:
        """Unlink the drafts that nobody writes."""
        swept = 0
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for file in os.scandir(self.root / "drafts"):
                with contextlib.suppress(OSError):
                    swept += _unlink_abandoned(file.path)
        return swept

    def path(self, key: str) -> Path:
        """Return where *key* lies; the key's form makes leaving the root impossible."""
        if not KEY.fullmatch(key):
            raise NotFound("no such blob")
        return self.root / "blobs" / key[:2] / key

    def _prepare(self) -> None:
        if not self._ready:
            with storage_errors("cannot make the store's directories"):
                (self.root / "drafts").mkdir(parents=True, exist_ok=True)
                (self.root / "blobs").mkdir(exist_ok=True)
            self._ready = True


def _lock(descriptor: int) -> bool:
    """Lock a file for as long as it is open; False: another holds it. Where there are no locks everything is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _unlink_abandoned(path: str) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not _lock(descriptor):
            return False
        Path(path).unlink()
        return True
    finally:
        os.close(descriptor)


def _directories(path: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        yield from (item.path for item in os.scandir(path) if item.is_dir(follow_symlinks=False))
