"""`%env(…)%` and `%parameter%`."""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.config.environment import interpolate

PARAMETERS = {
    "host": "x.example", "port": 81, "yes": True, "list": ["%host%", {"deep": "%env(A)%"}], "loop": "%pool%", "pool": "%loop%",
    "env(FALLBACK)": "fell", "nothing": None, "a.b": "dotted",
}  # fmt: skip


class InterpolateTests(SynchronousTestCase):
    """Every cast, good and bad."""

    def put(self, value: Any, **environment: str) -> Any:
        return interpolate(value, {"A": "a", **environment}, PARAMETERS)

    def refused(self, value: Any, **environment: str) -> str:
        with self.assertRaises(ValueError) as caught:
            self.put(value, **environment)
        return str(caught.exception)

    def test_bool(self) -> None:
        """PHP's FILTER_VALIDATE_BOOL, and numbers; what is neither is refused."""
        for text in ("1", "true", "TRUE", "on", "Yes", "2", "-1", "0.5", " true "):
            self.assertIs(True, self.put("%env(bool:X)%", X=text), text)
            self.assertIs(False, self.put("%env(not:X)%", X=text), text)
        for text in ("0", "false", "off", "no", "", "0.0", "null"):
            self.assertIs(False, self.put("%env(bool:X)%", X=text), text)
            self.assertIs(True, self.put("%env(not:bool:X)%", X=text), text)
        for text in ("maybe", "nan", "inf", "1_0"):
            self.assertEqual("the environment's X cannot be read as bool", self.refused("%env(bool:X)%", X=text))

    def test_numbers(self) -> None:
        """Decimal ones only."""
        for text, expected in {"5": 5, "-5": -5, "+5": 5, "5.9": 5, "1e3": 1000, " 7 ": 7, "9007199254740993": 9007199254740993}.items():
            self.assertEqual(expected, self.put("%env(int:X)%", X=text))
        for text, expected in {"5": 5.0, "-.5": -0.5, "1e3": 1000.0}.items():
            self.assertEqual(expected, self.put("%env(float:X)%", X=text))
        for text in ("", "abc", "inf", "nan", "1_000", "0x10", "1e999", "9" * 10_000 + "x"):
            self.refused("%env(int:X)%", X=text)
        for text in ("", "abc", "inf", "nan", "1_000"):
            self.refused("%env(float:X)%", X=text)

    def test_json(self) -> None:
        """With all that it can hold, and members of it."""
        for value in ({"a": [1, None]}, [], None, [True]):
            self.assertEqual(value, self.put("%env(json:X)%", X=json.dumps(value)))
        self.assertEqual("v", self.put("%env(key:k:json:X)%", X='{"k": "v"}'))
        self.assertEqual(7, self.put("%env(int:key:1:json:X)%", X='["a", "7"]'))
        self.assertIn("no member k", self.refused("%env(key:k:json:X)%", X="{}"))
        self.assertIn("no member 1", self.refused("%env(key:1:json:X)%", X="[1]"))
        self.assertIn("cannot be read as json", self.refused("%env(json:X)%", X="{tellnobody"))
        self.assertIn("cannot be read as json", self.refused("%env(json:X)%", X="[" * 100_000))

    def test_texts(self) -> None:
        """string, trim, csv, base64 in both alphabets and without padding."""
        self.assertEqual(" x ", self.put("%env(string:X)%", X=" x "))
        self.assertEqual("x", self.put("%env(trim:X)%", X=" x\n"))
        self.assertEqual(["a", "b, c", ""], self.put("%env(csv:X)%", X='a,"b, c",'))
        self.assertEqual([], self.put("%env(csv:X)%", X=""))
        self.assertEqual("ÿþ?>", self.put("%env(base64:X)%", X=base64.urlsafe_b64encode("ÿþ?>".encode()).decode().rstrip("=")))
        self.refused("%env(base64:X)%", X="!!")
        self.refused("%env(base64:X)%", X="/w==")

    def test_file(self) -> None:
        """A whole file, of at most 1 MiB; `trim` takes the last line's end away."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "secret"
            path.write_text("s3cret\n")
            self.assertEqual("s3cret\n", self.put("%env(file:X)%", X=str(path)))
            self.assertEqual("s3cret", self.put("%env(trim:file:X)%", X=str(path)))
            path.write_bytes(b"x" * (2**20 + 1))
            self.assertIn("as file", self.refused("%env(file:X)%", X=str(path)))
            path.write_bytes(b"\xff")
            self.assertIn("as file", self.refused("%env(file:X)%", X=str(path)))
            self.assertIn("as file", self.refused("%env(file:X)%", X=folder))
        self.assertIn("as file", self.refused("%env(file:X)%", X="/no/such/file"))
        self.assertIn("as file", self.refused("%env(file:X)%", X="a\0b"))

    def test_default(self) -> None:
        """Stands in for what is missing or empty, never for what is wrong."""
        self.assertEqual("x.example", self.put("%env(default:host:NONE)%"))
        self.assertEqual("x.example", self.put("%env(default:host:X)%", X=""))
        self.assertEqual("given", self.put("%env(default:host:X)%", X="given"))
        self.assertIsNone(self.put("%env(default::NONE)%"))
        self.assertEqual(["%"], self.put("%env(default:host:json:X)%", X='["%"]'))
        self.assertIs(False, self.put("%env(default:host:bool:X)%", X="no"))
        self.assertEqual("x.example", self.put("%env(default:host:key:k:json:X)%", X="{}"))
        self.assertIn("cannot be read as json", self.refused("%env(default:host:json:X)%", X="{"))
        self.assertIn("no parameter typo", self.refused("%env(default:typo:NONE)%"))
        self.assertIn("needs a name", self.refused("%env(default:NONE)%"))

    def test_resolve(self) -> None:
        """Parameters and variables within a variable."""
        self.assertEqual("https://x.example/a%", self.put("%env(resolve:X)%", X="https://%host%/%env(A)%%%"))
        self.assertIn("no parameter", self.refused("%env(resolve:X)%", X="%typo%"))
        self.assertIn("circle", self.refused("%env(resolve:X)%", X="%env(resolve:X)%"))
        self.assertIn("circle", self.refused(f"%env({'trim:' * 5000}A)%"))

    def test_parameters(self) -> None:
        """Of any type when they stand alone; within maps and lists too."""
        self.assertIs(True, self.put("%yes%"))
        self.assertIsNone(self.put("%nothing%"))
        self.assertEqual(["x.example", {"deep": "a"}], self.put("%list%"))
        self.assertEqual("x.example:81/dotted", self.put("%host%:%port%/%a.b%"))
        self.assertEqual("<>", self.put("<%nothing%>"))
        self.assertEqual("fell", self.put("%env(FALLBACK)%"))
        self.assertEqual("real", self.put("%env(FALLBACK)%", FALLBACK="real"))
        self.assertEqual({"x": ["a", 3]}, self.put({"x": ["%env(A)%", 3]}))
        self.assertIn("circle", self.refused("%loop%"))
        for text in ("<%yes%>", "<%list%>"):
            self.assertIn("part of a text", self.refused(text))

    def test_plain(self) -> None:
        """Percent signs that mean themselves, and what is no text."""
        for text, expected in {"100%": "100%", "100%%": "100%", "%%host%%": "%host%", "%": "%", "% host %": "% host %"}.items():
            self.assertEqual(expected, self.put(text))
        for value in (5, None, True, 1.5):
            self.assertIs(value, self.put(value))

    def test_refused(self) -> None:
        """What is not there or not known is named."""
        for text, expected in {
            "%env(NONE)%": "the environment has no NONE", "%typo%": "there is no parameter typo", "%env(enum:A)%": "%env(enum:…)% is not known",
            "%env(bool:NONE)%": "the environment has no NONE", "%env()%": "must name a variable", "%env(bool:)%": "must name a variable",
            "%env(A B)%": "must name a variable",
        }.items():  # fmt: skip
            self.assertIn(expected, self.refused(text))

    @given(st.text(max_size=40))
    def test_escaped(self, text: str) -> None:
        """Any text can be written, with its percent signs doubled."""
        self.assertEqual(text, self.put(text.replace("%", "%%")))

    @given(st.sampled_from(["bool", "int", "float", "json", "base64", "csv", "trim", "string", "file", "resolve", "not"]), st.text(max_size=20))
    def test_any_value(self, cast: str, text: str) -> None:
        """Whatever a variable holds, a cast gives a value or says in one line that it cannot, without repeating it."""
        secret = f"tellnobody{text}"
        try:
            self.put(f"%env({cast}:X)%", X=secret)
        except ValueError as error:
            self.assertTrue(cast == "resolve" or "tellnobody" not in str(error), str(error))
