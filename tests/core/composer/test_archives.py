"""Zips: whole and safe, or refused."""

import io
import stat
import zipfile

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.archives import ArchiveBounds, verify_zip
from packeton.errors import BadContent

BOUNDS = ArchiveBounds(max_entries=10, max_unpacked_bytes=1 << 20)


def archive(
    entries: dict[str, bytes], links: dict[str, str] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, content in entries.items():
            made.writestr(zipfile.ZipInfo(name), content, compress_type=method)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(info, target)
    return buffer.getvalue()


def contents(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def check(content: bytes) -> None:
    verify_zip(io.BytesIO(content), BOUNDS)


class VerifyTests(SynchronousTestCase):
    """One archive at a time."""

    good = archive({"acme-foo-1/composer.json": b'{"name":"acme/foo"}' * 50, "acme-foo-1/src/A.php": b"<?php\n" * 400})

    def test_good(self) -> None:
        """Stored, deflated, with directories, comments, links inside and non-ASCII names."""
        check(self.good)
        check(archive({"a/": b"", "a/é.txt": b"x"}, {"a/l": "é.txt", "a/b/l": "../c"}))
        check(archive({"a": b"x" * 1000}, method=zipfile.ZIP_STORED))

    def test_every_flipped_byte_of_content(self) -> None:
        """Wherever a byte of an entry's data or header is flipped, it is noticed."""
        with zipfile.ZipFile(io.BytesIO(self.good)) as made:
            directory = made.start_dir
        for at in range(directory):
            damaged = bytearray(self.good)
            damaged[at] ^= 0x55
            try:
                check(bytes(damaged))
            except BadContent:
                continue
            # What passes must unpack to the same bytes: dates, spare bits of deflate, other codes of one text.
            self.assertEqual(contents(self.good), contents(bytes(damaged)), at)

    def test_flipped_directory(self) -> None:
        """In the directory and the record at the end nearly every flipped bit is noticed, and none that unpacks otherwise."""
        with zipfile.ZipFile(io.BytesIO(self.good)) as made:
            directory = made.start_dir
        unnoticed = 0
        for at in range(directory, len(self.good)):
            damaged = bytearray(self.good)
            damaged[at] ^= 0x81
            try:
                check(bytes(damaged))
            except BadContent:
                continue
            self.assertEqual(contents(self.good), contents(bytes(damaged)), at)
            unnoticed += 1
        self.assertLess(unnoticed, (len(self.good) - directory) // 6)

    def test_cut_anywhere(self) -> None:
        """A cut zip is never good."""
        for at in range(0, len(self.good), 7):
            with self.assertRaises(BadContent):
                check(self.good[:at])

    def test_escapes(self) -> None:
        """No name and no link leads outside."""
        for name in ("../x", "a/../../x", "/etc/passwd", "a\\..\\x", "C:/x"):
            with self.assertRaises(BadContent, msg=name):
                check(archive({name: b"x"}))
        for target in ("/etc/passwd", "../../x", "..", "b/../../../x"):
            with self.assertRaises(BadContent, msg=target):
                check(archive({}, {"l": target}))

    def test_bounds(self) -> None:
        """Too many entries, too much content, nothing at all."""
        for entries in ({f"{n}": b"" for n in range(11)}, {"a": bytes(2 << 20)}, {}):
            with self.assertRaises(BadContent):
                check(archive(entries))

    def test_not_a_zip(self) -> None:
        """HTML, nothing, other archives."""
        for content in (b"", b"<html>no</html>", b"\x1f\x8b" + bytes(100), b"PK\x03\x04" + bytes(100)):
            with self.assertRaises(BadContent):
                check(content)
