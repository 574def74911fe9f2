"""Composer's own PHP classes, as the judge of our ports."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import SkipTest

__all__ = ["Refused", "ask_composer"]

SCRIPT = Path(__file__).with_name("composer_classes.php")
CLASSES = Path("/usr/share/php")
TIMEOUT_SECONDS = 120


class Refused(str):
    """The message of an exception."""

    __slots__ = ()


@cache
def _why_not() -> str | None:
    if not shutil.which("php"):
        return "php is not installed"
    if not (CLASSES / "Composer" / "autoload.php").exists():
        return "Composer's classes are not installed (Debian's composer)"
    return None


def ask_composer(questions: Sequence[Sequence[Any]]) -> list[Any]:
    """
    Answer `[operation, argument…]` each by Composer; an exception is answered by its text, a Refused.

    Raises:
        SkipTest: There is no PHP or no Composer here.
    """
    if reason := _why_not():
        raise SkipTest(reason)
    run = subprocess.run(
        ["php", str(SCRIPT), str(CLASSES)],
        input=json.dumps(questions).encode(), capture_output=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if run.returncode:
        raise AssertionError(run.stdout.decode()[-2000:] + run.stderr.decode()[-2000:])
    return [Refused(answer) if isinstance(answer, str) else answer[0] for answer in json.loads(run.stdout)]
