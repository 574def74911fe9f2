"""The library: what the README shows works, and importing installs no reactor."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import TestCase

from tests.support.client import fetch
from tests.support.origin import Origin, Package, make_zip
from tests.support.server import free_port

ROOT = Path(__file__).parents[2]


class EmbeddingTests(TestCase):
    """As somebody else's program would."""

    def test_no_reactor(self) -> None:
        """Importing the package and its public names installs no reactor."""
        program = (
            "import sys, packeton; packeton.load_settings, packeton.Settings, packeton.PacketonError;"
            "assert 'twisted.internet.reactor' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    def run_program(self, program: str, path: str) -> None:
        """Run *program* with twistd on a small origin; it must answer below *path* with addresses below it."""
        package = Package("acme/foo", "1.0.0", make_zip("acme/foo", "foo"))
        origin = Origin([package]).start()
        self.addCleanup(origin.stop)
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        folder, port = Path(holder.name), free_port()
        (folder / "etc").mkdir()
        mirror = f"{{url: '{origin.url}', public_access: true}}"
        (folder / "etc" / "packeton.yaml").write_text(f"packeton: {{mirrors: {{packagist: {mirror}}}}}")
        (folder / "mine.py").write_text(program.replace("8000", str(port)))
        command = [str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=", "--python", "mine.py"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            base = f"http://127.0.0.1:{port}{path}/mirror/packagist"
            deadline = time.monotonic() + 60  # a busy machine imports slowly
            while True:
                try:
                    root = fetch(f"{base}/packages.json").json()
                    break
                except OSError:
                    self.assertLess(time.monotonic(), deadline, process.poll())
                    time.sleep(0.05)
            self.assertEqual(f"{base}/p2/%package%.json", root["metadata-url"])
            self.assertEqual(package.content, fetch(f"{base}/{origin.our_path(package)}").body)
        finally:
            process.terminate()
            process.communicate(timeout=20)

    def test_readme(self) -> None:
        """The README's program, as it stands there."""
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        self.assertEqual(1, len(blocks))
        self.run_program(blocks[0], "/composer")

    def test_resource_tree(self) -> None:
        """The same deep in a plain resource tree."""
        self.run_program(
            """
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from packeton import build, load_settings
packeton = build(load_settings("etc/packeton.yaml"), reactor)
root, deep = Resource(), Resource()
root.putChild(b"a", deep)
deep.putChild(b"b", packeton.resource)
application = Application("mine")
packeton.services.setServiceParent(application)
reactor.listenTCP(8000, Site(root), interface="127.0.0.1")
""",
            "/a/b",
        )
