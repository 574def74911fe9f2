"""A Redis server of its own, in memory, with a password."""

import shutil
import signal
import subprocess
import tempfile

from tests.support.server import await_port, free_port

__all__ = ["REDIS", "RedisServer"]

REDIS = shutil.which("redis-server")
PASSWORD = "pass:w@rd/"


class RedisServer:
    """Starts with the object; what is in it goes with a restart."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="packeton-redis-")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://pass%3Aw%40rd%2F@127.0.0.1:{self.port}/1"

    def start(self) -> None:
        assert REDIS is not None
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD, "--dir", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(self.port, self.process)

    def stall(self) -> None:
        """Let it take connections and say nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait(10)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
