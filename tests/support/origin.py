"""
A Composer origin of our own, with faults on request: real sockets on loopback, a log of what it was asked.

`Origin.faults[path]` is a list of `Fault`s that the next requests to that path get, one each; a fault with
`times=None` stays.
"""

import gzip
import io
import json
import socket
import struct
import threading
import time
import zipfile
from collections import Counter
from contextlib import suppress
from email.utils import formatdate
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field

__all__ = ["Fault", "Origin", "Package", "make_zip"]


def make_zip(name: str, seed: str, size: int = 4000) -> bytes:
    """Return a zip with one top directory, the same bytes each time; its content cannot be compressed."""
    buffer = io.BytesIO()
    top = f"{name.replace('/', '-')}-{seed[:7]}"
    content, block = bytearray(), seed.encode()
    while len(content) < size:
        block = sha1(block).digest()
        content += block * (1 if size < 1 << 20 else 512)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in (
            ("composer.json", json.dumps({"name": name}).encode()),
            ("src/data.bin", bytes(content[:size])),
            ("README.md", b"# " + name.encode()),
        ):
            archive.writestr(zipfile.ZipInfo(f"{top}/{path}", (2026, 1, 2, 3, 4, 6)), data)
    return buffer.getvalue()


@define
class Fault:
    """
    What happens instead of, or to, an answer.

    kind: `reset`, `hang` (say nothing), `stall` (stop in the body), `cut` (close in the body, Content-Length as it
    should be), `chunked` (in chunks of `at`), `cut-chunked`, `short` (a consistent Content-Length of a shorter body),
    `long` (Content-Length one too large), `flip` (one bit at `at`), `slow` (`at` bytes a second), `status` (`at`),
    `html`, `body` (the bytes in `body`), `redirect` (to `body`).
    """

    kind: str
    at: int = 0
    body: bytes = b""
    times: int | None = 1
    headers: dict[str, str] = field(factory=dict)


@define
class Package:
    """One version of one package."""

    name: str
    version: str
    content: bytes
    require: dict[str, str] = field(factory=dict)
    reference: str = ""

    def __attrs_post_init__(self) -> None:
        self.reference = self.reference or sha1(f"{self.name} {self.version}".encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: "Origin"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.origin.asked(self.command, self.path, dict(self.headers))
        fault = self.origin.fault_for(self.path)
        if fault is not None and self._instead(fault):
            return
        status, headers, body = self.origin.answer(self.path, self.headers)
        if fault is not None:
            headers.update(fault.headers)
        self._send(status, headers, body, fault)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.origin.asked(self.command, self.path, dict(self.headers), body)
        status, answer = 200, {"advisories": self.origin.advisories}
        if "downloads" in self.path:
            status, answer = 201, {"status": "success"}
        elif self.path == "/lists/api":
            answer = {"filter": []}
        self._send(status, {"Content-Type": "application/json"}, json.dumps(answer).encode(), None)

    def _instead(self, fault: Fault) -> bool:
        if fault.kind == "reset":
            self._reset()
        elif fault.kind == "hang":
            self.origin.stopped.wait(60)
            self.close_connection = True
        elif fault.kind == "status":
            self._send(fault.at, {"Content-Type": "text/plain", **fault.headers}, b"no", None)
        elif fault.kind == "html":
            self._send(200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>", None)
        elif fault.kind == "body":
            self._send(200, {"Content-Type": "application/json", **fault.headers}, fault.body, None)
        elif fault.kind == "redirect":
            self._send(302, {"Location": fault.body.decode()}, b"", None)
        else:
            return False
        return True

    def _send(self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        at = fault.at if fault else 0
        if kind == "flip":
            damaged = bytearray(body)
            damaged[at] ^= 1
            body = bytes(damaged)
        if kind == "short":
            body = body[:at]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if kind in {"chunked", "cut-chunked"}:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 304:
            self.send_header("Content-Length", str(len(body) + (1 if kind == "long" else 0)))
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        try:
            self._write(kind, at, body)
        except OSError:
            self.close_connection = True

    def _write(self, kind: str, at: int, body: bytes) -> None:
        if kind == "chunked":
            for begin in range(0, len(body), at):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(body[begin : begin + at]), body[begin : begin + at]))
            self.wfile.write(b"0\r\n\r\n")
        elif kind == "cut-chunked":
            self.wfile.write(b"%x\r\n%s\r\n" % (at, body[:at]))
            self._reset()
        elif kind in {"cut", "stall"}:
            self.wfile.write(body[:at])
            self.wfile.flush()
            if kind == "stall":
                self.origin.stopped.wait(60)
            self.close_connection = True
        elif kind == "slow":
            step = max(1, at // 20)
            for begin in range(0, len(body), step):
                if self.origin.stopped.is_set():
                    break
                self.wfile.write(body[begin : begin + step])
                time.sleep(step / at)
        else:
            self.wfile.write(body)
            if kind == "long":
                self.close_connection = True

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.rfile = io.BytesIO()
        self.wfile = io.BytesIO()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, idle ones too."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Origin:
    """One origin; `start` gives it a port, `stop` takes it away."""

    def __init__(self, packages: list[Package]) -> None:
        self.packages = packages
        self.faults: dict[str, list[Fault]] = {}
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.posted: list[bytes] = []
        self.advisories: dict[str, list[dict[str, object]]] = {"acme/app": []}
        self.modified: dict[str, float] = {}
        self.ranges = True
        self.etags = True
        self.root_extra: dict[str, object] = {}
        self.extra: dict[str, tuple[str, bytes]] = {}
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self.port = 0

    def start(self) -> "Origin":
        """Listen, on the port of last time if there was one."""
        handler = type("Handler", (_Handler,), {"origin": self})
        self.stopped.clear()
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections, and end those there are."""
        self.stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        with self._lock:
            self.log.append((method, path, headers))
            if method == "POST":
                self.posted.append(body)

    def count(self, path: str) -> int:
        """Return how often *path* was asked for."""
        return sum(1 for _, asked, _ in self.log if asked == path)

    def counts(self) -> Counter[str]:
        """Return how often each path was asked for with GET."""
        return Counter(path for method, path, _ in self.log if method == "GET")

    def fault(self, path: str, *faults: Fault) -> None:
        """Plan faults for the next requests to *path*."""
        with self._lock:
            self.faults[path] = list(faults)

    def fault_for(self, path: str) -> Fault | None:
        with self._lock:
            planned = self.faults.get(path)
            if not planned:
                return None
            return planned[0] if planned[0].times is None else planned.pop(0)

    def api_path(self, package: Package) -> str:
        """Return the path of the redirect to a package's zip."""
        return f"/repos/{package.name}/zipball/{package.reference}"

    def zip_path(self, package: Package) -> str:
        """Return the path of a package's zip."""
        return f"/codeload/{package.name}/{package.reference}"

    def our_path(self, package: Package) -> str:
        """Return the path of a package's dist below a mirror of ours."""
        return f"zipball/{package.name}/{package.version}.0/ref{package.reference}.zip"

    def root(self) -> dict[str, object]:
        url = self.url
        return {
            "packages": [],
            "metadata-url": "/p2/%package%.json",
            "notify-batch": f"{url}/downloads/",
            "metadata-changes-url": f"{url}/metadata/changes.json",
            "search": f"{url}/search.json?q=%query%&type=%type%",
            "list": f"{url}/packages/list.json",
            "providers-api": f"{url}/providers/%package%.json",
            "security-advisories": {"metadata": True, "api-url": f"{url}/api/security-advisories/"},
            "filter": {
                "metadata": True,
                "lists": {},
                "summary-url": f"{url}/lists/summary.json",
                "api-url": f"{url}/lists/api",
            },
            "odd-key": {"kept": True},
            **self.root_extra,
        }

    def metadata(self, name: str, *, dev: bool) -> bytes | None:
        chosen = [package for package in self.packages if package.name == name]
        if not chosen:
            return None
        versions = [
            {
                "name": package.name,
                "version": package.version,
                "version_normalized": f"{package.version}.0",
                "type": "library",
                "require": package.require or {"php": ">=5.3"},
                "dist": {
                    "type": "zip",
                    "url": self.url + self.api_path(package),
                    "reference": package.reference,
                    "shasum": "",
                },
                "odd": {"kept": [1, None]},
            }
            for package in reversed(chosen)
            if not dev
        ]
        return json.dumps({"packages": {name: versions}, "odd": True}).encode()

    def answer(self, path: str, request: Any) -> tuple[int, dict[str, str], bytes]:
        """Return status, header fields and body for a path without a fault."""
        bare, _, query = path.partition("?")
        for package in self.packages:
            if bare == self.api_path(package):
                return 302, {"Location": self.url + self.zip_path(package)}, b""
            if bare == self.zip_path(package):
                return self._file(package.content, "application/zip", bare, request)
        if bare in self.extra:
            return self._file(self.extra[bare][1], self.extra[bare][0], bare, request)
        content = self._document(bare, query)
        if content is None:
            return 404, {"Content-Type": "text/html"}, b"<html>404</html>"
        return self._file(content, "application/json", bare, request)

    def _document(self, path: str, query: str) -> bytes | None:
        if path == "/packages.json":
            return json.dumps(self.root()).encode()
        if path.startswith("/p2/"):
            name = path.removeprefix("/p2/").removesuffix(".json")
            return self.metadata(name.removesuffix("~dev"), dev=name.endswith("~dev"))
        names = sorted({package.name for package in self.packages})
        if path == "/search.json":
            return json.dumps({"results": [{"name": name, "query": query} for name in names], "total": 1}).encode()
        if path == "/packages/list.json":
            return json.dumps({"packageNames": names, "query": query}).encode()
        if path == "/metadata/changes.json":
            return json.dumps({"actions": [], "timestamp": 17, "query": query}).encode()
        if path.startswith("/providers/"):
            return b'{"providers":[]}'
        return b'{"filter":[]}' if path == "/lists/summary.json" else None

    def _file(self, content: bytes, kind: str, path: str, request: Any) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": kind}
        etag = '"' + sha1(content).hexdigest() + '"'
        modified = formatdate(self.modified.get(path, 1_700_000_000), usegmt=True)
        if self.etags:
            headers["ETag"] = etag
            headers["Last-Modified"] = modified
            tag, date = request.get("If-None-Match"), request.get("If-Modified-Since")
            if tag == etag or (tag is None and date == modified):
                return 304, headers, b""
        span = request.get("Range")
        if span and self.ranges and request.get("If-Range") in {None, etag, modified}:
            first = int(span.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            return 206, headers, content[first:]
        if kind == "application/json" and "gzip" in (request.get("Accept-Encoding") or ""):
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content, mtime=0)
        return 200, headers, content
