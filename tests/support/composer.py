"""The real Composer, in a home of its own."""

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

__all__ = ["Composer", "Run", "composer_missing"]

VOLATILE = {"installed.php", "InstalledVersions.php"}


def composer_missing() -> str | None:
    """Say why Composer cannot be run here, or None."""
    return None if shutil.which("composer") else "composer is not installed"


@frozen(kw_only=True)
class Run:
    """One run of Composer."""

    status: int
    output: str


@define
class Composer:
    """A project and a home."""

    folder: Path
    program: Path = Path("composer")
    home: Path = field(init=False)
    project: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.home, self.project = self.folder / "home", self.folder / "project"
        self.home.mkdir(parents=True)
        self.project.mkdir()

    def require(self, repository: str, require: dict[str, str]) -> None:
        """Write the project's composer.json."""
        document = {
            "name": "acme/app",
            "description": "a project",
            "license": "MIT",
            "require": require,
            "repositories": [{"type": "composer", "url": repository}, {"packagist.org": False}],
            "config": {"secure-http": False},
        }
        (self.project / "composer.json").write_text(json.dumps(document))

    def audit(self) -> Run:
        """Run `composer audit`; its output is JSON alone."""
        return self._run("audit", "--locked", "--format=json")

    def run(self, *arguments: str) -> Run:
        """Run one command."""
        return self._run(*arguments, "--no-progress", "--ignore-platform-reqs")

    def _run(self, *arguments: str) -> Run:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "COMPOSER_HOME": str(self.home),
            "COMPOSER_CACHE_DIR": str(self.home / "cache"),
            "COMPOSER_ALLOW_SUPERUSER": "1",
            "COMPOSER_NO_INTERACTION": "1",
            "COMPOSER_DISABLE_XDEBUG_WARN": "1",
        }
        command = [str(self.program), *arguments, "--no-interaction"]
        result = subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        output = result.stdout if arguments[0] == "audit" else result.stdout + result.stderr
        return Run(status=result.returncode, output=output)

    def forget(self, *, cache: bool = True, vendor: bool = True, lock: bool = True) -> None:
        """Remove what an earlier run left."""
        if cache:
            shutil.rmtree(self.home / "cache", ignore_errors=True)
        if vendor:
            shutil.rmtree(self.project / "vendor", ignore_errors=True)
        if lock:
            (self.project / "composer.lock").unlink(missing_ok=True)

    def lock(self) -> Any:
        """Return the lock, without what says where it came from."""
        lock = json.loads((self.project / "composer.lock").read_text())
        for package in lock["packages"]:
            package.pop("notification-url", None)
            package.get("dist", {}).pop("mirrors", None)
            package.get("dist", {}).pop("url", None)
        lock.pop("content-hash")  # of composer.json, which names the repository
        return lock

    def tree(self) -> dict[str, str]:
        """Return the digest of every installed file, but for what Composer writes about the run itself."""
        vendor = self.project / "vendor"
        return {
            str(path.relative_to(vendor)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(vendor.rglob("*"))
            if path.is_file() and "composer" not in path.relative_to(vendor).parts[:1] and path.name != "autoload.php"
        }
