"""What is measured, one function a case: it drives one server for one round and returns figures."""

import time
from collections.abc import Callable

from attrs import frozen

from tests.bench import load, processes
from tests.bench.sites import MISSES_A_ROUND, Nginx, Packeton
from tests.support.client import fetch

__all__ = ["CASES", "Case", "Figure", "Site"]

Site = Nginx | Packeton
GZIP = {"Accept-Encoding": "gzip"}
CROWD = 20
SETTLING_SECONDS = 0.3
"""A download is counted with what the server does after its last byte: checks, and moving it into place."""


@frozen(kw_only=True)
class Figure:
    """The name of a figure with its unit, whether a larger one is better, and whether a ratio of it means anything."""

    name: str
    larger_is_better: bool = False
    compared: bool = True


RATE = Figure(name="requests/s", larger_is_better=True)
CPU = Figure(name="CPU µs/request")
SPEED = Figure(name="MB/s", larger_is_better=True)
CPU_TOTAL = Figure(name="CPU ms")
FIRST = Figure(name="first byte ms")
MEMORY = Figure(name="memory above idle, MiB", compared=False)
Figures = dict[Figure, float]


@frozen(kw_only=True)
class Case:
    """One case; `play(site, round, seconds)` needs `warm(site)` once before, where that is not None."""

    name: str
    play: Callable[[Site, int, float], Figures]
    warm: Callable[[Site], None] | None = None


def _counted(site: Site, work: Callable[[], load.Load]) -> Figures:
    before = processes.cpu_seconds(site.pid)
    done = work()
    spent = processes.cpu_seconds(site.pid) - before
    return {RATE: done.requests / done.seconds, CPU: max(spent, 0.005) * 1e6 / done.requests}


def _hit(site: Site, _: int, seconds: float) -> Figures:
    return _counted(site, lambda: load.hammer(site.document("document"), GZIP, seconds=seconds))


def _unchanged(site: Site, _: int, seconds: float) -> Figures:
    url = site.document("document")
    since = fetch(url, headers=GZIP).headers["last-modified"]
    headers = {**GZIP, "If-Modified-Since": since}
    return _counted(site, lambda: load.hammer(url, headers, seconds=seconds, expect=304))


def _zip(site: Site, _: int, seconds: float) -> Figures:
    return _counted(site, lambda: load.hammer(site.dist("middle", 0), {}, seconds=seconds))


def _small_misses(site: Site, number: int, _: float) -> Figures:
    numbers = range(number * MISSES_A_ROUND, (number + 1) * MISSES_A_ROUND)
    return _counted(site, lambda: load.ask_each([site.document(f"m{one}") for one in numbers], GZIP))


def _cold(site: Site, number: int, _: float) -> Figures:
    return _downloaded(site, lambda: load.read_once(site.dist("large", number)))


def _crowd(site: Site, number: int, _: float) -> Figures:
    return _downloaded(site, lambda: load.crowd(site.dist("crowd", number), CROWD))


def _downloaded(site: Site, work: Callable[[], load.Reading]) -> Figures:
    processes.reset_peak(site.pid)
    idle, before = processes.resident_kib(site.pid), processes.cpu_seconds(site.pid)
    reading = work()
    time.sleep(SETTLING_SECONDS)
    return {
        SPEED: reading.size / 1e6 / reading.seconds,
        FIRST: reading.first_byte_seconds * 1000,
        CPU_TOTAL: max(processes.cpu_seconds(site.pid) - before, 0.005) * 1000,
        MEMORY: max(0.1, (processes.peak_kib(site.pid) - idle) / 1024),
    }


def _warm(url: str, headers: dict[str, str]) -> None:
    for _ in range(3):
        answer = fetch(url, headers=headers)
        if answer.status != 200 or not answer.complete:
            raise RuntimeError(f"{url}: {answer.status} {answer.body[:200]!r}")
        time.sleep(0.1)


CASES = (
    Case(name="cached p2, 60 KB, gzip", play=_hit, warm=lambda site: _warm(site.document("document"), GZIP)),
    Case(name="304", play=_unchanged),
    Case(name="cached zip, 1 MB", play=_zip, warm=lambda site: _warm(site.dist("middle", 0), {})),
    Case(name="cold p2, 3 KB", play=_small_misses),
    Case(name="cold zip, 50 MB", play=_cold, warm=lambda site: _warm(site.document("large"), GZIP)),
    Case(name="20 clients on a cold 25 MB zip", play=_crowd, warm=lambda site: _warm(site.document("crowd"), GZIP)),
)
