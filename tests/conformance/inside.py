"""Inside the private network: the suite's origin, our server, and the suite's client. Prints the client's output."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.server import Server

ORIGIN_PORT = 8000


def main(home: Path, folder: Path, only: str) -> None:
    """Run it all and print what the client says."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    environment = {
        **os.environ,
        "npm_config_protocol": "http",
        "npm_config_port": str(ORIGIN_PORT),
        "npm_config_pidfile": str(folder / "origin.pid"),
        "npm_config_id": only,
        "npm_package_config_id": "",
    }
    origin = subprocess.Popen(
        ["node", "server/server.mjs"], cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    settings = {
        "proxies": {"suite": {"url": f"http://127.0.0.1:{ORIGIN_PORT}", "path": "/suite"}},
        "upstream": {"connections_per_host": 200},
    }
    server = Server(folder / "server", settings)
    try:
        server.start()
        _wait(f"http://127.0.0.1:{ORIGIN_PORT}/")
        client = subprocess.run(
            ["node", "--no-warnings", "cli.mjs"],
            cwd=home,
            env={**environment, "npm_config_base": f"{server.url}/suite"},
            check=True,
            capture_output=True,
            text=True,
            timeout=240,
        )
        print(client.stdout)
    finally:
        server.stop()
        origin.terminate()
        origin.wait(10)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
