"""The server as a user starts it: `twistd packeton`, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from attrs import define, field

__all__ = ["Server", "await_port", "free_port"]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: "subprocess.Popen[bytes]", seconds: float = 10) -> None:
    """Return once somebody listens there. Raises OSError when the process ended, or does not listen in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@define
class Server:
    """One server on a data directory; `settings` is the content of `packeton:`, as JSON, which is YAML."""

    folder: Path
    settings: dict[str, object]
    port: int = field(factory=free_port)
    environment: dict[str, str] = field(factory=dict)
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "var"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "packeton.yaml"
        config.write_text(json.dumps({"packeton": self.settings}))
        command = [
            str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=", "packeton",
            "--config", str(config), "--data", str(self.data), "--listen", f"tcp:{self.port}:interface=127.0.0.1",
        ]  # fmt: skip
        environment = {**os.environ, **self.environment}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.folder)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/api/healthz", timeout=5).read()
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("the server did not start:\n" + self.log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise

    def memory_kib(self, figure: str = "VmHWM") -> int:
        """Return a memory figure of the process."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(figure)))

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
