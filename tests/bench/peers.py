"""The servers that are compared: ours, and nginx with proxy_cache, over the same origin."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from attrs import define, field

from tests.support.server import free_port

__all__ = ["Nginx", "cpu_seconds"]

CONFIG = """
daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
user root;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    sendfile on; tcp_nopush on; keepalive_requests 1000000;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=z:10m max_size=2g inactive=60m use_temp_path=off;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache z; proxy_cache_key $uri$http_accept_encoding; proxy_cache_valid 200 1h; proxy_ignore_headers Vary;
        }}
    }}
}}
"""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@define
class Nginx:
    """One nginx with one worker."""

    folder: Path
    origin_port: int
    port: int = field(factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Nginx":
        """Start it; raises FileNotFoundError when nginx is not installed."""
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            raise FileNotFoundError("nginx is not installed")
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=self.folder, origin=self.origin_port, port=self.port))
        self._process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        return self

    def _worker(self) -> int:
        assert self._process is not None
        listed = subprocess.run(
            ["pgrep", "-P", str(self._process.pid), "-f", "worker"], capture_output=True, text=True, check=True
        )
        return int(listed.stdout.split()[0])

    def cpu_seconds(self) -> float:
        """Return the worker's CPU time."""
        return cpu_seconds(self._worker())

    def memory_kib(self, figure: str = "VmHWM") -> int:
        """Return a memory figure of the worker."""
        status = Path(f"/proc/{self._worker()}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(figure)))

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(10)
