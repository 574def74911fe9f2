"""Subversion over http, by Apache's own module, and over ssh."""

import os
import shutil
import subprocess
from pathlib import Path
from unittest import SkipTest

from packeton.config.settings import Secret
from packeton.core.composer.sources import dist_reference
from packeton.errors import VcsReason
from packeton.interfaces.vcs import VcsAccess, VcsKind
from tests.adapters.vcs.scripted import CheckoutsTestCase
from tests.support.server import free_port
from tests.support.vcs import manifest

MODULES = Path("/usr/lib/apache2/modules")
NEEDED = ("mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_svn")


class SvnServerTestCase(CheckoutsTestCase):
    """A repository with a tag and a trunk."""

    name = "lib"

    def setUp(self) -> None:
        for program in ("svn", "svnadmin", "svnserve"):
            if shutil.which(program) is None:
                raise SkipTest(f"{program} is not installed")
        super().setUp()
        self.root = self.folder / "local" / self.name
        self.root.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["svnadmin", "create", str(self.root)], check=True)
        tree = self.folder / "tree"
        (tree / "trunk" / "src").mkdir(parents=True)
        (tree / "tags").mkdir()
        (tree / "trunk" / "composer.json").write_text(manifest())
        (tree / "trunk" / "src" / "at@1").write_text("x")
        self.svn("import", "-m", "first", str(tree), self.root.as_uri())
        self.svn("copy", "-m", "tag", f"{self.root.as_uri()}/trunk", f"{self.root.as_uri()}/tags/1.0.0")

    def svn(self, *arguments: str) -> None:
        command = ["svn", "--non-interactive", "--config-dir", str(self.folder / "svn"), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    async def read(self, access: VcsAccess) -> None:
        """Crawl all of it, and build an archive."""
        crawl, readings = await self.crawl(access)
        self.assertEqual((VcsKind.SVN, "trunk"), (crawl.kind, crawl.default_branch))
        found = {reading.ref.key: reading.readings[0].version or {} for reading in readings}
        self.assertEqual({"tag:1.0.0": "1.0.0", "branch:trunk": "dev-trunk"}, {key: version["version"] for key, version in found.items()})
        source = {"type": "svn", "url": access.url, "reference": "/tags/1.0.0/@2"}
        self.assertEqual(source, found["tag:1.0.0"]["source"])
        built, _ = await self.archive(access, dist_reference("/tags/1.0.0/@2"))
        self.assertEqual(2, built.entries)


class HttpTests(SvnServerTestCase):
    """mod_dav_svn, and a name with a space in it."""

    name = "a b"

    def setUp(self) -> None:
        self.apache = shutil.which("apache2", path=os.environ["PATH"] + os.pathsep + "/usr/sbin") or ""
        if not self.apache or not all((MODULES / f"mod_{name}.so").exists() for name in NEEDED):
            raise SkipTest("apache2 with mod_dav_svn is not installed")
        super().setUp()
        self.port = free_port()

    async def start(self, *lines: str) -> str:
        home = self.folder / "apache"
        home.mkdir()
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        if os.geteuid() == 0:
            shutil.chown(self.folder, "www-data")
            for path in self.folder.joinpath("local").rglob("*"):
                shutil.chown(path, "www-data")
        (home / "users").write_text("bob:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n")
        loads = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED)
        (home / "conf").write_text(
            f'{loads}\n{user}\nServerRoot "{home}"\nServerName localhost\nListen 127.0.0.1:{self.port}\nPidFile pid\n'
            f'ErrorLog "{home}/log"\nDefaultRuntimeDir "{home}"\nStartServers 1\n'
            f'<Location /code>\nDAV svn\nSVNParentPath "{self.folder}/local"\n' + "\n".join(lines) + "\n</Location>\n"
        )
        server = subprocess.Popen([self.apache, "-f", str(home / "conf"), "-DFOREGROUND"], stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait, 20)
        self.addCleanup(server.terminate)
        await self.listening(self.port)
        return f"http://127.0.0.1:{self.port}/code/a%20b"

    async def test_read(self) -> None:
        """Found out to be Subversion, and read; what is not there is said."""
        url = await self.start()
        await self.read(VcsAccess(url=url))
        failure = await self.failure(url.replace("a%20b", "none"))
        self.assertIs(VcsReason.GONE, failure.reason, str(failure))

    async def test_login(self) -> None:
        """No login, a wrong one, the right one."""
        url = await self.start("AuthType Basic", "AuthName x", f'AuthUserFile "{self.folder}/apache/users"', "Require valid-user")
        for password in (None, "wr0ng"):
            access = VcsAccess(url=url, kind=VcsKind.SVN, username="bob", password=None if password is None else Secret(password))
            failure = await self.failure(access)
            self.assertIs(VcsReason.LOGIN, failure.reason, str(failure))
            self.assertNotIn("wr0ng", str(failure))
        await self.read(VcsAccess(url=url, username="bob", password=Secret("pass")))


class SshTests(SvnServerTestCase):
    """svnserve by a real sshd."""

    async def test_read(self) -> None:
        """With the right key; the host key is pinned; another key is refused."""
        ssh = self.serve_ssh()
        url = f"svn+ssh://{ssh.host}{self.root}"
        await self.read(VcsAccess(url=url, ssh_key=Secret(ssh.good.read_text())))
        self.assertIn(f"[127.0.0.1]:{ssh.server.port}", "".join(await self.checkouts.host_keys()))
        failure = await self.failure(VcsAccess(url=url, ssh_key=Secret(ssh.bad.read_text())))
        self.assertIs(VcsReason.LOGIN, failure.reason, str(failure))
        failure = await self.failure(VcsAccess(url=f"{url}-none", ssh_key=Secret(ssh.good.read_text())))
        self.assertIs(VcsReason.GONE, failure.reason, str(failure))
