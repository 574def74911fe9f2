"""Dists from an upstream that misbehaves: whole or not at all, and the store stays right."""

import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from os import environ, geteuid
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest, TestCase
from urllib.parse import urlsplit

import pytest

from tests.scenarios.test_http import HttpTestCase
from tests.support.client import Answer, fetch
from tests.support.origin import Fault, Origin, Package, make_zip
from tests.support.server import Server

KILLS = int(environ.get("PACKETON_TEST_KILLS", "200"))


def package(number: int, size: int = 300_000) -> Package:
    return Package(f"acme/f{number}", "1.0.0", make_zip(f"acme/f{number}", f"f{number}", size))


class DistFaultTests(HttpTestCase):
    """One fault at a time, each on a package of its own."""

    packages: ClassVar[list[Package]] = [package(number) for number in range(40)]
    settings: ClassVar[dict[str, object]] = {"upstream": {"idle_timeout": "1s", "response_timeout": "2s"}}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.origin.packages += cls.packages
        cls.fresh = iter(cls.packages)

    def play(self, *faults: Fault) -> tuple[Package, Answer]:
        """Ask for a fresh package under *faults*."""
        wanted = next(self.fresh)
        self.origin.fault(self.origin.zip_path(wanted), *faults)
        answer = self.dist(wanted)
        self.assertFalse(
            answer.status == 200 and answer.complete and answer.body != wanted.content, "a wrong body that looks whole"
        )
        return wanted, answer

    def assert_mended(self, *faults: Fault) -> Package:
        """The client gets the whole body although upstream broke."""
        wanted, answer = self.play(*faults)
        self.assertEqual((200, True), (answer.status, answer.complete))
        self.assertEqual(wanted.content, answer.body)
        self.origin.faults.clear()
        self.assertEqual("hit", self.dist(wanted).headers["x-cache"])
        return wanted

    def assert_refused(self, fault: Fault) -> None:
        """The client gets no whole body; nothing is kept; once upstream is well again, it is had."""
        fault.times = None
        wanted, answer = self.play(fault)
        self.assertFalse(answer.status == 200 and answer.complete)
        self.origin.faults.clear()
        listed = subprocess.run(
            [str(Path(self.server_python())), "-m", "packeton", "cache", "list", "--data", str(self.server.data),
             f"*{wanted.name}*zip"], capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.assertEqual("", listed.stdout)

    def server_python(self) -> str:
        import sys

        return sys.executable

    def test_mended(self) -> None:
        """A reset, cuts at the start, in the middle and near the end, a stall and a 503 are mended behind our back."""
        self.assert_mended(Fault("reset"))
        self.assert_mended(Fault("status", at=503))
        for at in (0, 10, 150_000, 299_000):
            mended = self.assert_mended(Fault("cut", at=at))
            path = self.origin.zip_path(mended)
            spans = [headers.get("Range") for _, asked, headers in self.origin.log if asked == path]
            self.assertEqual(2, len(spans))
            if at >= 150_000:  # of the others the head may be lost too
                self.assertTrue(str(spans[1]).startswith("bytes="), spans)
        self.assert_mended(Fault("stall", at=100_000))
        self.assert_mended(Fault("cut-chunked", at=5000))

    def test_mended_without_ranges(self) -> None:
        """Where upstream knows no ranges or gives no validator, the body is asked for again and compared."""
        self.origin.ranges = False
        self.addCleanup(setattr, self.origin, "ranges", True)
        self.assert_mended(Fault("cut", at=150_000))
        self.origin.etags = False
        self.addCleanup(setattr, self.origin, "etags", True)
        self.assert_mended(Fault("cut", at=150_000))

    def test_refused(self) -> None:
        """Damaged, short, long, HTML, an endless cut, a redirect loop and a private address: never kept."""
        size = len(self.packages[0].content)
        for fault in (
            Fault("flip", at=0), Fault("flip", at=size // 2), Fault("flip", at=size - 60), Fault("short", at=size // 2),
            Fault("short", at=0), Fault("long"), Fault("html"), Fault("cut", at=1000), Fault("cut-chunked", at=1000),
            Fault("reset"), Fault("redirect", body=b"http://169.254.169.254/latest"), Fault("redirect", body=b"file:///etc"),
            Fault("status", at=500), Fault("status", at=403), Fault("status", at=404), Fault("hang"),
        ):  # fmt: skip
            with self.subTest(fault=fault.kind, at=fault.at):
                self.assert_refused(fault)

    def test_codes(self) -> None:
        """Permanent refusals are answers that Composer does not repeat 16 times; passing failures are 5xx."""
        for status, ours in ((404, {404}), (410, {404}), (403, {424}), (451, {424}), (500, {502}), (503, {502, 503})):
            _, answer = self.play(Fault("status", at=status, times=None))
            self.assertIn(answer.status, ours, status)

    def test_damaged_is_final_for_a_while(self) -> None:
        """After a damaged dist was refused, others are told so without asking upstream, and with a code that ends it."""
        wanted, _ = self.play(Fault("html", times=None))
        asked = self.origin.count(self.origin.zip_path(wanted))
        for _ in range(3):
            self.assertEqual(424, self.dist(wanted).status)
        self.assertEqual(asked, self.origin.count(self.origin.zip_path(wanted)))

    def test_redirect_loop(self) -> None:
        """A loop is noticed."""
        wanted = next(self.fresh)
        path = self.origin.zip_path(wanted)
        self.origin.fault(path, Fault("redirect", body=path.encode(), times=None))
        self.assertEqual(502, self.dist(wanted).status)
        self.assertLess(self.origin.count(path), 10)

    def test_other_bytes_later(self) -> None:
        """Evicted and fetched again with other bytes: refused, with an alarm on page, log and figures."""
        wanted = next(self.fresh)
        self.assertEqual(wanted.content, self.dist(wanted).body)
        python = self.server_python()
        command = [python, "-m", "packeton", "cache", "purge", "--data", str(self.server.data), f"*{wanted.name}/*zip"]
        subprocess.run(command, check=True, capture_output=True)
        time.sleep(1.5)
        wanted.content = make_zip(wanted.name, "evil", 300_000)
        answer = self.dist(wanted)
        self.assertFalse(answer.status == 200 and answer.complete)
        self.assertIn("ALARM", self.server.log)
        self.assertIn("packeton_dist_changed_total 1.0", fetch(f"{self.server.url}/metrics").body.decode())
        self.assertIn(wanted.name, fetch(f"{self.server.url}/").body.decode())
        cache = [python, "-m", "packeton", "cache"]
        data = ["--data", str(self.server.data)]
        listed = subprocess.run([*cache, "alarms", *data], check=False, capture_output=True, text=True)
        self.assertEqual(1, listed.returncode)
        self.assertIn(f"up {wanted.name} 1.0.0.0 {wanted.reference}", listed.stdout)
        subprocess.run([*cache, "accept", wanted.name, *data], check=True, capture_output=True)
        again = subprocess.run([*cache, "accept", wanted.name, *data], check=False, capture_output=True)
        self.assertEqual(1, again.returncode)
        deadline = time.monotonic() + 40
        while (answer := self.dist(wanted)).status != 200 and time.monotonic() < deadline:
            time.sleep(2)  # the refusal is remembered for half a minute
        self.assertEqual(wanted.content, answer.body)


class CrowdTests(TestCase):
    """Many clients on one cold dist."""

    def test_hundred_clients(self) -> None:
        """20 hang up, 20 read slowly, 60 quickly: one upstream fetch, identical bodies, little memory."""
        big = Package("acme/big", "1.0.0", make_zip("acme/big", "big", 50 << 20))
        origin = Origin([big]).start()
        self.addCleanup(origin.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        mirror = {"url": origin.url, "public_access": True}
        server = Server(Path(folder.name) / "s", {"mirrors": {"up": mirror}}).start()
        self.addCleanup(server.stop)
        fetch(f"{server.url}/mirror/up/p2/acme/big.json")
        idle = server.memory_kib()
        origin.fault(origin.zip_path(big), Fault("slow", at=25 << 20))
        url = f"{server.url}/mirror/up/{origin.our_path(big)}"
        with ThreadPoolExecutor(100) as pool:
            quick = [pool.submit(_read, url) for _ in range(60)]
            slow = [pool.submit(_read, url, slow_for=4.0) for _ in range(20)]
            gone = [pool.submit(_read, url, hang_up_after=200_000) for _ in range(20)]
            digests = {future.result() for future in quick + slow}
            self.assertEqual({None}, {future.result() for future in gone})
        self.assertEqual({sha256(big.content).hexdigest()}, digests)
        self.assertEqual(1, origin.count(origin.zip_path(big)))
        self.assertLess(server.memory_kib() - idle, 64 << 10)


def _read(url: str, *, slow_for: float = 0, hang_up_after: int | None = None) -> str | None:
    """Read a dist over a plain socket: for a while at 100 KB/s, or only its beginning; return the body's digest."""
    parts = urlsplit(url)
    digest, size, began = sha256(), 0, time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        file = connection.makefile("rb")
        head = iter(file.readline, b"\r\n")
        length = next(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length"))
        while file.readline() != b"\r\n":
            pass
        while size < length:
            slow = time.monotonic() - began < slow_for
            chunk = file.read(min(10_000 if slow else 1 << 18, length - size))
            if not chunk:
                return f"short at {size}"
            digest.update(chunk)
            size += len(chunk)
            if hang_up_after is not None and size > hang_up_after:
                return None
            if slow:
                time.sleep(0.1)
    return digest.hexdigest()


@pytest.mark.timeout(1200)
class KillTests(TestCase):
    """SIGKILL at random points of fills: what is served afterwards is right, and nothing half is found."""

    def test_kills(self) -> None:
        """After each kill the server starts at once, verifies clean, and serves every dist right."""
        with ThreadPoolExecutor(2) as both:  # a start takes longer than what it is killed in
            for done in [both.submit(self.kill_often, seed, KILLS // 2) for seed in (2026, 2027)]:
                done.result()

    def kill_often(self, seed: int, kills: int) -> None:
        packages = [package(number, 400_000) for number in range(6)]
        origin = Origin(packages).start()
        self.addCleanup(origin.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        mirror = {"url": origin.url, "public_access": True}
        server = Server(Path(folder.name) / "s", {"mirrors": {"up": mirror}})
        chance = random.Random(seed)
        for _ in range(kills):
            server.start()
            threads = [threading.Thread(target=_ignore, args=(server, origin, one)) for one in packages]
            for thread in threads:
                thread.start()
            time.sleep(chance.random() * 0.15)
            server.stop(signal.SIGKILL)
            for thread in threads:
                thread.join(20)
        server.start()
        self.addCleanup(server.stop)
        for one in packages:
            answer = fetch(f"{server.url}/mirror/up/{origin.our_path(one)}")
            self.assertEqual((200, one.content), (answer.status, answer.body))
        command = [sys.executable, "-m", "packeton", "cache", "verify", "--data", str(server.data)]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(0, verified.returncode, verified.stdout)
        drafts = server.data / "cache" / "drafts"
        self.assertEqual([], list(drafts.iterdir()))


def _ignore(server: Server, origin: Origin, wanted: Package) -> None:
    try:
        fetch(f"{server.url}/mirror/up/{origin.our_path(wanted)}", timeout=10)
    except OSError:
        pass
    except Exception as error:
        if "Remote end closed" not in str(error):
            raise


class FullDiskTests(TestCase):
    """A store that takes nothing."""

    def test_passes_through(self) -> None:
        """On a full disk metadata and dists are served all the same, and the server lives."""
        if geteuid() != 0:
            raise SkipTest("only root can mount a small file system")
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        disk = Path(holder.name) / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False)
        if mounted.returncode:
            raise SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)
        packages = [package(number, 1_200_000) for number in range(5)]
        origin = Origin(packages).start()
        self.addCleanup(origin.stop)
        server = Server(Path(holder.name) / "s", {"mirrors": {"up": {"url": origin.url, "public_access": True}}})
        server.folder.mkdir()
        (server.folder / "var").symlink_to(disk)
        server.start()
        self.addCleanup(server.stop)
        for one in packages * 2:
            answer = fetch(f"{server.url}/mirror/up/{origin.our_path(one)}")
            self.assertEqual((200, True), (answer.status, answer.complete), server.log[-2000:])
            self.assertEqual(one.content, answer.body)
            self.assertEqual(200, fetch(f"{server.url}/mirror/up/p2/{one.name}.json").status)
        self.assertIn("No space left", server.log)
        self.assertNotIn("Traceback", server.log)
