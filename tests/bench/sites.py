"""The three servers: an nginx that serves files as upstream, and in front of it nginx `proxy_cache` and Packeton."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

from attrs import define, field

from tests.support.origin import make_zip
from tests.support.server import Server, free_port

__all__ = ["Content", "Nginx", "Packeton", "nginx_cache", "nginx_origin"]

LARGE_BYTES, MIDDLE_BYTES, CROWD_BYTES = 50 << 20, 1 << 20, 25 << 20
CROWD_RATE = "25m"
DOCUMENT_BYTES = 60_000
MISSES_A_ROUND = 400
VERSION = "{}.0.0"


def reference(name: str, number: int) -> str:
    """Return a made-up commit."""
    return sha1(f"{name} {number}".encode()).hexdigest()


@define
class Content:
    """
    The origin's files: `p2/` and `dists/`.

    bench/document has 60 KB of metadata, bench/middle a dist of 1 MB; bench/large, bench/crowd and bench/m* have what
    is fetched but once: one version, or MISSES_A_ROUND small documents, for each round.
    """

    folder: Path
    rounds: int
    archive: Callable[[str, str, int], bytes] = make_zip

    def write(self, origin: str) -> None:
        """Write all of it; dists lie below the URL *origin*."""
        (self.folder / "p2" / "bench").mkdir(parents=True)
        (self.folder / "dists").mkdir()
        root = {"packages": [], "metadata-url": "/p2/%package%.json"}
        (self.folder / "packages.json").write_text(json.dumps(root))
        sizes = {"large": LARGE_BYTES, "middle": MIDDLE_BYTES, "crowd": CROWD_BYTES}
        for name, size in sizes.items():
            (self.folder / "dists" / f"{name}.zip").write_bytes(self.archive(f"bench/{name}", name, size))
            self._document(name, origin, 1 if name == "middle" else self.rounds)
        self._document("document", origin, DOCUMENT_BYTES // 520)
        for number in range(self.rounds * MISSES_A_ROUND):
            self._document(f"m{number}", origin, 5)

    def _document(self, name: str, origin: str, versions: int) -> None:
        full = f"bench/{name}"
        listed = [
            {
                "name": full,
                "description": "a package that is only measured",
                "version": VERSION.format(number),
                "version_normalized": VERSION.format(number) + ".0",
                "type": "library",
                "license": ["MIT"],
                "require": {"php": ">=8.1", "psr/log": f"^{number % 3 + 1}.0"},
                "autoload": {"psr-4": {"Bench\\": "src/"}},
                "dist": {
                    "type": "zip",
                    "url": f"{origin}/dists/{name}/{number}.zip",
                    "reference": reference(name, number),
                    "shasum": "",
                },
                "source": {"type": "git", "url": f"{origin}/{name}.git", "reference": reference(name, number)},
            }
            for number in range(versions)
        ]
        content = json.dumps({"packages": {full: listed}})
        (self.folder / "p2" / "bench" / f"{name}.json").write_text(content)


@define
class Nginx:
    """One nginx with one worker, in *folder*."""

    folder: Path
    port: int = field(factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, http: str, server: str) -> "Nginx":
        """Start it with directives for the `http` and `server` blocks; raises RuntimeError if it does not listen."""
        self.folder.mkdir(exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        (self.folder / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log warn;\n"
            f"events {{ worker_connections 1024; }}\n"
            f"http {{ {temporary} access_log {self.folder}/access.log; types {{ application/json json; }}\n"
            f"sendfile on; tcp_nopush on; keepalive_requests 1000000000; {http}\n"
            f"server {{ listen 127.0.0.1:{self.port}; {server} }} }}\n"
        )
        command = ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError((self.folder / "error.log").read_text())

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    def asked(self, path: str) -> int:
        """Return how often *path* was asked for."""
        return (self.folder / "access.log").read_text().count(f'"GET {path} ')

    def document(self, name: str) -> str:
        return f"{self.url}/p2/bench/{name}.json"

    def dist(self, name: str, number: int) -> str:
        return f"{self.url}/dists/{name}/{number}.zip"


def nginx_origin(content: Content, folder: Path) -> Nginx:
    """Start the upstream. A dist of bench/crowd comes at 25 MB/s."""
    nginx = Nginx(folder)
    content.write(nginx.url)
    return nginx.start(
        "gzip on; gzip_vary on; gzip_types application/json; gzip_proxied any;",
        f"root {content.folder}; default_type application/zip;"
        "location ~ ^/dists/(?<kind>large|middle)/ { try_files /dists/$kind.zip =404; }"
        f"location /dists/crowd/ {{ limit_rate {CROWD_RATE}; try_files /dists/crowd.zip =404; }}",
    )


def nginx_cache(origin: Nginx, folder: Path) -> Nginx:
    """Start the rival: a cache that keeps connections to the origin, one fetch a key, with an access log as we have."""
    return Nginx(folder).start(
        f"proxy_cache_path {folder}/cache levels=1:2 keys_zone=all:10m max_size=8g inactive=1h use_temp_path=off;"
        f"upstream origin {{ server 127.0.0.1:{origin.port}; keepalive 16; }}",
        "location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';"
        " proxy_cache all; proxy_cache_valid 200 1h; proxy_cache_lock on; proxy_cache_lock_timeout 60s; }",
    )


@define
class Packeton:
    """The server as a user starts it."""

    _server: Server

    @classmethod
    def start(cls, origin: Nginx, folder: Path) -> "Packeton":
        mirror = {"url": origin.url, "public_access": True}
        return cls(Server(folder, {"mirrors": {"up": mirror}}).start())

    @property
    def pid(self) -> int:
        assert self._server.process is not None
        return self._server.process.pid

    def stop(self) -> None:
        """End it."""
        self._server.stop()

    def document(self, name: str) -> str:
        return f"{self._server.url}/mirror/up/p2/bench/{name}.json"

    def dist(self, name: str, number: int) -> str:
        file = f"{VERSION.format(number)}.0/ref{reference(name, number)}.zip"
        return f"{self._server.url}/mirror/up/zipball/bench/{name}/{file}"
