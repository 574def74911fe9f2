"""
Uploads on their way to the disk, never in memory.

Theory of operation: Twisted reads the whole body before a route sees the request. For the paths of uploads our own
server runs the route first (`web/server`): it says who may, and then lets the body come. That goes into a draft of the
upload library's store; the draft is removed when the request ends, however it ends, unless a route took it. Only so
many uploads are on their way at once, and none is larger than the settings allow.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from os import SEEK_END
from pathlib import Path
from typing import IO, Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from packeton.errors import Invalid, PacketonError, StorageFailed, TooLarge, UpstreamBusy
from packeton.features.packages.uploads import Received
from packeton.interfaces.archives import IFileStore
from packeton.interfaces.clocks import InThread

__all__ = ["ReceivedForm", "UploadPlaces", "UploadSink", "receive"]

PATHS = re.compile(rb"/(?:packages/upload/[^/?]+/[^/?]+/[^/?]+|archive/upload)/?(?:\?|$)")
METHODS = frozenset({b"PUT", b"POST"})
CHUNK_BYTES = 1 << 18
MAX_FIELD_BYTES = 64 << 10
MAX_FIELDS = 50
TOO_LARGE = "the upload is larger than this server takes"
BUSY_FOR = timedelta(seconds=10)


class UploadSink:
    """A request's body in a file; what `Request.content` is for uploads. Without a file it takes nothing: *refusal*."""

    def __init__(
        self,
        path: Path | None,
        max_bytes: int,
        *,
        wanted: Callable[[], None],
        ended: Callable[[], None],
        refusal: PacketonError | None = None,
    ) -> None:
        self._path = path
        self._file: IO[bytes] | None = None if path is None else path.open("x+b")
        self._max_bytes = max_bytes
        self._wanted = wanted
        self._ended = ended
        self._refusal = refusal
        self._waiter: Deferred[None] | None = None
        self._written = 0
        self._complete = self._taken = self._closed = False

    async def arrive(self) -> None:
        """
        Let the body come, and wait for it.

        Raises:
            TooLarge: It is, or becomes, larger than the settings allow; known before all of it came.
            PacketonError: It cannot be taken now.
        """
        if self._refusal is None and not self._complete:
            self._waiter = Deferred()
            self._wanted()
            await self._waiter
        if self._refusal is not None:
            raise self._refusal

    def complete(self) -> None:
        """All of it is here."""
        self._complete = True
        self._wake()

    def write(self, data: bytes) -> int:
        """Append, as long as there is room."""
        self._written += len(data)
        if self._refusal is None and self._written > self._max_bytes:
            self._refusal = TooLarge(TOO_LARGE)
            self._wake()
        if self._refusal is None and self._file is not None:
            try:
                self._file.seek(0, SEEK_END)
                self._file.write(data)
            except OSError as error:
                self._refusal = _not_kept(error)
                self._wake()
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return 0 if self._file is None else self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return 0 if self._file is None else self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        return b"" if self._file is None else self._file.read(size)

    def take(self) -> Path:
        """Return the file, which is the caller's from now on. Raises StorageFailed."""
        assert self._file is not None, "who waited for it knows that it came"
        assert self._path is not None, "it has a file"
        try:
            self._file.flush()
        except OSError as error:
            raise _not_kept(error) from error
        self._taken = True
        return self._path

    def close(self) -> None:
        """Close the file, and remove it unless it was taken; called at the end, also of a lost connection."""
        if self._closed:
            return
        self._closed = True
        if self._file is not None and self._path is not None:
            with suppress(OSError):  # what it has buffered still
                self._file.close()
            if not self._taken:
                self._path.unlink(missing_ok=True)
        self._ended()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)


def _not_kept(error: OSError) -> StorageFailed:
    return StorageFailed(f"cannot keep an upload: {error.strerror}")


@define
class UploadPlaces:
    """Where bodies of uploads go."""

    _store: IFileStore
    _max_bytes: int
    _at_once: int = 16
    _open: int = field(default=0, init=False)

    def sink(self, method: bytes, path: bytes, length: int | None, wanted: Callable[[], None]) -> UploadSink | None:
        """
        Return where the body of a request goes; None when it is no upload. It should wait until *wanted* is called.

        Touches the disk, briefly, on the reactor thread.
        """
        if method not in METHODS or not PATHS.search(path):
            return None
        if length is not None and length > self._max_bytes:
            return self._refused(TooLarge(TOO_LARGE), wanted)
        if self._open >= self._at_once:
            return self._refused(UpstreamBusy("too many uploads are on their way", retry_after=BUSY_FOR), wanted)
        try:
            draft = self._store.draft()
            sink = UploadSink(draft, self._max_bytes, wanted=wanted, ended=self._freed)
        except StorageFailed as error:
            return self._refused(error, wanted)
        except OSError as error:
            return self._refused(_not_kept(error), wanted)
        self._open += 1
        return sink

    def _refused(self, error: PacketonError, wanted: Callable[[], None]) -> UploadSink:
        return UploadSink(None, 0, wanted=wanted, ended=lambda: None, refusal=error)

    def _freed(self) -> None:
        self._open -= 1


@frozen(kw_only=True)
class ReceivedForm:
    """An upload as it came: its file, and the fields beside it."""

    file: Received
    fields: dict[str, str]


async def receive(request: IRequest, store: IFileStore, in_thread: InThread, *, field: str) -> ReceivedForm:
    """
    Return the uploaded file of a request: the part *field* of a form, or the body itself.

    The draft is the caller's.

    Raises:
        TooLarge: It is larger than the settings allow.
        Invalid: There is no file in it, or the form is malformed.
        StorageFailed: It cannot be written.
    """
    content: Any = request.content
    if content is None:
        raise Invalid("the request has no body")
    if isinstance(content, UploadSink):
        await content.arrive()
    head = (request.requestHeaders.getRawHeaders(b"content-type") or [b""])[0].decode("latin-1")
    kind, options = parse_options_header(head)
    content.seek(0)
    if kind == "multipart/form-data":
        boundary = options.get("boundary", "")
        if not 0 < len(boundary) <= 200:
            raise Invalid("the form has no boundary")
        return await in_thread(_split, content, boundary.encode("latin-1"), store, field)
    if isinstance(content, UploadSink):
        return ReceivedForm(file=Received(draft=content.take(), name=None), fields={})
    return await in_thread(_copied, content, store)


def _copied(content: IO[bytes], store: IFileStore) -> ReceivedForm:
    """Copy a body that another server put elsewhere (ours is mounted in it)."""
    draft = store.draft()
    with draft.open("xb") as file:
        while chunk := content.read(CHUNK_BYTES):
            file.write(chunk)
    return ReceivedForm(file=Received(draft=draft, name=None), fields={})


def _split(content: IO[bytes], boundary: bytes, store: IFileStore, wanted: str) -> ReceivedForm:
    """Take the parts of a form: one file, and short fields. What is left of the file after an error is removed."""
    draft = store.draft()
    try:
        form = _read_parts(content, MultipartDecoder(boundary, max_parts=MAX_FIELDS), draft, wanted)
    except (ValueError, HTTPException) as error:
        draft.unlink(missing_ok=True)
        raise Invalid("the form is malformed, or has too many fields") from error
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _not_kept(error) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return form


def _read_parts(content: IO[bytes], decoder: MultipartDecoder, draft: Path, wanted: str) -> ReceivedForm:
    fields: dict[str, str] = {}
    name: str | None = None
    found = False
    target: Any = None
    with draft.open("xb") as file:
        while not isinstance(event := _next(decoder, content), Epilogue):
            if isinstance(event, File) and event.name == wanted and not found:
                found, name, target = True, event.filename, file
            elif isinstance(event, Field):
                target = _ShortField(fields, event.name or "")
            elif isinstance(event, File):
                target = None
            elif isinstance(event, Data) and target is not None:
                target.write(event.data)
    if not found:
        raise Invalid(f"the form has no file {wanted}")
    return ReceivedForm(file=Received(draft=draft, name=name), fields=fields)


def _next(decoder: MultipartDecoder, content: IO[bytes]) -> object:
    while isinstance(event := decoder.next_event(), NeedData):
        chunk = content.read(CHUNK_BYTES)
        decoder.receive_data(chunk or None)
    return event


class _ShortField:
    """Collects one text of a form."""

    def __init__(self, fields: dict[str, str], name: str) -> None:
        self._fields = fields
        self._name = name
        self._content = b""

    def write(self, data: bytes) -> None:
        """Take a piece."""
        self._content += data
        if len(self._content) > MAX_FIELD_BYTES:
            raise Invalid(f"the field {self._name[:60]} is too long")
        self._fields[self._name] = self._content.decode("utf-8", "replace")
