"""Installing and running `http-cache-tests` from the npm registry, on a network of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import frozen

__all__ = ["PACKAGE", "Case", "Outcome", "classify", "install", "missing", "play"]

PACKAGE = "http-cache-tests@0.4.5"
LISTING = """
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
tests.push(surrogate)
console.log(JSON.stringify(tests.flatMap(suite => suite.tests.filter(test => !test.browser_only).map(test => ({
  suite: suite.id, id: test.id, kind: test.kind || 'required', needs: test.depends_on || [] })))))
"""


@frozen(kw_only=True)
class Case:
    """One test of the suite."""

    suite: str
    id: str
    kind: str
    """`required`, `optimal` or `check`."""
    needs: tuple[str, ...]


@frozen(kw_only=True)
class Outcome:
    """How one test went: `pass`, `fail`, `optional_fail`, `yes`, `no`, `dependency_fail`, `setup_fail`, `retry`."""

    case: Case
    verdict: str
    detail: str


def missing() -> str | None:
    """Say why the suite cannot be run here, or None."""
    for program in ("node", "npm", "unshare", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "only root can give the suite a network of its own; its origin listens on all addresses"
    return None


def install(folder: Path) -> Path:
    """Install the suite below *folder* and return where it is. Raises CalledProcessError when npm cannot."""
    home = folder / "node_modules" / "http-cache-tests"
    if not home.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return home


def cases(home: Path) -> list[Case]:
    """Return all tests of the suite."""
    (home / "listing.mjs").write_text(LISTING)
    listed = subprocess.run(["node", "listing.mjs"], cwd=home, check=True, capture_output=True, timeout=60)
    return [
        Case(suite=case["suite"], id=case["id"], kind=case["kind"], needs=tuple(case["needs"]))
        for case in json.loads(listed.stdout)
    ]


def play(home: Path, folder: Path, only: str = "") -> str:
    """Run origin, server and client in a private network; return what the client printed."""
    command = ["unshare", "-n", sys.executable, "-m", "tests.conformance.inside", str(home), str(folder), only]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    return done.stdout


def classify(home: Path, results: dict[str, Any]) -> list[Outcome]:
    """Judge the client's results as the suite's own display does."""
    known = cases(home)
    kinds = {case.id: case for case in known}
    return [_judge(case, results, kinds) for case in known]


def _judge(case: Case, results: dict[str, Any], kinds: dict[str, Case]) -> Outcome:
    result = results.get(case.id)
    detail = "" if result in (True, None) else ": ".join(str(part) for part in result)
    for needed in case.needs:
        if needed in kinds and _judge(kinds[needed], results, kinds).verdict not in {"pass", "yes"}:
            return Outcome(case=case, verdict="dependency_fail", detail=needed)
    if result is None:
        verdict = "untested"
    elif result is True:
        verdict = "yes" if case.kind == "check" else "pass"
    elif result[0] == "Setup":
        verdict = "retry" if result[1] == "retry" else "setup_fail"
    elif case.kind == "required":
        verdict = "fail"
    else:
        verdict = "optional_fail" if case.kind == "optimal" else "no"
    return Outcome(case=case, verdict=verdict, detail=detail)
