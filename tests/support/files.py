"""An origin of fixed files on loopback, with a log of the paths that it was asked for."""

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

__all__ = ["FileOrigin"]

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: "FileOrigin"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(self.path)
        self.origin.note(path)
        content = self.origin.files.get(path)
        fresh = content is not None and self.headers.get("If-Modified-Since") == DATE
        self.send_response(404 if content is None else 304 if fresh else 200)
        if not fresh:
            self.send_header("Content-Length", str(len(content or b"")))
        if content is not None:
            self.send_header("Last-Modified", DATE)
        self.end_headers()
        if content is not None and not fresh:
            self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # the client hung up


class FileOrigin:
    """One origin; *make* gives the files for its address."""

    def __init__(self, make: Callable[[str], dict[str, bytes]]) -> None:
        handler = type("Handler", (_Handler,), {"origin": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.files = make(self.base)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def note(self, path: str) -> None:
        with self._lock:
            self.asked[path] += 1

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
