"""`python -m tests.conformance [--write]`: run the suite; with --write make today's outcome the expectation."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.conformance import suite

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
SCORECARD = HERE.parents[1] / "docs" / "conformance.md"
VERDICTS = ("pass", "fail", "optional_fail", "yes", "no", "dependency_fail", "setup_fail", "retry", "untested")
HEAD = """\
# HTTP cache conformance

`packeton.proxies.<name>` is a shared HTTP cache by RFC 9111. It is held against the npm package
`http-cache-tests@0.4.5` on every test run; the outcome of each of its 350 tests is recorded in
`tests/conformance/expected.json`, and a test that passed once must pass. `python -m tests.conformance --write` renews
the record and this page.

The suite's authors say that a count of passes alone means nothing; what the kinds mean: *pass* and *fail* are about
requirements and good practice, *optional fail* about good practice only, *yes* and *no* answer questions that have no
right answer, and *dependency fail* is a test that could not be judged because another one did not pass.

| suite | {titles} |
|---|{rules}|
"""
REASONS = """
## What does not pass, and why

| test | why |
|---|---|
| `stale-close-*` | A stale response is served only where `stale-if-error` or `stale-while-revalidate` allow it |
| `method-POST` | Responses to POST are not cached |
| `vary-normalise-lang-*` | The order of languages is kept: it is the client's preference |
| `conditional-lm-fresh-no-lm` | A response without Last-Modified is compared by its Date |
| `headers-store-Transfer-Encoding` | An origin that sends an unknown Transfer-Encoding is answered with 502 |
| `partial-store-partial-*` | Partial responses pass through and are not stored |
| `head-*` | A HEAD is answered from the store, or passes through without changing it |
| `surrogate-*` | Surrogate-Control is not followed |

## Beside others

What the suite's authors publish for the newest edition, of 365 tests; nginx passes 144 of the 350 here.

| cache | pass | fail | optional fail |
|---|--:|--:|--:|
| Traffic Server 9.2.5 | 202 | 19 | 25 |
| Apache httpd 2.4.64 | 199 | 12 | 27 |
| Squid 6.13 | 181 | 17 | 39 |
| Caddy/Souin 0.16 | 165 | 10 | 58 |
| Varnish 7.7.3 | 164 | 17 | 44 |
| nginx 1.28.0 | 158 | 33 | 33 |
| Fastly 2025-12 | 145 | 37 | 40 |
| HAProxy 3.0.10 | 129 | 15 | 50 |
"""


def run() -> list[suite.Outcome]:
    """Install and run the suite."""
    with tempfile.TemporaryDirectory() as folder:
        home = suite.install(Path(folder) / "suite")
        printed = suite.play(home, Path(folder))
        return suite.classify(home, json.loads(printed[printed.index("{") :]))


def write(outcomes: list[suite.Outcome]) -> None:
    """Make *outcomes* the expectation, and publish them."""
    expected = {outcome.case.id: outcome.verdict for outcome in outcomes}
    EXPECTED.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n")
    shown = [verdict for verdict in VERDICTS if any(outcome.verdict == verdict for outcome in outcomes)]
    titles = " | ".join(name.replace("_", " ") for name in shown)
    lines = [HEAD.format(titles=titles, rules="|".join(["--:"] * len(shown)))]
    for name in dict.fromkeys(outcome.case.suite for outcome in outcomes):
        counts = Counter(outcome.verdict for outcome in outcomes if outcome.case.suite == name)
        lines.append(f"| {name} | " + " | ".join(str(counts[verdict] or "") for verdict in shown) + " |\n")
    totals = Counter(outcome.verdict for outcome in outcomes)
    lines.append(f"| **all {len(outcomes)}** | " + " | ".join(f"**{totals[verdict]}**" for verdict in shown) + " |\n")
    SCORECARD.write_text("".join(lines) + REASONS)


if __name__ == "__main__":
    reason = suite.missing()
    if reason is not None:
        sys.exit(reason)
    results = run()
    print(Counter(outcome.verdict for outcome in results))
    for outcome in results:
        if outcome.verdict in {"fail", "setup_fail", "retry"}:
            print(outcome.case.suite, outcome.case.id, outcome.verdict, outcome.detail)
    if "--write" in sys.argv:
        write(results)
