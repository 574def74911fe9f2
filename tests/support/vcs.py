"""Real repositories and real servers for them, on loopback: git over http, git over ssh."""

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.support.server import free_port

__all__ = ["GitHttp", "GitRepository", "SshServer", "manifest"]

GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": "/nonexistent",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.org",
}  # fmt: skip


def manifest(name: str = "acme/lib", **more: Any) -> str:
    return json.dumps({"name": name, "description": "A library", "license": "MIT", **more})


@define
class GitRepository:
    """A bare repository; commits are made by `git fast-import`-free plumbing, one second apart."""

    path: Path
    clock: int = 1_700_000_000

    @classmethod
    def make(cls, path: Path, branch: str = "main") -> "GitRepository":
        path.parent.mkdir(parents=True, exist_ok=True)
        repository = cls(path)
        repository._run("init", "--quiet", "--bare", f"--initial-branch={branch}", str(path), bare=False)
        repository.git("config", "http.receivepack", "true")
        return repository

    def git(self, *arguments: str | bytes, text: bytes = b"", **environment: str) -> str:
        return self._run("--git-dir", str(self.path), *arguments, text=text, **environment)

    def commit(
        self, files: dict[Any, Any], *, branch: str = "main", message: str = "Change", parents: list[str] | None = None, keep: bool = True
    ) -> str:
        """Commit on a branch. Values: text, bytes, ("link", target), ("submodule", sha), ("program", text), None to remove."""
        ref = f"refs/heads/{branch}"
        tip = self._tip(ref)
        index = {"GIT_INDEX_FILE": str(self.path / "test-index")}
        (self.path / "test-index").unlink(missing_ok=True)
        if tip and keep:
            self.git("read-tree", tip, **index)
        lines = []
        for name, content in files.items():
            raw = name if isinstance(name, bytes) else name.encode()
            mode, body = "100644", content
            if isinstance(content, tuple):
                mode, body = {"link": "120000", "submodule": "160000", "program": "100755"}[content[0]], content[1]
            if body is None:
                lines.append(b"0 " + b"0" * 40 + b"\t" + raw)
                continue
            if mode == "160000":
                sha = body
            else:
                sha = self.git("hash-object", "-w", "--stdin", text=body.encode() if isinstance(body, str) else body).strip()
            lines.append(f"{mode} {sha}\t".encode() + raw)
        self.git("update-index", "-z", "--index-info", text=b"\0".join(lines) + b"\0", **index)
        tree = self.git("write-tree", **index).strip()
        self.clock += 60
        date = f"{self.clock} +0200"
        given = parents if parents is not None else ([tip] if tip else [])
        options = [part for parent in given for part in ("-p", parent)]
        sha = self.git("commit-tree", tree, *options, "-m", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date).strip()
        self.git("update-ref", ref, sha)
        return sha

    def tag(self, name: str, target: str = "main", *, annotated: bool = False) -> None:
        self.git(*(["tag", "-f", "-a", "-m", name] if annotated else ["tag", "-f"]), name, target)

    def _tip(self, ref: str) -> str | None:
        try:
            return self.git("rev-parse", "--verify", "--quiet", ref).strip()
        except subprocess.CalledProcessError:
            return None

    def _run(self, *arguments: Any, text: bytes = b"", bare: bool = True, **environment: str) -> str:
        done = subprocess.run(
            ["git", *arguments], input=text, capture_output=True, check=True,
            env={**GIT_ENVIRONMENT, "PATH": os.environ["PATH"], **environment},
        )  # fmt: skip
        return done.stdout.decode(errors="replace")


@define
class GitHttp:
    """`git http-backend` on a free port; `logins` are the Authorization values that it lets in, None lets in all."""

    root: Path
    logins: list[str] | None = None
    requests: list[tuple[str, str]] = field(factory=list)
    answers: dict[str, Callable[[BaseHTTPRequestHandler, bytes], None]] = field(factory=dict)
    tls: Any = None
    server: Any = None
    thread: Any = None

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.server.server_address[1]}"

    @staticmethod
    def basic(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def start(self) -> "GitHttp":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self)

            do_POST = do_OPTIONS = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False

        self.server = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = self._body(handler)
        handler.close_connection = True
        self.requests.append((handler.command, handler.path))
        if self.logins is not None and handler.headers.get("Authorization") not in self.logins:
            return self.send(handler, 401, b"who are you?", ("WWW-Authenticate", 'Basic realm="git"'))
        path, _, query = handler.path.partition("?")
        if path in self.answers:
            return self.answers[path](handler, body)
        environment = {
            **GIT_ENVIRONMENT, "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""), "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n") if b": " in line)
        status = int(lines.pop("Status", "200").split()[0])
        return self.send(handler, status, content, *lines.items())

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, status: int, content: bytes, *headers: tuple[str, str]) -> None:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content)

    @staticmethod
    def _body(handler: BaseHTTPRequestHandler) -> bytes:
        if handler.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(handler.rfile.readline().split(b";")[0], 16):
                chunks.append(handler.rfile.read(size))
                handler.rfile.readline()
            handler.rfile.readline()
            return b"".join(chunks)
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))


@define
class SshServer:
    """A real sshd on loopback, with a host key and one authorized key of its own, for the user that runs the tests."""

    folder: Path
    port: int = field(factory=free_port)
    process: Any = None

    @staticmethod
    def missing() -> str | None:
        """Say why there can be none here."""
        absent = [program for program in ("ssh", "ssh-keygen", "ssh-agent", "sshd") if SshServer.program(program) is None]
        return f"not installed: {', '.join(absent)}" if absent else None

    @staticmethod
    def program(name: str) -> str | None:
        return shutil.which(name, path=os.environ["PATH"] + os.pathsep + "/usr/sbin")

    def key(self, name: str, kind: str = "ed25519", passphrase: str = "", form: tuple[str, ...] = ()) -> Path:
        """Make a key pair."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, *form, "-f", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        return path

    def start(self, *authorized: Path) -> "SshServer":
        host_key = self.key(f"host-{self.port}-{time.monotonic_ns()}")
        keys = self.folder / "authorized_keys"
        keys.write_text("".join(key.with_suffix(".pub").read_text() for key in authorized))
        keys.chmod(0o600)
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {host_key}\nAuthorizedKeysFile {keys}\nUsePAM no\n"
            "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"PidFile none\nAcceptEnv GIT_PROTOCOL\nLogLevel ERROR\nSetEnv PATH={os.environ['PATH']}\n"
        )
        sshd = self.program("sshd")
        assert sshd is not None
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            probe = subprocess.run(
                ["ssh-keyscan", "-T", "2", "-p", str(self.port), "127.0.0.1"], capture_output=True, check=False
            )
            if probe.stdout:
                return self
            time.sleep(0.05)
        raise AssertionError((self.folder / "sshd.log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
