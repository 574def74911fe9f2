"""
`python -m tests.bench.crawling`: reading a repository, and what those feel who ask meanwhile.

Times the first reading of a repository with many tags and a second one that finds nothing new, and asks for a document
every few milliseconds: idle, and while the repository is read, in turn. The peer is the same server when idle.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from attrs import define, field

from tests.support.client import fetch
from tests.support.server import Server

__all__ = ["main"]

TOKEN = "bench-token-0123456789"
AUTHORIZATION = {"Authorization": "Basic " + b64encode(f"bench:{TOKEN}".encode()).decode()}
PAUSE_SECONDS = 0.005
PATIENCE_SECONDS = 300
LOOK_SECONDS = 0.2
FILES, FILE_BYTES = 40, 3_000
"""Of the repository, of which each commit changes one."""


def make_repository(folder: Path, name: str, tags: int) -> str:
    """Make a bare repository with *tags* releases, and return its address."""
    target = folder / f"{name.replace('/', '-')}.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(target)], check=True)
    importing = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=target, stdin=subprocess.PIPE)
    assert importing.stdin is not None
    for number in range(tags):
        version = f"{number // 100}.{number // 10 % 10}.{number % 10}"
        manifest = json.dumps({"name": name, "description": version, "require": {"php": f">=7.{number % 5}"}}).encode()
        source = f"{version}\n".encode() * (FILE_BYTES // (len(version) + 1))
        importing.stdin.write(
            b"commit refs/heads/main\ncommitter b <b@example.com> %d +0000\ndata 1\nx\n" % (1_700_000_000 + number * 3600)
            + b"M 100644 inline composer.json\ndata %d\n%s\n" % (len(manifest), manifest)
            + b"M 100644 inline src/%d.php\ndata %d\n%s\n" % (number % FILES, len(source), source)
            + b"reset refs/tags/v%s\nfrom refs/heads/main\n\n" % version.encode()
        )
    importing.stdin.close()
    if importing.wait() != 0:
        raise RuntimeError("git fast-import failed")
    return target.as_uri()


@define
class Probe:
    """Asks for one document over and over until it is stopped."""

    url: str
    port: int
    milliseconds: list[float] = field(factory=list)
    _stop: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def run(self) -> None:
        """Ask; one connection is kept."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop.is_set():
            began = time.perf_counter()
            connection.request("GET", self.url, headers=AUTHORIZATION)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{self.url}: {answer.status}")
            self.milliseconds.append((time.perf_counter() - began) * 1000)
            time.sleep(PAUSE_SECONDS)
        connection.close()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


@define
class Site:
    """A server and its command line."""

    server: Server
    last: str = ""
    """The job that ended last."""

    def command(self, *arguments: str) -> str:
        """Run one command beside the server."""
        options = ["-c", str(self.server.folder / "packeton.yaml"), "-d", str(self.server.data)]
        command = [sys.executable, "-m", "packeton", *arguments, *options]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS).stdout

    def look(self, number: str) -> Any:
        """Return how a job goes."""
        return fetch(f"{self.server.url}/api/jobs/{number}", headers=AUTHORIZATION).json()

    def job(self, method: str, path: str, document: object = None, look_every: float = 0.02) -> float:
        """Ask the API for a job, wait for its end, and return the seconds between."""
        body = None if document is None else json.dumps(document).encode()
        headers = {**AUTHORIZATION, "Content-Type": "application/json"}
        began = time.monotonic()
        answer = fetch(f"{self.server.url}{path}", method=method, headers=headers, body=body)
        if answer.status != 202:
            raise RuntimeError(f"{path}: {answer.status} {answer.body!r}")
        asked = answer.json()
        number = asked["job"] if "job" in asked else asked["jobs"][0]
        while time.monotonic() - began < PATIENCE_SECONDS:
            report = self.look(number)
            if report["status"] == "completed":
                self.last = number
                return time.monotonic() - began
            if report["status"] != "running":
                raise RuntimeError(str(report))
            time.sleep(look_every)
        raise RuntimeError(f"job {number} does not end")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crawling", description=__doc__)
    parser.add_argument("--tags", type=int, default=2000, help="of the large repository")
    parser.add_argument("--rounds", type=int, default=5, help="idle and reading it, in turn; medians are printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as holder, ExitStack() as stack:
        folder = Path(holder)
        (folder / "repos").mkdir()
        small = make_repository(folder / "repos", "acme/small", 223)
        large = make_repository(folder / "repos", "acme/large", options.tags)
        settings = {"vcs": {"local_paths": [str(folder / "repos")]}, "mirrors": {"m": {"url": "http://127.0.0.1:9"}}}
        server = Server(folder / "server", {**settings, "log": {"access": False}}).start()
        stack.callback(server.stop)
        site = Site(server)
        site.command("user", "create", "bench", "--admin", "--api-token", TOKEN)
        time.sleep(2)
        print("| what | figure |\n|---|--:|")
        first = site.job("POST", "/api/create-package", {"repository": small})
        print(f"| first reading of 223 tags, its name asked for before, s | {first:.2f} |", flush=True)
        again = min(site.job("POST", "/api/update-package/acme/small") for _ in range(3))
        print(f"| reading again without changes, s | {again:.2f} |", flush=True)
        rounds = [measured(site, large) for _ in range(options.rounds)]
        spent = statistics.median(seconds for _, _, seconds in rounds)
        print(f"| reading {options.tags:,} tags, s | {spent:.1f} |")
        for name, place in (("idle", 0), ("while it is read", 1)):
            median, p99, worst = figures([taken for one in rounds for taken in one[place]])
            print(f"| answers {name}: median / p99 / worst, ms | {median:.2f} / {p99:.2f} / {worst:.1f} |")
        ratios = sorted(figures(busy)[1] / figures(idle)[1] for idle, busy, _ in rounds)
        told = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"| p99 while it is read : idle, of {options.rounds} rounds | {told} |")


def measured(site: Site, repository: str) -> tuple[list[float], list[float], float]:
    """Return the times of answers idle and while *repository* is read for the first time, in ms, and how long that took."""
    port = site.server.port
    with Probe("/p2/acme/small.json", port) as idle:
        for _ in range(15):  # as often as below: looking at a job costs more than an answer
            site.look(site.last)
            time.sleep(LOOK_SECONDS)
    with Probe("/p2/acme/small.json", port) as busy:
        spent = site.job("POST", "/api/create-package", {"repository": repository}, look_every=LOOK_SECONDS)
    fetch(f"{site.server.url}/api/packages/acme/large", method="DELETE", headers=AUTHORIZATION)
    time.sleep(1)
    return idle.milliseconds, busy.milliseconds, spent


def figures(milliseconds: list[float]) -> tuple[float, float, float]:
    """Return median, 99th percentile and worst."""
    ordered = sorted(milliseconds)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]


if __name__ == "__main__":
    main()
