"""`.env` files."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.config.dotenv import with_dotenv
from packeton.errors import ConfigurationInvalid


class DotenvTests(SynchronousTestCase):
    """As Symfony reads them."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def read(self, content: str | bytes, **environment: str) -> dict[str, str]:
        (self.folder / ".env").write_bytes(content if isinstance(content, bytes) else content.encode())
        return with_dotenv(environment, self.folder)

    def test_values(self) -> None:
        """Quotes, comments, references, line ends."""
        for content, expected in {
            "K=": "", "K= # why": "", "K=#why": "", "K=x # why": "x", "K=x#y": "x#y", 'K="x # y" # why': "x # y", "K='x'\"y\"z": "xyz",
            "export K=x": "x", "\n\n# c\n  K=x\n": "x", "K=x\r\n": "x", "\ufeffK=x": "x", 'K="a\nb"': "a\nb", "K='a\nb'": "a\nb",
            r'K="a\nb\r\"c\" \\ \$A"': 'a\nb\r"c" \\ $A', r"K='a\nb $A'": r"a\nb $A", "A=1\nK=$A-${A}": "1-1", 'A=1\nK="$A b"': "1 b",
            "K=${N:-d}": "d", "K=${N:=d}": "d", "E=\nK=${E:-d}": "d", "K=$N": "", r"K=a\$A": "a$A", r"K=a\"b": 'a"b', "K=a=b": "a=b",
            "K=1\nK=2": "2", "K=é": "é",
        }.items():  # fmt: skip
            self.assertEqual(expected, self.read(content)["K"], content)

    def test_refused(self) -> None:
        """File and line, one line, and never the value."""
        for content, line, expected in (
            ("K", 1, "must be NAME=value"), ("A=1\n\nK = tellnobody", 3, "must be NAME=value"), ("1K=tellnobody", 1, "must be NAME=value"),
            ("K= tellnobody", 1, "no space before"), ("K=tell nobody", 1, "in quotes"), ('A=1\nK="tellnobody', 2, "not closed"),
            ("K=tell'nobody", 1, "not closed"), ("K=$(tellnobody)", 1, "not run"), ('K="$(tellnobody)"', 1, "not run"),
            ('A="x\ny"\nK', 3, "must be NAME=value"), ("K-X=tellnobody", 1, "must be NAME=value"),
        ):  # fmt: skip
            with self.assertRaises(ConfigurationInvalid) as caught:
                self.read(content)
            message = str(caught.exception)
            self.assertTrue(message.startswith(f"{self.folder / '.env'}:{line}: "), message)
            self.assertIn(expected, message)
            self.assertNotIn("nobody", message)
            self.assertNotIn("\n", message)

    def test_unreadable(self) -> None:
        """Not UTF-8, too large, a directory."""
        for content in (b"K=\xff", b"K=" + b"x" * 2**20):
            with self.assertRaises(ConfigurationInvalid):
                self.read(content)
        (self.folder / ".env").unlink()
        (self.folder / ".env").mkdir()
        with self.assertRaises(ConfigurationInvalid):
            with_dotenv({}, self.folder)

    def test_order(self) -> None:
        """Each file over the one before, the real environment over all; a value may refer to a weaker file's."""
        for name, content in {
            ".env": "A=1\nB=1\nC=1\nD=1\nE=1\n", ".env.local": "B=2\nC=2\nD=2\nR=${A}x$E\n", ".env.prod": "C=3\nD=3\n", ".env.prod.local": "D=4\n",
            ".env.test": "C=test\n", ".env.dev.local": "C=dev\n",
        }.items():  # fmt: skip
            (self.folder / name).write_text(content)
        found = with_dotenv({"E": "real"}, self.folder)
        self.assertEqual({"A": "1", "B": "2", "C": "3", "D": "4", "E": "real", "R": "1xreal"}, found)
        self.assertEqual("test", with_dotenv({"APP_ENV": "test"}, self.folder)["C"])
        (self.folder / ".env.local").write_text("APP_ENV=dev")
        self.assertEqual("dev", with_dotenv({}, self.folder)["C"])
        self.assertEqual("1", with_dotenv({"APP_ENV": "../x"}, self.folder)["C"])

    def test_none(self) -> None:
        """Without files the environment is what it was."""
        self.assertEqual({"A": "1"}, with_dotenv({"A": "1"}, self.folder))
        self.assertEqual({"A": "1"}, with_dotenv({"A": "1"}, self.folder / "nowhere"))

    @given(st.text(st.characters(exclude_characters="'\0\r", exclude_categories=["Cs"]), max_size=40))
    def test_single_quotes(self, text: str) -> None:
        """Anything but a single quote stands for itself in single quotes."""
        self.assertEqual(text, self.read(f"K='{text}'\nL=1")["K"])

    @given(st.text(max_size=60).filter(lambda text: text.isprintable()))
    def test_any_line(self, text: str) -> None:
        """Any line is read, or refused by file and line."""
        try:
            self.assertIn("L", self.read(f"{text}\nL=1\n") if "'" not in text and '"' not in text else {"L": ""})
        except ConfigurationInvalid as error:
            self.assertTrue(str(error).startswith(f"{self.folder / '.env'}:1: "), str(error))
