"""
Clients that load a server: `wrk` where it is installed, else one of our own; and a single reader that takes times.

Our own client costs more CPU than the servers it measures: with it, trust CPU per request and not requests/s.
"""

import re
import selectors
import shutil
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import repeat
from urllib.parse import urlsplit

from attrs import define, frozen

__all__ = ["CLIENT", "Load", "Reading", "ask_each", "crowd", "hammer", "read_once"]

CLIENT = "wrk" if shutil.which("wrk") else "own client"
CONNECTIONS = 12
TIMEOUT_SECONDS = 60.0
CHUNK_BYTES = 1 << 18
LAST_CHUNK = b"\r\n0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@frozen(kw_only=True)
class Load:
    """What a load came to."""

    requests: int
    seconds: float


@frozen(kw_only=True)
class Reading:
    """One download: seconds to the first byte of the body and to the last, and the body's size."""

    first_byte_seconds: float
    seconds: float
    size: int


def hammer(
    url: str, headers: dict[str, str], *, seconds: float, expect: int = 200, client: str = CLIENT
) -> Load:
    """
    Ask for *url* over and over on 12 keep-alive connections.

    Raises:
        RuntimeError: an answer was not of status *expect*.
    """
    if client != "wrk":
        return _own(urlsplit(url).netloc, repeat(url), headers, expect, until=time.monotonic() + seconds)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    printed = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=120).stdout
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", printed)
    if done is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(f"{url}: {printed}")
    return Load(requests=int(done[1]), seconds=float(done[2]) * UNITS[done[3]])


def ask_each(urls: list[str], headers: dict[str, str]) -> Load:
    """Ask once for each of *urls*, all of one server, on 12 keep-alive connections. Raises as `hammer`."""
    return _own(urlsplit(urls[0]).netloc, urls, headers, 200, until=time.monotonic() + TIMEOUT_SECONDS)


@define
class _Connection:
    """One keep-alive connection with at most one request under way."""

    socket: socket.socket
    head: bytes = b""
    missing: int | None = None
    """Bytes of the body still to come; None while the head is not whole, and for a chunked body."""
    tail: bytes | None = None
    """The last bytes of a chunked body so far."""

    def ask(self, url: str, fields: str) -> None:
        parts = urlsplit(url)
        self.head, self.missing, self.tail = b"", None, None
        self.socket.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{fields}\r\n".encode())

    def read(self, expect: int) -> bool:
        """Take what has come; True once the answer is whole."""
        data = self.socket.recv(CHUNK_BYTES)
        if not data:
            raise RuntimeError("the server closed a connection")
        if self.missing is None and self.tail is None:
            self.head += data
            head, end, data = self.head.partition(b"\r\n\r\n")
            if not end:
                return False
            self._begin(head, expect)
        if self.tail is not None:
            self.tail = (self.tail + data)[-len(LAST_CHUNK) :]
            return self.tail == LAST_CHUNK
        assert self.missing is not None
        self.missing -= len(data)
        return self.missing == 0

    def _begin(self, head: bytes, expect: int) -> None:
        if not head.startswith(f"HTTP/1.1 {expect}".encode()):
            raise RuntimeError(head.decode("latin-1"))
        length = LENGTH.search(head)
        if expect == 304:
            self.missing = 0
        elif length is not None:
            self.missing = int(length[1])
        elif b"chunked" in head:
            self.tail = b""
        else:
            raise RuntimeError("an answer without a length")


def _own(netloc: str, urls: Iterable[str], headers: dict[str, str], expect: int, *, until: float) -> Load:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    host, _, port = netloc.partition(":")
    targets: Iterator[str] = iter(urls)
    done, began = 0, time.monotonic()
    with selectors.DefaultSelector() as selector:
        for target in (found for _, found in zip(range(CONNECTIONS), targets, strict=False)):
            connection = _Connection(socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS))
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.ask(target, fields)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map():
            ready = selector.select(TIMEOUT_SECONDS)
            if not ready:
                raise RuntimeError(f"{netloc} is silent")
            for key, _ in ready:
                if not key.data.read(expect):
                    continue
                done += 1
                target = None if time.monotonic() > until else next(targets, None)
                if target is None:
                    selector.unregister(key.data.socket)
                    key.data.socket.close()
                else:
                    key.data.ask(target, fields)
    return Load(requests=done, seconds=time.monotonic() - began)


def read_once(url: str) -> Reading:
    """Download *url* on a connection of its own. Raises RuntimeError unless it comes whole."""
    parts = urlsplit(url)
    began = time.monotonic()
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head or head.endswith(b"\r\n\r\n"):
            data = connection.recv(CHUNK_BYTES)
            if not data:
                raise RuntimeError(f"{url}: {head[:200]!r}")
            head += data
        first = time.monotonic() - began
        head, _, body = head.partition(b"\r\n\r\n")
        length, size, buffer = LENGTH.search(head), len(body), bytearray(CHUNK_BYTES)
        while count := connection.recv_into(buffer):
            size += count
    if length is None or int(length[1]) != size or not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{url}: {size} bytes after {head!r}")
    return Reading(first_byte_seconds=first, seconds=time.monotonic() - began, size=size)


def crowd(url: str, clients: int) -> Reading:
    """Let *clients* download *url* at once; return the median times. Raises RuntimeError unless all get it whole."""
    readings: list[Reading] = []

    def work() -> None:
        readings.append(read_once(url))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(readings) != clients:
        raise RuntimeError(f"{clients - len(readings)} of {clients} clients got no whole {url}")
    return Reading(
        first_byte_seconds=statistics.median(one.first_byte_seconds for one in readings),
        seconds=statistics.median(one.seconds for one in readings),
        size=readings[0].size,
    )
