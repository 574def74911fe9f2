"""Mirrors kept up to date and decided about, by the command line beside a running server."""

import html
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from unittest import TestCase

from tests.support.client import fetch
from tests.support.origin import Fault, Origin, Package, make_zip
from tests.support.server import Server
from tests.support.synthetic import Synthetic

FOO = Package("acme/foo", "1.0.0", make_zip("acme/foo", "foo"))
BAR = Package("acme/bar", "1.0.0", make_zip("acme/bar", "bar"))


class _Stories(TestCase):
    """A folder with settings, and commands in it."""

    mirrors: dict[str, object]

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def server(self, **settings: object) -> Server:
        server = Server(self.folder, settings)
        self.addCleanup(server.stop)
        return server.start()

    def configure(self, **settings: object) -> None:
        (self.folder / "packeton.yaml").write_text(json.dumps({"packeton": settings}))

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "packeton", *arguments]
        options = ["--config", str(self.folder / "packeton.yaml"), "--data", str(self.folder / "var")]
        return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_command(self, *arguments: str, status: int = 0) -> str:
        process = self.begin(*arguments)
        output, errors = process.communicate(timeout=90)
        self.assertEqual(status, process.returncode, errors.decode())
        return (output or errors).decode()

    def listed(self) -> dict[str, object]:
        return {one["alias"]: one for one in json.loads(self.run_command("mirror", "list", "--json"))}

    def until(self, condition: object, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():  # type: ignore[operator]
            self.assertLess(time.monotonic(), deadline, "it did not happen in time")
            time.sleep(0.05)


class DecisionTests(_Stories):
    """A strict mirror, an allow-list, reserved vendors: over HTTP."""

    def setUp(self) -> None:
        super().setUp()
        self.origin = Origin([FOO, BAR]).start()
        self.addCleanup(self.origin.stop)

    def test_strict(self) -> None:
        """What is not approved is 404 with the reason for metadata, v1 and dists alike; nothing of it is downloaded."""
        mirror = {"url": self.origin.url, "public_access": True, "sync_lazy": True}
        server = self.server(mirrors={"up": mirror})
        url = f"{server.url}/mirror/up"
        zipball = f"{url}/zipball/acme/foo/1.0.0.0/ref{FOO.reference}.zip"
        self.assertEqual(200, fetch(f"{url}/p2/acme/foo.json").status)
        self.assertEqual(200, fetch(zipball).status)
        self.run_command("mirror", "settings", "up", "--strict")
        self.until(lambda: fetch(f"{url}/p2/acme/foo.json").status == 404)
        asked = self.origin.log[:]
        for address in (
            f"{url}/p2/acme/foo.json", f"{url}/p2/acme/foo~dev.json", f"{url}/pkg/acme/foo.json", zipball,
            f"{url}/p2/acme/bar.json", f"{url}/zipball/acme/bar/1.0.0.0/ref{BAR.reference}.zip",
        ):  # fmt: skip
            answer = fetch(address)
            self.assertEqual(404, answer.status, address)
            self.assertIn("not approved yet", answer.body.decode(), address)
        self.assertEqual([one for one in asked if "packages.json" not in one[1]],
                         [one for one in self.origin.log if "packages.json" not in one[1]])
        self.until(lambda: "acme/bar" in self.run_command("mirror", "review", "up"))
        (self.folder / "names.txt").write_text("acme/foo")
        self.assertIn("1 would be approved", self.run_command("mirror", "approve", "up", str(self.folder / "names.txt"), "--check"))
        self.assertIn("1 approved", self.run_command("mirror", "approve", "up", str(self.folder / "names.txt")))
        self.until(lambda: fetch(f"{url}/p2/acme/foo.json").status == 200)
        self.assertEqual(200, fetch(zipball).status)
        root = fetch(f"{url}/packages.json").json()
        self.assertEqual(["acme/foo"], root["available-packages"])
        self.assertNotIn("acme/foo", self.run_command("mirror", "review", "up"))
        self.assertTrue(self.listed()["up"]["strict"])

    def test_frozen(self) -> None:
        """A frozen mirror serves its snapshot, whatever upstream does; a run that somebody asks for goes through."""
        mirror = {"url": self.origin.url, "public_access": True, "sync_lazy": True, "sync_interval": 0}
        server = self.server(mirrors={"up": mirror})
        path, theirs = f"{server.url}/mirror/up/p2/acme/foo.json", "/p2/acme/foo.json"
        fetch(path)
        self.run_command("mirror", "settings", "up", "--no-sync")
        time.sleep(1.5)
        asked = self.origin.count(theirs)
        for _ in range(3):
            self.assertEqual(200, fetch(path).status)
        self.assertEqual(asked, self.origin.count(theirs))
        self.run_command("mirror", "sync", "up", "--force")
        self.assertEqual(asked + 1, self.origin.count(theirs))
        self.run_command("mirror", "settings", "up", "--sync")
        self.until(lambda: fetch(path).status == 200 and self.origin.count(theirs) > asked + 1)

    def test_rules(self) -> None:
        """Reserved vendors and allow-lists, with an exception for one mirror."""
        mirror = {"url": self.origin.url, "public_access": True, "sync_lazy": True}
        server = self.server(
            reserved_vendors=["acme"],
            mirrors={
                "closed": mirror,
                "open": {**mirror, "reserved_exceptions": ["acme/foo"]},
                "listed": {**mirror, "reserved_exceptions": ["acme"], "available_package_patterns": ["acme/b*"]},
            },
        )
        for alias, name, status, reason in (
            ("closed", "foo", 404, "reserved"), ("open", "foo", 200, ""), ("open", "bar", 404, "reserved"),
            ("listed", "foo", 404, "list of available packages"), ("listed", "bar", 200, ""),
        ):  # fmt: skip
            answer = fetch(f"{server.url}/mirror/{alias}/p2/acme/{name}.json")
            self.assertEqual(status, answer.status, (alias, name))
            self.assertIn(reason, answer.body.decode())
        refused = self.run_command("mirror", "approve", "closed", "acme/foo", status=1)
        self.assertIn("0 approved", refused)
        self.assertIn("1 approved", self.run_command("mirror", "approve", "closed", "acme/foo", "--even-private"))
        self.until(lambda: fetch(f"{server.url}/mirror/closed/p2/acme/foo.json").status == 200)


class SyncTests(_Stories):
    """`packeton mirror sync` in processes of its own."""

    def upstream(self, count: int, **more: object) -> Synthetic:
        upstream = Synthetic(count, **more).start()  # type: ignore[arg-type]
        self.addCleanup(upstream.stop)
        return upstream

    def test_killed(self) -> None:
        """A synchronisation that is killed goes on where it was; the lock of the dead process is no hindrance."""
        upstream = self.upstream(600, per_file=200, holds_after=250)
        self.configure(mirrors={"up": {"url": upstream.url, "public_access": True}})
        process = self.begin("mirror", "sync", "up")
        try:
            self.until(lambda: len(upstream.packages_asked()) > 250, 60)
            refused = self.run_command("mirror", "sync", "up", status=1)
            self.assertIn("is being synchronised by", refused)
            self.assertIn(str(process.pid), str(self.listed()["up"]["synchronised_by"]))
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=20)
            upstream.holds_after = None
        state = self.listed()["up"]
        self.assertEqual(("fetching", None), (state["phase"], state["synchronised_by"]))
        self.assertGreaterEqual(state["done"], 200)
        before = upstream.packages_asked()
        files = upstream.asked["files"]
        self.run_command("mirror", "sync", "up")
        after = upstream.packages_asked()
        self.assertEqual(600, len(after))
        self.assertLessEqual(sum(after.values()) - 600, 108)  # at most one page, and what was under way
        self.assertLess(len(before), 300)
        self.assertEqual(files, upstream.asked["files"], "the names were listed again")
        state = self.listed()["up"]
        self.assertEqual(("idle", 0, 600), (state["phase"], state["failed"], state["listed"]))

    def test_trouble(self) -> None:
        """Login needed, moved away, another format: a message without the secret; old data is served, others work."""
        origin = Origin([FOO]).start()
        self.addCleanup(origin.stop)
        other = Origin([BAR]).start()
        self.addCleanup(other.stop)
        secret = origin.url.replace("://", "://reader:s3cret@")
        settings = {"public_access": True, "sync_lazy": True, "sync_interval": 3600}
        server = self.server(mirrors={"up": {"url": secret, **settings}, "other": {"url": other.url, **settings}})
        path = f"{server.url}/mirror/up/p2/acme/foo.json"
        good = fetch(path).body
        self.run_command("mirror", "enable", "up", "acme/foo")
        for fault, expected in (
            (Fault("status", at=401, times=None), "401"),
            (Fault("html", times=None), "HTML page"),
            (Fault("body", body=b'{"hello": "world"}', times=None), "no packages.json"),
            (Fault("status", at=404, times=None), "there is no packages.json"),
        ):
            origin.faults["/packages.json"] = [fault]
            told = self.run_command("mirror", "sync", "up", status=1)
            listed = self.listed()["up"]
            for text in (told, json.dumps(listed), server.log):
                self.assertNotIn("s3cret", text)
            self.assertIn(expected, told)
            self.assertIn(expected, str(listed["error"]))
            self.assertIn(origin.url, told)
            page = fetch(f"{server.url}/mirror/up").body.decode()
            self.assertIn(html.escape(expected), page)
            self.assertNotIn("s3cret", page)
            self.assertEqual(good, fetch(path).body)
        self.run_command("mirror", "sync", "other")
        origin.faults.clear()
        self.run_command("packagist:sync:mirrors", "up", "--force")
        self.assertIsNone(self.listed()["up"]["error"])
        self.assertEqual(good, fetch(path).body)
        metrics = fetch(f"{server.url}/metrics").body.decode()
        self.assertIn('packeton_mirror_sync_total{mirror="other"}', metrics)


class ManyTests(_Stories):
    """An upstream as large as packagist.org."""

    COUNT = 400_000
    CHANGED = 300
    MAX_KIB = 260 * 1024

    def test_memory(self) -> None:
        """
        400,000 names with digests are listed, and what changed is fetched, in bounded memory.

        All but 300 were fetched "yesterday" (put into the database): fetching all of them would show nothing more of
        the memory, since names are taken by the hundred, and take an hour.
        """
        changed = frozenset(range(0, self.COUNT, self.COUNT // self.CHANGED))
        upstream = Synthetic(self.COUNT, changed=changed).start()
        self.addCleanup(upstream.stop)
        self.configure(mirrors={"up": {"url": upstream.url}})
        self.run_command("mirror", "list")
        yesterday = Synthetic(self.COUNT)
        with sqlite3.connect(self.folder / "var" / "packeton.db") as database:
            database.executemany(
                "INSERT INTO mirror_listings (mirror, name, digest, fetched, fetched_run, run) VALUES ('up', ?, ?, ?, 0, 0)",
                ((Synthetic.name(one), digest, digest) for one in range(self.COUNT) for digest in [yesterday.digest(one)]),
            )
        database.close()
        process = self.begin("mirror", "sync", "up")
        highest = 0
        while process.poll() is None:
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                highest = max(highest, int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))))
            time.sleep(0.05)
        output, errors = process.communicate(timeout=20)
        self.assertEqual(0, process.returncode, errors.decode())
        self.assertIn(f"{len(changed)} changed", output.decode())
        self.assertEqual({Synthetic.name(one) for one in changed}, set(upstream.packages_asked()))
        self.assertEqual(self.COUNT, self.listed()["up"]["listed"])
        self.assertLess(highest, self.MAX_KIB)
        self.assertGreater(highest, 20 * 1024, "it was not measured")
