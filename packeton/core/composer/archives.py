"""
Is this zip whole and safe to unpack?

Composer itself installs a zip with a damaged entry without a word when its metadata has no shasum (unzip fails, the
fallback swallows the checksum error), so what this lets through is what gets installed.
Source: APPNOTE.TXT 6.3.10; field observation of Composer 2.5 and 2.10.
"""

import stat
import struct
import zipfile
import zlib
from typing import IO

from attrs import frozen

from packeton.core.composer.artifacts import manifest_path
from packeton.errors import BadContent, Invalid

__all__ = ["ArchiveBounds", "verify_zip", "zip_manifest"]

MAX_MANIFEST_BYTES = 2 * 2**20

CHUNK_BYTES = 1 << 18
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
FILE_TYPES = frozenset({0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})
UNIX = 3
HAS_DESCRIPTOR = 0x08


@frozen(kw_only=True)
class ArchiveBounds:
    """What an archive may at most be."""

    max_entries: int = 100_000
    max_unpacked_bytes: int = 4 * 2**30
    max_name_bytes: int = 4096


def verify_zip(file: IO[bytes], bounds: ArchiveBounds) -> None:
    """
    Read a zip through: structure, every entry's size and CRC, names and links that stay inside. Blocks for long.

    Raises:
        BadContent: the zip is damaged, larger than *bounds*, encrypted, of an unknown compression, or would escape
            from the directory it is unpacked in. The text names the first fault.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _verify(archive, file, bounds)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, OSError, ValueError) as error:
        raise BadContent(f"a damaged zip: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # compression method, encryption
        raise BadContent(f"a zip that cannot be read: {error}") from error


def zip_manifest(file: IO[bytes]) -> bytes:
    """
    Return the composer.json of a zip that was verified, or lies in a directory that is trusted.

    Raises:
        BadContent: The zip cannot be read.
        Invalid: It has no composer.json where Composer looks for it, or a very large one.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entry = archive.getinfo(manifest_path(archive.namelist()))
            if entry.file_size > MAX_MANIFEST_BYTES:
                raise Invalid("composer.json is too large")
            with archive.open(entry) as content:
                return content.read(MAX_MANIFEST_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BadContent(f"a zip that cannot be read: {error}") from error


def _verify(archive: zipfile.ZipFile, file: IO[bytes], bounds: ArchiveBounds) -> None:
    entries = archive.infolist()
    if not entries:
        raise BadContent("an empty zip")
    if len(entries) > bounds.max_entries:
        raise BadContent(f"a zip of {len(entries)} entries, more than {bounds.max_entries}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > bounds.max_unpacked_bytes:
        raise BadContent(f"a zip that unpacks to {unpacked} bytes, more than {bounds.max_unpacked_bytes}")
    _verify_end(archive, file, len(entries))
    for entry in entries:
        _verify_name(entry.orig_filename, bounds)
        _verify_header(entry, file)
        target = _read_through(archive, entry)
        if stat.S_ISLNK(entry.external_attr >> 16):
            _verify_link(entry.filename, target)


def _verify_end(archive: zipfile.ZipFile, file: IO[bytes], entries: int) -> None:
    """Hold the record at the end against what was found: nothing before the directory's end, nothing after its own."""
    at = file.seek(0, 2) - END_OF_DIRECTORY.size - len(archive.comment)
    file.seek(at)
    fields = END_OF_DIRECTORY.unpack(file.read(END_OF_DIRECTORY.size))
    signature, disk, first_disk, here, total, size, offset, comment = fields
    zip64 = 0xFFFF in (here, total) or 0xFFFFFFFF in (size, offset)
    whole = zip64 or (here == total == entries and offset + size == at)
    if signature != b"PK\x05\x06" or disk or first_disk or comment != len(archive.comment) or not whole:
        raise BadContent("a damaged zip: the record at its end does not fit")


def _verify_name(name: str, bounds: ArchiveBounds) -> None:
    parts = name.replace("\\", "/").split("/")
    drive = len(parts[0]) == 2 and parts[0].endswith(":")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or drive or not name:
        raise BadContent("a zip with an entry that would be written outside its directory")
    if len(name.encode(errors="replace")) > bounds.max_name_bytes:
        raise BadContent("a zip with an entry of an overlong name")


def _verify_header(entry: zipfile.ZipInfo, file: IO[bytes]) -> None:
    """Hold the entry's own header against the directory: two copies of one truth must agree."""
    file.seek(entry.header_offset)
    fields = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    _, _, flags, method, clock, date, crc, packed, size, _, _ = fields
    year, month, day, hour, minute, second = entry.date_time
    moment = ((year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second >> 1)
    same = flags == entry.flag_bits and method == entry.compress_type and moment == (date, clock) and not entry.volume
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == UNIX else 0
    same = same and kind in FILE_TYPES and (kind == stat.S_IFDIR) <= entry.is_dir()
    if not flags & HAS_DESCRIPTOR and same:
        zip64 = 0xFFFFFFFF in (packed, size)
        same = crc == entry.CRC and (zip64 or (packed == entry.compress_size and size == entry.file_size))
    if not same:
        raise BadContent("a damaged zip: an entry's header differs from the directory")


def _read_through(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read an entry to its end, so that its CRC is checked; return its first bytes."""
    with archive.open(entry) as content:
        first = content.read(CHUNK_BYTES)
        read = len(first)
        while chunk := content.read(CHUNK_BYTES):
            read += len(chunk)
    if read != entry.file_size:
        raise BadContent("a damaged zip: an entry is shorter than the directory says")
    return first


def _verify_link(name: str, target: bytes) -> None:
    depth = len(name.split("/")) - 1
    text = target.decode(errors="replace").replace("\\", "/")
    for part in text.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0 or text.startswith("/"):
            raise BadContent("a zip with a link that leads outside its directory")
