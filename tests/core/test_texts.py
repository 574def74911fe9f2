"""What is left of texts of strangers."""

from unittest import TestCase

from packeton.core.texts import legible


class LegibleTests(TestCase):
    """legible."""

    def test_kept(self) -> None:
        """Letters of all scripts, tabs and line feeds."""
        text = "a\tb\nÄ ω 漢 😀 \u200d"
        self.assertEqual(text, legible(text))

    def test_dropped(self) -> None:
        """What a terminal would obey, or a database refuse."""
        self.assertEqual("red\nab", legible("\x1b[31mred\x1b[0m\r\na\0\x07\x7f\ud800b"))
