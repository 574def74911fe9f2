"""
`python -m tests.bench.compare`: Packeton beside nginx `proxy_cache`, in turn, over one origin.

Needs nginx (Debian: nginx-light); uses wrk where it is installed. Takes about two minutes with the defaults.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import load
from tests.bench.cases import CASES, Case, Figure, Site
from tests.bench.sites import CROWD_BYTES, Content, Nginx, Packeton, nginx_cache, nginx_origin

HEAD = """\
Ratios above 1 are in Packeton's favour: medians over {rounds} interleaved rounds, range in brackets. Load from {client}.

| case | figure | packeton | nginx | ratio |
|---|---|--:|--:|--:|"""
Samples = dict[Figure, list[tuple[float, float]]]


def measure(case: Case, ours: Site, nginx: Site, rounds: int, seconds: float) -> Samples:
    """Play *case* in turn on both, who is first changing from round to round."""
    if case.warm is not None:
        for site in (ours, nginx):
            case.warm(site)
    samples: Samples = {}
    for number in range(rounds):
        order = (ours, nginx) if number % 2 == 0 else (nginx, ours)
        played = {id(site): case.play(site, number, seconds) for site in order}
        for figure, value in played[id(ours)].items():
            samples.setdefault(figure, []).append((value, played[id(nginx)][figure]))
    return samples


def ratios(figure: Figure, pairs: list[tuple[float, float]]) -> list[float]:
    """Return one ratio a round, above 1 where we are better."""
    return [ours / nginx if figure.larger_is_better else nginx / ours for ours, nginx in pairs]


def row(case: Case, figure: Figure, pairs: list[tuple[float, float]]) -> str:
    """Return one line of the table."""
    each = ratios(figure, pairs)
    ours, nginx = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
    ratio = f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})" if figure.compared else ""
    return f"| {case.name} | {figure.name} | {ours:,.1f} | {nginx:,.1f} | {ratio} |"


def check_fetches(origin: Nginx, rounds: int) -> None:
    """Each crowd made one fetch, for each of the two servers; raises RuntimeError otherwise."""
    for number in range(rounds):
        count = origin.asked(f"/dists/crowd/{number}.zip")
        if count != 2:
            raise RuntimeError(f"{count} fetches of one zip of {CROWD_BYTES} bytes, by two servers")


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of load, for each case, server and round")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--json", type=Path, help="write the medians of the ratios to this file, too")
    options = parser.parse_args()
    if not shutil.which("nginx"):
        sys.exit("nginx is not installed")
    cases = [case for case in CASES if options.only in case.name]
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as holder, ExitStack() as stack:
        folder = Path(holder)
        origin = nginx_origin(Content(folder / "content", options.rounds), folder / "origin")
        stack.callback(origin.stop)
        nginx = nginx_cache(origin, folder / "nginx")
        stack.callback(nginx.stop)
        ours = Packeton.start(origin, folder / "packeton")
        stack.callback(ours.stop)
        print(HEAD.format(rounds=options.rounds, client=load.CLIENT), flush=True)
        for case in cases:
            samples = measure(case, ours, nginx, options.rounds, options.seconds)
            for figure, pairs in samples.items():
                print(row(case, figure, pairs), flush=True)
            results[case.name] = {
                figure.name: statistics.median(ratios(figure, pairs))
                for figure, pairs in samples.items()
                if figure.compared
            }
        if any("clients" in case.name for case in cases):
            check_fetches(origin, options.rounds)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
