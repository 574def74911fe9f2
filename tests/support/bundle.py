"""The origin of the recorded metadata that lies beside the project, where it is at hand."""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

from tests.support.server import free_port

__all__ = ["BUNDLE", "Bundle"]

BUNDLE = Path(__file__).resolve().parents[2].parent / "shared" / "upstream"


class Bundle:
    """The origin of the recorded metadata, in a process of its own."""

    def __init__(self, folder: Path, root: str = "packagist-2026") -> None:
        self.port = free_port()
        self._root = root
        self._log = folder / f"origin-{root}.log"
        self._log.touch()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        program = str(BUNDLE / "serve_bundle.py")
        command = [sys.executable, program, str(BUNDLE), str(self.port), "--root", self._root]
        command += ["--log", str(self._log)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/packages.json", timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        self._log.write_text("")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counts(self) -> Counter[str]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return Counter(line["uri"] for line in lines if line["m"] == "GET")

    def clear(self) -> None:
        self._log.write_text("")
