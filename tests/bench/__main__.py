"""`python -m tests.bench [SECONDS]`: ours and nginx proxy_cache in turn over one origin; prints ratios."""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from tests.bench.peers import Nginx
from tests.support.origin import Origin, Package, make_zip
from tests.support.server import Server

ROUNDS = 5
CONNECTIONS = 12
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@frozen(kw_only=True)
class Load:
    """One measurement."""

    per_second: float
    cpu_us: float


def document(size: int) -> bytes:
    """Return a metadata document of about *size* bytes that compresses as real ones do (some 7 times)."""
    versions, number = [], 0
    while len(json.dumps(versions)) < size:
        number += 1
        reference = f"{number * 7919 ** 3:040x}"[-40:]
        versions.append(
            {"version": f"1.{number}.0", "version_normalized": f"1.{number}.0.0", "require": {"php": ">=8.1"},
             "dist": {"type": "zip", "url": f"https://api.example/repos/acme/doc/zipball/{reference}", "reference": reference}}
        )  # fmt: skip
    return json.dumps({"packages": {"acme/doc": versions}}).encode()


def wrk(server: Server | Nginx, url: str, seconds: int, *headers: str) -> Load:
    """Load *url* for some seconds."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    for header in headers:
        command += ["-H", header]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    used = server.cpu_seconds() - before
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    if "Non-2xx or 3xx" in done.stdout:
        raise SystemExit(f"{url}: {done.stdout}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    return Load(per_second=rate, cpu_us=used / requests * 1e6)


def compare(name: str, ours: Callable[[], Load], theirs: Callable[[], Load]) -> None:
    """Run both in turn and print medians and ratios."""
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    ratios = [(theirs.cpu_us / ours.cpu_us, ours.per_second / theirs.per_second) for ours, theirs in pairs]
    ours_us = statistics.median(one.cpu_us for one, _ in pairs)
    theirs_us = statistics.median(one.cpu_us for _, one in pairs)
    rate = statistics.median(one.per_second for one, _ in pairs)
    print(
        f"{name:<22} ours {ours_us:8.1f} us {rate:8.0f}/s   nginx {theirs_us:8.1f} us   "
        f"cpu ratio {statistics.median(cpu for cpu, _ in ratios):.3f}   "
        f"wall ratio {statistics.median(wall for _, wall in ratios):.3f}"
    )


def cold(server: Server | Nginx, url: str) -> tuple[float, float, int]:
    """Fetch *url* once; return MB/s, seconds to the first byte, and peak memory in KiB."""
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=120) as response:
        first = response.read(1)
        to_first = time.perf_counter() - began
        size = len(first)
        while chunk := response.read(1 << 20):
            size += len(chunk)
    return size / 1e6 / (time.perf_counter() - began), to_first, server.memory_kib()


def main() -> None:
    """Run everything."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt-get install wrk nginx-light)")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    big = [Package(f"acme/big{n}", "1.0.0", make_zip(f"acme/big{n}", f"big{n}", 50 << 20)) for n in range(ROUNDS * 2)]
    one = Package("acme/one", "1.0.0", make_zip("acme/one", "one", 1 << 20))
    origin = Origin([one, *big]).start()
    origin.extra["/p2/acme/doc.json"] = ("application/json", document(60_000))
    with tempfile.TemporaryDirectory() as holder:
        server = Server(Path(holder) / "ours", {"mirrors": {"up": {"url": origin.url, "public_access": True}}}).start()
        nginx = Nginx(Path(holder) / "nginx", origin.port).start()
        try:
            measure(origin, server, nginx, one, big, seconds)
        finally:
            server.stop()
            nginx.stop()
            origin.stop()


def measure(origin: Origin, server: Server, nginx: Nginx, one: Package, big: list[Package], seconds: int) -> None:
    """Print all comparisons."""
    coded = "Accept-Encoding: gzip"
    ours, theirs = f"{server.url}/mirror/up/p2/acme/doc.json", f"{nginx.url}/p2/acme/doc.json"
    dist, file = f"{server.url}/mirror/up/{origin.our_path(one)}", f"{nginx.url}{origin.zip_path(one)}"
    for url in (ours, theirs, dist, file):
        for _ in range(2):
            request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
            urllib.request.urlopen(request, timeout=30).read()
    print(f"CPU per request (median of {ROUNDS} rounds in turn); ratios above 1 mean that we are better")
    compare("p2 60 KB, gzip", lambda: wrk(server, ours, seconds, coded), lambda: wrk(nginx, theirs, seconds, coded))
    since = f"If-Modified-Since: {DATE}"
    compare("304", lambda: wrk(server, ours, seconds, coded, since), lambda: wrk(nginx, theirs, seconds, coded, since))
    compare("zip 1 MB", lambda: wrk(server, dist, seconds), lambda: wrk(nginx, file, seconds))
    idle, idle_nginx = server.memory_kib("VmRSS"), nginx.memory_kib("VmRSS")
    rows = []
    for number in range(ROUNDS):
        mine = cold(server, f"{server.url}/mirror/up/{origin.our_path(big[2 * number])}")
        peer = cold(nginx, f"{nginx.url}{origin.zip_path(big[2 * number + 1])}")
        rows.append((mine, peer))
    speed, first = (statistics.median(mine[n] for mine, _ in rows) for n in (0, 1))
    peer_speed, peer_first = (statistics.median(peer[n] for _, peer in rows) for n in (0, 1))
    print(
        f"cold dist 50 MB        ours {speed:.0f} MB/s, first byte {first * 1000:.1f} ms, "
        f"memory +{(rows[-1][0][2] - idle) / 1024:.0f} MiB   nginx {peer_speed:.0f} MB/s, first byte "
        f"{peer_first * 1000:.1f} ms, memory +{(rows[-1][1][2] - idle_nginx) / 1024:.0f} MiB   "
        f"ratio {speed / peer_speed:.2f}, first byte {peer_first / first:.2f}"
    )


if __name__ == "__main__":
    main()
