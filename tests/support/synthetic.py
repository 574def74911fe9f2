"""A Composer 1 upstream of any number of packages, made up as it is asked; a log of what it was asked."""

import json
import threading
from collections import Counter
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field

__all__ = ["Synthetic"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: "Synthetic"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        content = self.upstream.answer(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients are killed here."""


@define(eq=False)
class Synthetic:
    """`count` packages in files of `per_file`; those in `changed` have another document than at first."""

    count: int
    per_file: int = 10_000
    changed: frozenset[int] = frozenset()
    holds_after: int | None = None
    """How many packages it gives before it gives none, until it is set to None."""
    asked: Counter[str] = field(factory=Counter)
    port: int = 0
    _server: ThreadingHTTPServer | None = field(default=None, init=False)
    _stopped: threading.Event = field(factory=threading.Event, init=False)

    def start(self) -> "Synthetic":
        """Listen on a free port of loopback."""
        handler = type("Handler", (_Handler,), {"upstream": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def name(number: int) -> str:
        return f"vendor{number % 997:03d}/package-{number:06d}"

    def document(self, number: int) -> bytes:
        """Return the document of a package."""
        version = "1.1.0" if number in self.changed else "1.0.0"
        name = self.name(number)
        return json.dumps({"packages": {name: {version: {"name": name, "version": version, "uid": number}}}}).encode()

    def digest(self, number: int) -> str:
        return sha256(self.document(number)).hexdigest()

    def answer(self, path: str) -> bytes | None:
        """Return what lies at *path*."""
        if path == "/packages.json":
            self.asked["root"] += 1
            includes = {f"p/all-{one}$%hash%.json": {"sha256": self._file(one, self.changed)[0]} for one in self._files()}
            return json.dumps({"packages": [], "providers-url": "/p/%package%$%hash%.json", "provider-includes": includes}).encode()
        if path.startswith("/p/all-"):
            self.asked["files"] += 1
            number, _, digest = path.removeprefix("/p/all-").removesuffix(".json").partition("$")
            told, content = self._file(int(number), self.changed)
            return content if digest == told else None
        name, _, digest = path.removeprefix("/p/").removesuffix(".json").replace("%24", "$").partition("$")
        self.asked[name] += 1
        while self.holds_after is not None and len(self.packages_asked()) > self.holds_after:
            if self._stopped.wait(0.1):
                return None
        document = self.document(int(name[-6:]))
        return document if sha256(document).hexdigest() == digest else None

    def packages_asked(self) -> Counter[str]:
        """Return how often each package was asked for."""
        return Counter({name: times for name, times in list(self.asked.items()) if "/" in name})

    def _files(self) -> range:
        return range((self.count + self.per_file - 1) // self.per_file)

    @cache  # noqa: B019  # one upstream a test
    def _file(self, number: int, changed: frozenset[int]) -> tuple[str, bytes]:
        packages = range(number * self.per_file, min(self.count, (number + 1) * self.per_file))
        content = json.dumps({"providers": {self.name(one): {"sha256": self.digest(one)} for one in packages}}).encode()
        return sha256(content).hexdigest(), content
