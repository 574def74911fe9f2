"""The commands there are, and what is imported for one."""

import subprocess
import sys
from unittest import TestCase

import click

from packeton.cli.main import COMMANDS, program

HEAVY = {"sqlalchemy", "alembic", "klein", "twisted.internet.reactor", "packeton.assembly.server"}


class ProgramTests(TestCase):
    """program."""

    def test_commands(self) -> None:
        """Each is found under its own name; those under the reference's names are not listed."""
        context = click.Context(program)
        for name in program.list_commands(context):
            command = program.get_command(context, name)
            assert command is not None
            self.assertEqual((name, ":" in name), (command.name, command.hidden))
        self.assertEqual(len(COMMANDS), len(program.list_commands(context)))
        self.assertIsNone(program.get_command(context, "nosuch"))

    def test_imports(self) -> None:
        """A command waits for nothing that it does not need."""
        for words, needless in ((("config", "check"), HEAVY), (("user", "--help"), {"alembic", "klein", "packeton.assembly.server"})):
            code = (
                f"import sys; from packeton.cli.main import program\n"
                f"try: program.main({list(words)!r})\nexcept SystemExit: pass\n"
                f"sys.exit(', '.join(set(sys.modules) & {needless!r}) or 0)"
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual((0, ""), (done.returncode, done.stderr), words)
