"""The commands, as a user runs them."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

import click

from packeton.cli.main import program
from tests.scenarios.test_http import FOO, SMALL, HttpTestCase
from tests.support.client import fetch

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "packeton", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment},
    )  # fmt: skip


class ConfigTests(TestCase):
    """`packeton config`."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.path = Path(holder.name) / "p.yaml"

    def test_check(self) -> None:
        """ok and 0, or one line and 1, without a traceback."""
        self.path.write_text("packeton: {health_check: false}")
        done = run("config", "check", "--config", str(self.path))
        self.assertEqual((0, f"ok: {self.path}\n"), (done.returncode, done.stdout))
        self.path.write_text("packeton: {helth_check: false}")
        done = run("config", "check", "--config", str(self.path))
        message = f"packeton: packeton.helth_check: unknown option; did you mean health_check? ({self.path}:1)\n"
        self.assertEqual((1, "", message), (done.returncode, done.stdout, done.stderr))

    def test_show(self) -> None:
        """Each value with its origin; no secret in any output."""
        self.path.write_text(
            "packeton: {mirrors: {a: {url: 'https://u:tellnobody1@x', http_basic: {username: u, password: tellnobody2},"
            " composer_auth: {bearer: {x: tellnobody3}}}}, upstream: {https_proxy: 'http://u:tellnobody4@p:1'}}"
        )
        plain = run("config", "show", "--config", str(self.path), PACKETON_DATA="/d")
        self.assertEqual(0, plain.returncode, plain.stderr)
        self.assertNotIn("tellnobody", plain.stdout + plain.stderr)
        as_json = run("config", "show", "--json", "--config", str(self.path), PACKETON_DATA="/d")
        self.assertNotIn("tellnobody", as_json.stdout)
        shown = json.loads(as_json.stdout)
        self.assertEqual({"value": "/d", "origin": "environment PACKETON_DATA"}, shown["packeton.data"])
        self.assertEqual("https://***@x", shown["packeton.mirrors.a.url"]["value"])
        self.assertEqual(f"{self.path}:1", shown["packeton.mirrors.a.url"]["origin"])
        self.assertEqual("default", shown["packeton.mirrors.a.dist_urls"]["origin"])
        self.assertEqual("50GiB", shown["packeton.cache.max_bytes"]["value"])

    def test_variables(self) -> None:
        """What stands in a variable, a `.env` file or the wrong place is in no output either; the variable's name is."""
        self.path.write_text(
            "packeton: {mirrors: {a: {url: 'https://%env(PW)%:%env(PW)%@x', composer_auth: '%env(AUTH)%'}}, data: '/%env(WHERE)%'}"
        )
        auth = '{"http-basic": {"x": {"username": "u", "password": "tellnobody"}}}'
        (self.path.parent / ".env").write_text("WHERE=there\nPW=tellnobody\n")
        for command in (("check",), ("show",), ("show", "--json")):
            done = run("config", *command, "--config", str(self.path), AUTH=auth)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertNotIn("nobody", done.stdout)
        self.assertEqual(
            {"value": "/there", "origin": f"{self.path}:1, environment WHERE"}, json.loads(done.stdout)["packeton.data"]
        )
        done = run("config", "check", "--config", str(self.path), AUTH='{"tellnobody')
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, r"^packeton: packeton\.mirrors\.a\.composer_auth: must be a map or JSON text of one .*\n$")
        self.assertNotIn("nobody", done.stderr)

    def test_one_line(self) -> None:
        """Whatever is wrong: one line on standard error, status 1, no traceback."""
        self.path.write_text("packeton: [")
        for arguments in (
            ("config", "check", "-c", str(self.path)), ("config", "show", "-c", "/no/such/file"), ("cache", "stats", "-c", str(self.path)),
            ("cache", "stats", "--data", "/proc/nope"), ("cache", "list", "--data", str(self.path)), ("cache", "purge", "x", "--data", "/dev/null/x"),
        ):  # fmt: skip
            done = run(*arguments)
            self.assertEqual((1, ""), (done.returncode, done.stdout), arguments)
            self.assertRegex(done.stderr, r"^packeton: [^\n]+\n$")

    def test_full_disk(self) -> None:
        """Output that cannot be written is an error, too."""
        if not Path("/dev/full").exists():
            self.skipTest("no /dev/full here")
        with open("/dev/full", "w") as full:  # noqa: PTH123  # a device
            done = subprocess.run(
                [sys.executable, "-m", "packeton", "config", "reference"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
        self.assertEqual(1, done.returncode)
        self.assertNotIn("Traceback", done.stderr)

    def test_reference(self) -> None:
        """The sample that lies in etc/."""
        self.assertEqual((ROOT / "etc" / "packeton.yaml").read_text(), run("config", "reference").stdout)

    def test_help(self) -> None:
        """Help and version; an unknown command is status 2."""
        self.assertIn("cache", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"packeton, version \d")
        self.assertEqual(2, run("dance").returncode)

    def test_documented(self) -> None:
        """All commands of the manual are there."""
        told = re.findall(r"`packeton ([a-z:]+)(?: ([a-z|-]+))?", (ROOT / "docs" / "commands.md").read_text())
        self.assertIn(("mirror", "sync"), told)
        for name, inner in told:
            command = program.get_command(click.Context(program), name)
            for one in inner.split("|") if isinstance(command, click.Group) and inner else ():
                self.assertIn(one, command.commands, name)
            self.assertIsNotNone(command, name)


class CacheTests(HttpTestCase):
    """`packeton cache`, beside the running server."""

    def cache(self, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run("cache", command, "--data", str(self.server.data), *arguments)

    def test_story(self) -> None:
        """Count, list, pin, purge; the server notices; verify finds and repairs damage."""
        import time

        self.dist(FOO)
        self.dist(SMALL)
        figures = json.loads(self.cache("stats", "--json").stdout)
        self.assertEqual(2, figures["dist_entries"])
        self.assertEqual(len(FOO.content) + len(SMALL.content), figures["dist_bytes"])
        listed = [json.loads(line) for line in self.cache("list", "--json", "*/dist/*").stdout.splitlines()]
        self.assertEqual({len(FOO.content), len(SMALL.content)}, {entry["size"] for entry in listed})
        self.assertIn("1 entries pinned", self.cache("pin", "*acme/foo*zip").stdout)
        self.assertIn("1 entries, ", self.cache("purge", "*/dist/*").stdout)
        time.sleep(1.5)
        self.origin.log.clear()
        self.assertEqual(("hit", "miss"), (self.dist(FOO).headers["x-cache"], self.dist(SMALL).headers["x-cache"]))
        self.assertIn("1 entries unpinned", self.cache("unpin", "*acme/foo*zip").stdout)
        self.assertEqual(1, self.cache("pin", "nothing/*").returncode)
        self.assertEqual(0, self.cache("verify").returncode)
        blobs = [path for path in (self.server.data / "cache" / "blobs").rglob("*") if path.is_file()]
        blob = next(path for path in blobs if path.read_bytes() == SMALL.content)
        blob.write_bytes(SMALL.content[:-1] + b"x")
        found = self.cache("verify")
        self.assertEqual(1, found.returncode)
        self.assertIn("another SHA-256", found.stdout)
        self.assertEqual(0, self.cache("verify", "--repair").returncode)
        time.sleep(1.5)
        self.assertEqual(SMALL.content, self.dist(SMALL).body)
        self.assertEqual(200, fetch(f"{self.server.url}/api/healthz").status)
