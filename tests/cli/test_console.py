"""Options of the reference's console, and progress with and without a terminal."""

import os
import sys
import tempfile
from io import StringIO
from unittest import TestCase

import click
from click.testing import CliRunner, Result
from rich.console import Console

from packeton.cli.console import ConsoleCommand
from packeton.cli.main import line, program
from packeton.cli.progress import Steps
from packeton.errors import NotFound


@click.command(cls=ConsoleCommand)
def asking() -> None:
    """Say what can be seen of the options."""
    click.echo(f"{os.environ.get('APP_ENV')} {sys.stdin.read()!r}")


class ConsoleTests(TestCase):
    """Each command of the reference takes what all commands of its console take."""

    def run_command(self, *arguments: str, command: click.Command = program, status: int = 0) -> Result:
        result = CliRunner(env={"APP_ENV": None}).invoke(command, arguments, input="typed")
        self.assertEqual(status, result.exit_code, result.output)
        return result

    def test_options(self) -> None:
        """Environment, no questions, quiet; what changes nothing is taken as well."""
        said = self.run_command("-vvv", "--no-debug", "--no-ansi", "--env=test", command=asking)
        self.assertEqual("test 'typed'\n", said.output)
        self.assertEqual("None ''\n", self.run_command("-n", command=asking).output)
        self.assertEqual("", self.run_command("-q", "-e", "prod", command=asking).output)
        self.assertIn("Usage", self.run_command("--env=prod", "--no-debug", "packagist:update", "--help").output)

    def test_schema(self) -> None:
        """doctrine:schema:update tells, and with --force does."""
        with tempfile.TemporaryDirectory() as folder:
            command = ("doctrine:schema:update", "--data", folder, "--complete")
            self.assertIn("not made yet: --force brings", self.run_command(*command).output)
            self.assertIn("the schema is ", self.run_command(*command, "--force", "-n").output)
            self.assertIn(": up to date", self.run_command(*command).output)
            self.assertIn("no SQL text", self.run_command(*command, "--dump-sql", status=2).output)


class LineTests(TestCase):
    """What is said when a command fails."""

    def test_line(self) -> None:
        """The file and why, without Python's way of saying it."""
        self.assertEqual("/x: Permission denied", line(PermissionError(13, "Permission denied", "/x")))
        self.assertEqual("Broken pipe", line(OSError(32, "Broken pipe")))
        self.assertEqual("no package", line(NotFound("no package")))


class StepsTests(TestCase):
    """Where there is no terminal."""

    def test_lines(self) -> None:
        """A plain line now and then, nothing at the end."""
        now, shown = [0.0], StringIO()
        with Steps(console=Console(file=shown, width=20), seconds=lambda: now[0]) as steps:
            task = steps.add_task("building [x]", total=3)
            for moment in (4, 11, 12):
                now[0] = moment
                steps.advance(task)
            now[0] = 25
            steps.update(task, description="a description that is longer than the line")
        self.assertEqual("building [x]: 2 of 3\na description that is longer than the line: 3 of 3\n", shown.getvalue())


class FilterTests(TestCase):
    """`packagist:clear:versions --filter`."""

    def test_bad_pattern(self) -> None:
        """Told in one line of text."""
        result = CliRunner().invoke(program, ["packagist:clear:versions", "--filter=("])
        self.assertEqual("--filter: missing ): (", str(result.exception))
