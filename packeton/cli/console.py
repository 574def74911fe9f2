"""Commands under the reference's names: they take the options that all commands of its console take."""

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

__all__ = ["ConsoleCommand", "console_options"]


def _quiet(context: click.Context, _: click.Parameter, value: bool) -> None:  # click calls it
    if value and not context.resilient_parsing:
        nowhere = Path(os.devnull).open("w")  # noqa: SIM115  # closed with the context
        context.with_resource(redirect_stdout(context.with_resource(nowhere)))


def _alone(context: click.Context, _: click.Parameter, value: bool) -> None:  # click calls it
    """Nobody answers questions: they find the end of the input."""
    if value and not context.resilient_parsing:
        sys.stdin = context.with_resource(Path(os.devnull).open())  # noqa: SIM115  # closed with the context


def _stage(_: click.Context, __: click.Parameter, value: str | None) -> None:
    """Which `.env` files are read."""
    if value is not None:
        os.environ["APP_ENV"] = value


def console_options() -> list[click.Option]:
    """Return Symfony's global options: quiet, no questions, environment; the others change nothing here."""
    flags: dict[str, Any] = {"is_flag": True, "hidden": True, "expose_value": False}
    return [
        click.Option(["-q", "--quiet"], callback=_quiet, is_eager=True, **flags),
        click.Option(["-n", "--no-interaction"], callback=_alone, is_eager=True, **flags),
        click.Option(["-e", "--env"], callback=_stage, is_eager=True, hidden=True, expose_value=False),
        click.Option(["--no-debug"], **flags),
        click.Option(["--ansi"], **flags),
        click.Option(["--no-ansi"], **flags),
    ]


class ConsoleCommand(click.Command):
    """A hidden command with these options, and `-v` where it has none of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"hidden": True, **options})
        self.params.extend(console_options())
        if not any("-v" in one.opts for one in self.params):
            self.params.append(click.Option(["-v", "--verbose"], count=True, hidden=True, expose_value=False))
