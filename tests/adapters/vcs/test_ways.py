"""Ways to a git server besides plain http: https, git://, an HTTP proxy; and a copy that has had many fetches."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from packeton.adapters.upstream.proxies import Proxies
from packeton.adapters.vcs.values import Network
from packeton.errors import VcsReason
from packeton.interfaces.vcs import VcsAccess
from tests.adapters.upstream.scripted import make_certificate
from tests.adapters.vcs.scripted import CheckoutsTestCase
from tests.support.server import free_port
from tests.support.vcs import GitHttp, manifest


class HttpsTests(CheckoutsTestCase):
    """A certificate authority of our own."""

    def certificate(self, name: str, authority: Any) -> ssl.SSLContext:
        key, certificate = make_certificate(name, authority, days=10)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + certificate.public_bytes(serialization.Encoding.PEM)
        file = self.folder / f"{name}.pem"
        file.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    async def test_certificates(self) -> None:
        """Of the configured authority; of an unknown one; of another name."""
        authority = make_certificate("authority", None, days=10)
        ca_file = self.folder / "ca.pem"
        ca_file.write_bytes(authority[1].public_bytes(serialization.Encoding.PEM))
        self.repository().commit({"composer.json": manifest()})
        good = self.serve(tls=self.certificate("127.0.0.1", authority))
        other = self.serve(tls=self.certificate("other.example", authority))
        failure = await self.failure(f"{good.url}/lib.git")
        self.assertEqual((VcsReason.UNREACHABLE, True), (failure.reason, "no secure connection" in str(failure)), str(failure))
        self.checkouts = self.make(network=Network(ca_file=ca_file))
        self.assertEqual({"branch:main": "dev-main"}, await self.versions(f"{good.url}/lib.git"))
        self.assertIs(VcsReason.UNREACHABLE, (await self.failure(f"{other.url}/lib.git")).reason)


class WayTests(CheckoutsTestCase):
    """Each to a real server."""

    async def test_daemon(self) -> None:
        """git:// to `git daemon`."""
        if not Path(subprocess.run(["git", "--exec-path"], capture_output=True, check=True, text=True).stdout.strip(), "git-daemon").exists():
            self.skipTest("git daemon is not installed")
        repository = self.repository()
        repository.commit({"composer.json": manifest()})
        repository.tag("1.0.0", annotated=True)
        port = free_port()
        command = ["git", "daemon", "--export-all", f"--base-path={self.folder / 'local'}", "--listen=127.0.0.1", f"--port={port}", "--reuseaddr"]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(daemon.wait, 10)
        self.addCleanup(os.killpg, daemon.pid, 15)
        await self.listening(port)
        told = await self.versions(f"git://127.0.0.1:{port}/lib.git")
        self.assertEqual({"tag:1.0.0": "1.0.0", "branch:main": "dev-main"}, told)
        self.assertIs(VcsReason.GONE, (await self.failure(f"git://127.0.0.1:{port}/none.git")).reason)

    async def test_proxy(self) -> None:
        """Through an HTTP proxy, with its own login."""
        self.repository().commit({"composer.json": manifest()})
        seen: list[str] = []

        class Relay(GitHttp):
            def _answer(self, handler: Any) -> None:
                seen.append(f"{handler.path} {handler.headers.get('Proxy-Authorization')}")
                handler.path = "/" + handler.path.split("/", 3)[3]
                super()._answer(handler)

        proxy = Relay(self.folder / "local").start()
        self.addCleanup(proxy.stop)
        address = proxy.url.replace("http://", "http://user:pass@")
        proxies = Proxies.choose(http=address, https=None, no_proxy="", environment={})
        self.checkouts = self.make(proxies=proxies)
        told = await self.versions("http://git.acme.example/lib.git")
        self.assertEqual({"branch:main": "dev-main"}, told)
        login = GitHttp.basic("user", "pass")
        self.assertEqual({f"http://git.acme.example/lib.git/info/refs?service=git-upload-pack {login}"}, {line for line in seen if "info/refs" in line})

    async def test_many_fetches(self) -> None:
        """Packs are put together before there are too many; commits that no ref leads to any more stay."""
        if shutil.which("git") is None:
            self.skipTest("git is not installed")
        repository, server = self.repository(), self.serve()
        url = f"{server.url}/lib.git"
        first = repository.commit({"composer.json": manifest(), "n": "0"})
        await self.crawl(url)
        repository.commit({"composer.json": manifest(), "n": "1"}, parents=[])
        repository.git("gc", "--prune=now", "--quiet")
        for number in range(2, 44):
            repository.commit({"n": str(number)})
            await self.crawl(url)
        packs = list(self.data.glob("git/*/*/objects/pack/*.pack"))
        self.assertLess(len(packs), 20)
        before = len(server.requests)
        await self.archive(VcsAccess(url=url), first)
        self.assertEqual(before, len(server.requests))
