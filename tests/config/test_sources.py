"""YAML files: scalars, lines, and what is refused."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.config.sources import Tree, files_of, read_tree
from packeton.errors import ConfigurationInvalid


class SourcesTests(SynchronousTestCase):
    """One tree out of several files."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def read(self, *contents: str | bytes, **environment: str) -> Tree:
        files = []
        for number, content in enumerate(contents):
            files.append(self.folder / f"{number}.yaml")
            files[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_tree(files, environment)

    def refused(self, *contents: str | bytes) -> str:
        with self.assertRaises(ConfigurationInvalid) as caught:
            self.read(*contents)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def scalar(self, text: str) -> Any:
        return self.read(f"packeton: {{x: {text}}}").values["packeton"]["x"]

    def test_scalars(self) -> None:
        """As Symfony reads them: no Norway problem, no octal, no sexagesimal, no dates."""
        for text, expected in {
            "yes": "yes", "no": "no", "on": "on", "off": "off", "y": "y", "true": True, "False": False, "TRUE": True, "~": None, "null": None,
            "": None, "0": 0, "12": 12, "-3": -3, "+3": 3, "010": "010", "0o10": "0o10", "0x1F": 31, "1:30": "1:30", "1.5": 1.5, "-.5": -0.5, "2024-01-05": "2024-01-05",
            "2024-13-45": "2024-13-45", "1e3": "1e3", "1.": "1.", "'12'": "12", '"a\\nb"': "a\nb", "a b": "a b", "=": "=",
        }.items():  # fmt: skip
            found = self.scalar(text)
            self.assertEqual((expected, type(expected)), (found, type(found)), text)

    def test_merge(self) -> None:
        """Maps deeply; lists, scalars and null replace, also a map."""
        tree = self.read(
            "packeton: {a: {b: 1, c: [1, 2]}, d: {e: 1}, f: 1}", "packeton: {a: {c: [3]}, d: ~}", "packeton: {f: {g: 1}}\nparameters: {}"
        )
        self.assertEqual({"packeton": {"a": {"b": 1, "c": [3]}, "d": None, "f": {"g": 1}}}, tree.values)
        self.assertEqual(f"{self.folder / '1.yaml'}:1", tree.origins["packeton.a.c"])
        self.assertEqual(f"{self.folder / '0.yaml'}:1", tree.origins["packeton.a.b"])

    def test_parameters_across_files(self) -> None:
        """A parameter of a later file counts in an earlier one."""
        tree = self.read("parameters: {a: 1}\npacketon: {x: '%a%', y: ['%env(E)%']}", "parameters: {a: 2}", E="e")
        self.assertEqual({"x": 2, "y": ["e"]}, tree.values["packeton"])

    def test_anchors(self) -> None:
        """Anchors, aliases and merge keys; changing one use leaves the others."""
        tree = self.read("packeton:\n  a: &a {x: 1, l: [1]}\n  b: *a\n  c: {<<: *a, x: 2}", "packeton: {a: {x: 5}}")
        self.assertEqual({"a": {"x": 5, "l": [1]}, "b": {"x": 1, "l": [1]}, "c": {"x": 2, "l": [1]}}, tree.values["packeton"])

    def test_too_much(self) -> None:
        """Neither a bomb of aliases nor deep nesting nor a large file takes more than a moment."""
        levels = [f"  a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
        self.assertIn("too much in one file", self.refused("\n".join(["parameters:", "  a0: &a0 x", *levels])))
        self.assertIn("nested too deeply", self.refused("packeton: &a\n  x: *a"))
        self.assertIn("nested too deeply", self.refused("packeton: " + "[" * 60 + "]" * 60))
        self.assertIn("nested too deeply", self.refused("packeton: " + "[" * 5000 + "]" * 5000))
        self.assertIn("is larger than", self.refused("#" * (4 * 2**20 + 1)))

    def test_broken(self) -> None:
        """File and line."""
        for content, expected in {
            "packeton:\n  - a: [": "0.yaml:2: ", "a: b: c": "0.yaml:1: ", "packeton: !!python/name:os.system": "0.yaml:1: could not determine",
            b"packeton: \xff": "0.yaml: ", b"packeton: \0": "0.yaml: ", "a: 1\n---\nb: 1": "0.yaml:2: ", "packeton: *nope": "0.yaml:1: found undefined alias",
            "packeton: {[1]: 2}": "0.yaml:1: a key must be text", "packeton: {<<: 1}": "0.yaml:1: ", "x": "0.yaml:1: must be a map",
            "\tpacketon: 1": "0.yaml:1: ", "packeton: !!int ten": "0.yaml",
        }.items():  # fmt: skip
            self.assertTrue(self.refused(content).startswith(str(self.folder / expected)), f"{content!r}: {self.refused(content)}")

    def test_twins(self) -> None:
        """A key that stands twice is refused, with its path; the same key in two files is a merge."""
        self.assertTrue(self.refused("packeton:\n  a: {b: 1,\n    b: 2}").startswith("packeton.a.b: stands twice"))
        self.assertTrue(self.refused("packeton: {}\npacketon: {}").startswith("packeton: stands twice"))

    def test_sections(self) -> None:
        """Only ours, and each a map."""
        for content in ("flysystem: {}", "okvpn_cron: {}", "twig: ~", "imports: []"):
            self.assertIn("unknown section", self.refused(content))
        for section in ("packeton", "parameters"):
            self.assertTrue(self.refused(f"{section}: [1]").startswith(f"{section}: must be a map"))
        for content in ("", "# nothing", "packeton:", "---\n..."):
            self.assertEqual({"packeton": {}}, self.read(content).values)

    def test_files_of(self) -> None:
        """The YAML files of a directory by name; a file is itself."""
        for name in ("b.yaml", "a.yml", "10.yaml", "9.yaml", "c.yaml.bak", ".hidden.yaml", "notes.txt"):
            (self.folder / name).write_text("")
        (self.folder / "d.yaml").mkdir()
        self.assertEqual(["10.yaml", "9.yaml", "a.yml", "b.yaml"], [file.name for file in files_of(self.folder)])
        self.assertEqual([self.folder / "x.txt"], files_of(self.folder / "x.txt"))

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
    def test_any_text(self, content: str) -> None:
        """Any file is read, or refused in one line that names it or the option."""
        try:
            self.read(content)
        except ConfigurationInvalid as error:
            self.assertNotIn("\n", str(error))
