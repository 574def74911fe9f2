"""What a mirror lets be seen, by rules alone."""

from datetime import timedelta
from unittest import TestCase

from packeton.core.caching.modes import AllowList, Mode, ReservedVendors, interval_of


class ModeTests(TestCase):
    """Rules of one mirror."""

    def test_intervals(self) -> None:
        """As contract 05 section 4 has them."""
        self.assertEqual(timedelta(seconds=300), interval_of(Mode.LAZY, changes=True, v2=True))
        self.assertEqual(timedelta(seconds=1800), interval_of(Mode.LAZY, changes=False, v2=True))
        self.assertEqual(timedelta(seconds=7200), interval_of(Mode.LAZY, changes=False, v2=False))
        self.assertEqual(timedelta(seconds=86400), interval_of(Mode.FULL, changes=True, v2=True))

    def test_allow_list(self) -> None:
        """Empty allows all; else a name or a glob must fit."""
        self.assertTrue(AllowList().admits("acme/foo"))
        listed = AllowList(names=["acme/foo"], patterns=["symfony/*", "*/polyfill-?"])
        for name, admitted in (
            ("acme/foo", True), ("acme/foo2", False), ("symfony/console", True), ("x/polyfill-a", True), ("x/y", False),
        ):  # fmt: skip
            self.assertEqual(admitted, listed.admits(name), name)

    def test_reserved(self) -> None:
        """A vendor is exact unless it is a glob; exceptions are names, globs or vendors."""
        reserved = ReservedVendors(vendors=["Acme", "corp-*"], exceptions=["acme/open-*", "corp-public"])
        for name, covered in (
            ("acme/foo", True), ("acme-x/foo", False), ("corp-a/foo", True), ("corp/foo", False),
            ("acme/open-source", False), ("corp-public/anything", False), ("other/acme", False),
        ):  # fmt: skip
            self.assertEqual(covered, reserved.cover(name), name)
