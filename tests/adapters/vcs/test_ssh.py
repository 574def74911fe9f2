"""git over a real sshd: keys, pinned host keys, and what is left of a key afterwards."""

import subprocess
from pathlib import Path

from twisted.internet.defer import Deferred

from packeton.config.settings import Secret
from packeton.errors import VcsFailed, VcsReason
from packeton.interfaces.vcs import VcsAccess
from tests.adapters.vcs.scripted import CheckoutsTestCase
from tests.support.vcs import manifest


class SshTests(CheckoutsTestCase):
    """Each piece of work has a key of its own."""

    def setUp(self) -> None:
        super().setUp()
        ssh = self.serve_ssh()
        self.server, self.good, self.bad, self.host = ssh.server, ssh.good, ssh.bad, f"ssh://{ssh.host}"
        self.git = self.repository()
        self.sha = self.git.commit({"composer.json": manifest()})
        self.url = f"{self.host}{self.git.path}"

    def access(self, key: Path | None, **options: object) -> VcsAccess:
        secret = None if key is None else Secret(key.read_text())
        return VcsAccess(url=self.url, ssh_key=secret, **options)  # type: ignore[arg-type]

    async def test_crawl(self) -> None:
        """The right key works; the host key is pinned and told; no file ever has the private key in it."""
        told = await self.versions(self.access(self.good))
        self.assertEqual({"branch:main": "dev-main"}, told)
        (pinned,) = await self.checkouts.host_keys()
        self.assertRegex(pinned, rf"^\[127\.0\.0\.1\]:{self.server.port} ssh-ed25519 SHA256:\S{{43}}$")
        self.assertIn(f"Pinned the ssh host key {pinned}", self.log)
        secret = self.good.read_text().split("\n")[3]
        files = [path for path in self.data.rglob("*") if path.is_file()]
        self.assertEqual([], [path for path in files if secret.encode() in path.read_bytes()])
        agents = ["pgrep", "-f", f"ssh-agent -D -a {self.temporary}"]
        self.assertEqual("", subprocess.run(agents, capture_output=True, check=False, text=True).stdout)
        self.assertEqual([], list(self.temporary.iterdir()))
        self.git.commit({"new": ""})
        crawl, _ = await self.crawl(self.access(self.good))
        await self.archive(self.access(self.good), crawl.refs["branch:main"])

    async def test_key_formats(self) -> None:
        """RSA and EC in PEM, ed25519 in OpenSSH's format, with line ends of any kind."""
        keys = [self.server.key("rsa", "rsa", form=("-m", "PEM", "-b", "2048")), self.server.key("ec", "ecdsa", form=("-m", "PEM")), self.good]
        with (self.server.folder / "authorized_keys").open("a") as authorized:
            authorized.write("".join(key.with_suffix(".pub").read_text() for key in keys))
        for key in keys:
            text = key.read_text().replace("\n", "\r\n").strip()
            access = VcsAccess(url=self.url, ssh_key=Secret(text))
            self.assertEqual({"branch:main": "dev-main"}, await self.versions(access))

    async def test_wrong_key(self) -> None:
        """A key that is not registered, one that is none, one with a passphrase."""
        failure = await self.failure(self.access(self.bad))
        self.assertEqual((VcsReason.LOGIN, True), (failure.reason, "did not accept the key" in str(failure)))
        failure = await self.failure(VcsAccess(url=self.url, ssh_key=Secret("no key")))
        self.assertIn("cannot be read", str(failure))
        locked = self.server.key("locked", passphrase="open sesame")
        failure = await self.failure(self.access(locked))
        self.assertEqual((VcsReason.LOGIN, True), (failure.reason, "passphrase" in str(failure)), str(failure))

    async def test_host_key_changed(self) -> None:
        """A server that shows another key is not talked to, until somebody forgets the pinned one."""
        await self.crawl(self.access(self.good))
        (before,) = await self.checkouts.host_keys()
        self.server.stop()
        self.server.start(self.good)
        failure = await self.failure(self.access(self.good))
        self.assertEqual((VcsReason.HOST_KEY, True), (failure.reason, "another host key than the pinned" in str(failure)), str(failure))
        await self.checkouts.forget_host(before.split(" ")[0])
        self.assertEqual([], await self.checkouts.host_keys())
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(self.access(self.good)))
        self.assertNotEqual([before], await self.checkouts.host_keys())

    async def test_unknown_host(self) -> None:
        """Where only pinned servers are allowed, an unknown one is not talked to."""
        failure = await self.failure(self.access(self.good, accept_new_host_key=False))
        self.assertIs(VcsReason.HOST_KEY, failure.reason)

    async def test_gone(self) -> None:
        """No repository there; a path that would like to be an option or a command stays a path."""
        for path in ("/nowhere.git", f"{self.git.path}';touch${{IFS}}{self.folder}/x;'"):
            self.url = f"{self.host}{path}"
            failure = await self.failure(self.access(self.good))
            self.assertEqual((VcsReason.GONE, True), (failure.reason, "there is no git repository" in str(failure)), str(failure))
        self.assertFalse((self.folder / "x").exists())

    async def test_nobody_there(self) -> None:
        """A server that is away."""
        self.server.stop()
        refused = Deferred.fromCoroutine(self.crawl(self.access(self.good)))
        self.assertIs(VcsReason.UNREACHABLE, (await self.assertFailure(refused, VcsFailed)).reason)
        self.server.start(self.good)
